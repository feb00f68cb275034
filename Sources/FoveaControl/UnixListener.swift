import FoveaSystem
import Glibc
import SystemPackage

/// A unix socket that listens, with a file of mode 0660: whoever may write it may command the daemon.
package struct UnixListener: Sendable {
    /// The most bytes of a path (`sun_path` of unix(7) without its NUL).
    package static let longestPath = 107

    package let path: FilePath
    /// The listening socket; an `HTTPServer` takes it over.
    package let descriptor: FileDescriptor

    /// bind(2) and listen(2). Makes the folder. A socket left by a dead process is removed, one that answers is not:
    /// then this throws `.addressInUse`, as for a file that is no socket.
    package init(_ path: FilePath) throws(SystemError) {
        self.path = path
        let folder = path.removingLastComponent()
        if !folder.isEmpty { try Files.makeDirectories(folder, mode: 0o755) }
        descriptor = try Self.socket()
        do throws(SystemError) {
            if let status = try Files.statusIfPresent(path) {
                guard status.mode & S_IFMT == S_IFSOCK, !Self.answers(path) else {
                    throw SystemError("bind", path.escaped, errno: .addressInUse)
                }
                try Files.unlink(path)
            }
            // Nobody connects between bind and chmod: before listen(2), connect(2) is refused.
            try Self.withAddress(path) { (address, size) throws(SystemError) in
                try retrying("bind", path.escaped) { bind(descriptor.rawValue, address, size) }
            }
            try retrying("chmod", path.escaped) { path.withPlatformString { chmod($0, 0o660) } }
            try retrying("listen", path.escaped) { listen(descriptor.rawValue, 64) }
        } catch {
            try? descriptor.close()
            throw error
        }
    }

    /// Removes the socket's file. The descriptor is closed by the server that took it.
    package func remove() { try? Files.unlink(path) }

    /// Whether somebody accepts connections there.
    package static func answers(_ path: FilePath) -> Bool {
        guard let probe = try? socket() else { return false }
        defer { try? probe.close() }
        let connected: ()? = try? withAddress(path) { (address, size) throws(SystemError) in
            try retrying("connect", path.escaped) { connect(probe.rawValue, address, size) }
        }
        return connected != nil
    }

    private static func socket() throws(SystemError) -> FileDescriptor {
        FileDescriptor(
            rawValue: try retrying("socket") {
                Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            })
    }

    private static func withAddress(
        _ path: FilePath, _ body: (UnsafePointer<sockaddr>, socklen_t) throws(SystemError) -> Void
    ) throws(SystemError) {
        let bytes = path.bytes
        guard bytes.count <= longestPath else { throw SystemError("bind", path.escaped, errno: .fileNameTooLong) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        var failure: SystemError?
        withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                do throws(SystemError) {
                    try body(pointer, socklen_t(MemoryLayout<sockaddr_un>.size))
                } catch {
                    failure = error
                }
            }
        }
        if let failure { throw failure }
    }
}
