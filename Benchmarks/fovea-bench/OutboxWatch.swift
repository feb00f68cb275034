import FoveaSystem
import Glibc
import SystemPackage

/// inotify on folders of the outbox: sees a result when it is there, without asking for it again and again.
final class OutboxWatch {
    private let descriptor: Int32
    private var buffer = [UInt8](repeating: 0, count: 1 << 16)

    init(_ folders: [FilePath]) throws {
        descriptor = try retrying("inotify_init1") { inotify_init1(Int32(IN_CLOEXEC)) }
        for folder in folders {
            try retrying("inotify_add_watch", folder.escaped) {
                folder.withPlatformString { inotify_add_watch(descriptor, $0, UInt32(IN_CREATE | IN_MOVED_TO)) }
            }
        }
    }

    deinit { close(descriptor) }

    /// Returns when a file of this name appears; fails after ten seconds.
    func wait(for name: String) throws {
        let name = Array(name.utf8)
        let deadline = seconds() + 10
        while true {
            var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let left = deadline - seconds()
            guard left > 0 else { throw BenchError("no result \(String(decoding: name, as: UTF8.self)) within 10 s") }
            guard Glibc.poll(&poll, 1, Int32(left * 1000) + 1) > 0 else { continue }
            let count = read(descriptor, &buffer, buffer.count)
            // struct inotify_event: wd, mask, cookie, len (4 bytes each), then len bytes of the name with NULs.
            var place = 0
            while place + 16 <= count {
                let length = buffer.withUnsafeBytes {
                    Int($0.loadUnaligned(fromByteOffset: place + 12, as: UInt32.self))
                }
                if buffer[(place + 16)..<(place + 16 + length)].prefix(while: { $0 != 0 }).elementsEqual(name) {
                    return
                }
                place += 16 + length
            }
        }
    }
}
