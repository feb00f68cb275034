import CLinux
import Glibc
import SystemPackage

/// Messages with descriptors over a SOCK_SEQPACKET pair (unix(7), SCM_RIGHTS).
package enum SeqPacket {
    /// The most descriptors in one message (SCM_MAX_FD in the kernel).
    package static let mostDescriptors = 253

    /// socketpair(2), both ends close-on-exec.
    package static func pair() throws(SystemError) -> (FileDescriptor, FileDescriptor) {
        var descriptors: [Int32] = [-1, -1]
        try retrying("socketpair") { cl_seqpacket_pair(&descriptors) }
        return (FileDescriptor(rawValue: descriptors[0]), FileDescriptor(rawValue: descriptors[1]))
    }

    /// sendmsg(2): one message with the descriptors, which stay open here.
    package static func send(
        _ bytes: [UInt8], descriptors: [FileDescriptor] = [], to socket: FileDescriptor, blocking: Bool = true
    ) throws(SystemError) {
        let raw = descriptors.map(\.rawValue)
        try retrying("sendmsg") {
            bytes.withUnsafeBytes {
                cl_send(
                    socket.rawValue, $0.baseAddress, $0.count, nil, 0, raw, Int32(raw.count),
                    blocking ? 0 : Int32(MSG_DONTWAIT))
            }
        }
    }

    /// recvmsg(2): one message; nil where the other end is closed. Descriptors arrive close-on-exec and are the
    /// caller's to close. Throws `.wouldBlock` (EAGAIN) when not blocking and nothing is there, `.messageTooLong`
    /// for a message above `limit`.
    package static func receive(
        from socket: FileDescriptor, limit: Int, blocking: Bool = true
    ) throws(SystemError) -> (bytes: [UInt8], descriptors: [FileDescriptor])? {
        var descriptors = [Int32](repeating: -1, count: mostDescriptors)
        var count = Int32(mostDescriptors)
        var failure: SystemError?
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, filled in
            do throws(SystemError) {
                filled = try retrying("recvmsg") {
                    count = Int32(mostDescriptors)
                    return cl_receive(
                        socket.rawValue, buffer.baseAddress, limit, &descriptors, &count,
                        blocking ? 0 : Int32(MSG_DONTWAIT))
                }
            } catch {
                failure = error
            }
        }
        if let failure {
            if failure.errno == .connectionReset { return nil }
            throw failure
        }
        if bytes.isEmpty { return nil }
        return (bytes, descriptors.prefix(Int(count)).map { FileDescriptor(rawValue: $0) })
    }

    /// SO_SNDBUF and SO_RCVBUF: room for a message of `bytes`.
    package static func setBuffers(_ socket: FileDescriptor, bytes: Int) {
        var size = Int32(clamping: bytes)
        setsockopt(socket.rawValue, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        setsockopt(socket.rawValue, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }
}

/// A descriptor that becomes readable when somebody calls `wake` (eventfd(2)).
package struct WakeUp: Sendable {
    /// Readable after `wake`, until `clear`.
    package let descriptor: FileDescriptor

    package init() throws(SystemError) {
        descriptor = FileDescriptor(rawValue: try retrying("eventfd") { cl_eventfd() })
    }

    /// Safe from any thread.
    package func wake() {
        var one: UInt64 = 1
        _ = Glibc.write(descriptor.rawValue, &one, 8)
    }

    package func clear() {
        var count: UInt64 = 0
        _ = Glibc.read(descriptor.rawValue, &count, 8)
    }
}

/// memfd_create(2): an anonymous file in memory, close-on-exec.
package func memoryFile(_ name: String) throws(SystemError) -> FileDescriptor {
    FileDescriptor(rawValue: try retrying("memfd_create", name) { cl_memfd(name) })
}
