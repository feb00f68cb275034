import FoveaSystem
import Glibc
import SystemPackage

/// A folder for one test, removed with all in it when the object goes.
package final class TemporaryFolder {
    package let path: FilePath

    package init() throws {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/fovea-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError("mkdtemp", base, errno: Errno(rawValue: errno)) }
        path = FilePath(platformString: template)
    }

    deinit { try? Files.removeTree(path) }

    /// Writes a file below the folder, making the folders it needs; returns its path.
    @discardableResult
    package func write(_ name: String, _ bytes: some Sequence<UInt8>) throws -> FilePath {
        let file = path.pushing(FilePath(name))
        try Files.makeDirectories(file.removingLastComponent())
        let descriptor = try Files.open(file, O_WRONLY | O_CREAT | O_TRUNC)
        defer { try? descriptor.close() }
        try Files.write(bytes, to: descriptor, subject: file.escaped)
        return file
    }
}
