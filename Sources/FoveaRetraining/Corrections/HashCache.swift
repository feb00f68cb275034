import FoveaSystem
import Glibc
import SystemPackage

/// SHA-256 of files by what stat(2) says of them: thousands of large photographs need not be read every night to find
/// that nothing has changed. As a text file, a line for each:
///
///     SHA-256 size modified changed inode path
///
/// Times are in nanoseconds; the path is escaped. A line that makes no sense is left out: its file is hashed again.
package struct HashCache: Sendable, Equatable {
    private struct Entry: Equatable {
        let stamp: String
        let sha256: String
    }

    /// By the bytes of the escaped path: two spellings of an umlaut are one String and two files.
    private var entries: [[UInt8]: Entry] = [:]
    /// Nanoseconds since 1970: a file changed after this may change again within the clock's grain.
    private let now: Int

    package static func == (left: HashCache, right: HashCache) -> Bool { left.entries == right.entries }

    package init() { now = Self.clock() }

    /// Reads the file; an empty cache where there is none.
    package init(_ path: FilePath) {
        self.init()
        guard let bytes = try? Files.read(path) else { return }
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let parts = line.split(separator: " ", maxSplits: 5)
            guard parts.count == 6, parts[0].utf8.count == 64, parts[0].allSatisfy(\.isHexDigit) else { continue }
            entries[Array(parts[5].utf8)] = Entry(
                stamp: parts[1...4].joined(separator: " "), sha256: String(parts[0]))
        }
    }

    /// One that knows nothing.
    var emptied: HashCache { HashCache() }

    /// The hash, nil where the file is another than it was.
    subscript(path: FilePath, status: FileStatus) -> String? {
        get { entries[Array(path.escaped.utf8)].flatMap { $0.stamp == Self.stamp(status) ? $0.sha256 : nil } }
        set {
            guard let newValue, status.changed < now - 2_000_000_000 else { return }
            entries[Array(path.escaped.utf8)] = Entry(stamp: Self.stamp(status), sha256: newValue)
        }
    }

    /// Replaces the file.
    package func write(_ path: FilePath) throws(SystemError) {
        let lines = entries.sorted { $0.key.lexicographicallyPrecedes($1.key) }
            .map { "\($1.sha256) \($1.stamp) \(String(decoding: $0, as: UTF8.self))\n" }
        try Files.replace(path, with: lines.joined().utf8)
    }

    private static func stamp(_ status: FileStatus) -> String {
        "\(status.size) \(status.modified) \(status.changed) \(status.inode)"
    }

    private static func clock() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int(time.tv_sec) * 1_000_000_000 + Int(time.tv_nsec)
    }
}
