import CArchive
import FoveaModels
import FoveaSystem
import Glibc
import SystemPackage

/// Reads a wheel, which is a zip file (PEP 427). Members come into memory; nothing is unpacked and nothing is executed.
package enum Wheel {
    /// The most members that are looked at.
    static let most = 4096

    /// A file begins as a zip file does.
    package static func isZip(_ bytes: [UInt8]) -> Bool { bytes.starts(with: [0x50, 0x4B, 3, 4]) }

    /// The members whose paths `limit` gives a number for.
    ///
    /// - Parameters:
    ///   - bytes: the whole file.
    ///   - subject: the file's name in messages.
    ///   - limit: the largest size of the member of this path in bytes; nil leaves it out.
    /// - Throws: `.damaged` for what is no zip file, is cut off, or holds a wanted member twice, encrypted, or larger than allowed.
    package static func members(
        of bytes: [UInt8], subject: String, limit: (_ path: String) -> Int?
    ) throws(ModelError) -> [String: [UInt8]] {
        func refusal(_ problem: String) -> ModelError { ModelError(.damaged, subject, problem) }
        guard isZip(bytes) else { throw refusal("is not a wheel: a wheel is a zip file") }
        let archive = archive_read_new()
        defer { archive_read_free(archive) }
        // The reader that trusts the central directory: what installers see is what is read here.
        archive_read_support_format_zip_seekable(archive)
        func words() -> String { archive_error_string(archive).map { String(cString: $0) } ?? "no reason given" }
        let read: Result<[String: [UInt8]], ModelError> = bytes.withUnsafeBytes { memory in
            Result { () throws(ModelError) in
                guard archive_read_open_memory(archive, memory.baseAddress, memory.count) == ARCHIVE_OK else {
                    throw refusal("cannot be read as a wheel: \(words())")
                }
                var found: [String: [UInt8]] = [:]
                var entries = 0
                while true {
                    var entry: OpaquePointer?
                    let status = archive_read_next_header(archive, &entry)
                    if status == ARCHIVE_EOF { return found }
                    guard status == ARCHIVE_OK || status == ARCHIVE_WARN, let entry else {
                        throw refusal("is damaged or cut off after \(entries) members: \(words())")
                    }
                    entries += 1
                    guard entries <= most else { throw refusal("has more than \(most) members") }
                    guard archive_entry_filetype(entry) == Glibc.S_IFREG, let name = archive_entry_pathname(entry),
                        let path = String(validatingCString: name), let limit = limit(path)
                    else { continue }
                    let shown = percentEscaped(Array(path.utf8))
                    guard archive_entry_is_encrypted(entry) == 0 else { throw refusal("\(shown) is encrypted") }
                    let size = Int(archive_entry_size(entry))
                    guard (0...limit).contains(size) else {
                        throw refusal("\(shown) has \(size) bytes, at most \(limit) are read")
                    }
                    guard found[path] == nil else { throw refusal("\(shown) is there twice") }
                    guard let content = content(archive, size) else {
                        throw refusal("\(shown) is damaged: \(words())")
                    }
                    found[path] = content
                }
            }
        }
        return try read.get()
    }

    /// - Returns: nil where the member has not exactly `size` bytes, or another checksum than the archive says.
    private static func content(_ archive: OpaquePointer?, _ size: Int) -> [UInt8]? {
        // One more, so that a longer one shows.
        var bytes = [UInt8](repeating: 0, count: size + 1)
        var done = 0
        while done < bytes.count {
            let got = bytes.withUnsafeMutableBytes {
                archive_read_data(archive, $0.baseAddress! + done, $0.count - done)
            }
            if got == Int(ARCHIVE_RETRY) { continue }
            if got == 0 { break }
            guard got > 0 else { return nil }
            done += got
        }
        guard done == size else { return nil }
        bytes.removeLast()
        return bytes
    }
}
