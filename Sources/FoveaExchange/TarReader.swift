import CArchive
import FoveaModels
import FoveaSystem
import Glibc
import SystemPackage

/// Unpacks an archive that somebody else made. A member is a regular file or a folder below the archive's own root, or
/// the archive is refused; what is unpacked lies under numbers, not under the archive's names, so that none of these can
/// reach anywhere.
enum TarReader {
    /// The most members.
    static let most = 256
    /// The most bytes of all members together.
    static let bytesLimit = ModelFolder.weightsLimit + 16 * ModelFolder.goldenLimit

    /// A regular file of the archive.
    struct Member {
        /// Its path without `.`, one component at least.
        let path: [String]
        /// Where its bytes are.
        let file: FilePath
    }

    /// - Parameters:
    ///   - path: tar, as it is or compressed by zstd.
    ///   - folder: that gets the files, which belong to the caller, also after an error.
    static func unpack(_ path: FilePath, into folder: FilePath) throws(ModelError) -> [Member] {
        let archive = archive_read_new()
        defer { archive_read_free(archive) }
        // Nothing else is asked for, and each format more is more code for hostile bytes.
        archive_read_support_filter_zstd(archive)
        archive_read_support_format_tar(archive)
        func refusal(_ problem: String) -> ModelError { ModelError(.damaged, path.escaped, problem) }
        func words() -> String { archive_error_string(archive).map { String(cString: $0) } ?? "no reason given" }
        let opened = path.withPlatformString { archive_read_open_filename(archive, $0, 1 << 18) }
        var members: [Member] = []
        var seen: Set<[String]> = []
        var (entries, total) = (0, 0)
        while true {
            var entry: OpaquePointer?
            let status = opened == ARCHIVE_OK ? archive_read_next_header(archive, &entry) : opened
            if status == ARCHIVE_EOF { return members }
            guard status == ARCHIVE_OK || status == ARCHIVE_WARN, let entry else {
                guard entries > 0 else {
                    let isONNX = path.extension?.lowercased() == "onnx"
                    throw refusal(
                        "is neither a model's folder nor a .tar.zst of one"
                            + (isONNX
                                ? "; ONNX is for other programs and is not read: export as folder or tar to move a model"
                                : ": \(words())"))
                }
                throw refusal("is damaged or cut off after \(entries) members: \(words())")
            }
            entries += 1
            guard entries <= most else { throw refusal("has more than \(most) members") }
            guard let bytes = archive_entry_pathname(entry) else {
                throw refusal("has a member whose name cannot be read")
            }
            let name = FilePath(platformString: bytes).escaped
            func reject(_ problem: String) -> ModelError { ModelError(.damaged, "\(path.escaped), \(name)", problem) }
            guard let components = components(String(cString: bytes)) else {
                throw reject("is a path that leads out of the archive")
            }
            let type = archive_entry_filetype(entry)
            let size = Int(archive_entry_size(entry))
            if type == Glibc.S_IFDIR, size == 0 { continue }
            guard type == Glibc.S_IFREG, archive_entry_hardlink(entry) == nil, !components.isEmpty else {
                throw reject("is a link, a device or nameless: only files and folders are taken")
            }
            guard seen.insert(components).inserted else { throw reject("is there twice") }
            let limit = limit(components)
            guard size >= 0, size <= limit else { throw reject("has \(size) bytes, at most \(limit) are taken") }
            total += size
            guard total <= bytesLimit else { throw reject("makes it more than \(bytesLimit) bytes") }

            let file = folder.appending("\(members.count).part")
            guard try copy(archive, size, to: file) else { throw reject("cannot be read to its end: \(words())") }
            members.append(Member(path: components, file: file))
        }
    }

    /// The parts of a relative path, without those that stand for the folder itself; nil where it leads upwards or is
    /// absolute.
    static func components(_ path: String) -> [String]? {
        if path.utf8.first == UInt8(ascii: "/") { return nil }
        let parts = path.split(separator: "/").map(String.init).filter { $0 != "." }
        return parts.contains("..") ? nil : parts
    }

    private static func limit(_ path: [String]) -> Int {
        path.dropLast().last == ModelFolder.trainingName
            ? ModelFolder.goldenLimit : ModelFolder.limit(path[path.count - 1])
    }

    /// - Returns: false where the archive has not exactly `size` bytes.
    private static func copy(_ archive: OpaquePointer?, _ size: Int, to file: FilePath) throws(ModelError) -> Bool {
        let descriptor = try storing { () throws(SystemError) in
            try Files.open(file, O_WRONLY | O_CREAT | O_EXCL)
        }
        defer { try? descriptor.close() }
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var done = 0
        while true {
            let count = buffer.withUnsafeMutableBytes { archive_read_data(archive, $0.baseAddress!, $0.count) }
            if count == Int(ARCHIVE_RETRY) { continue }
            if count == 0 { break }
            guard count > 0, done + count <= size else { return false }
            try storing { () throws(SystemError) in
                try Files.write(buffer.prefix(count), to: descriptor, subject: file.escaped)
            }
            done += count
        }
        try storing { () throws(SystemError) in try Files.sync(descriptor, subject: file.escaped) }
        return done == size
    }
}
