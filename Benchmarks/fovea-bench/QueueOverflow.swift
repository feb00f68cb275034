import FoveaSystem
import Glibc
import SystemPackage

/// More files than the kernel's inotify queue holds, while the daemon stands still: it must notice that it has missed
/// some, and find them.
enum QueueOverflow {
    static func run() throws -> [String] {
        let limit = Int(kernelText("/proc/sys/fs/inotify/max_queued_events").filter(\.isNumber)) ?? 16384
        guard limit <= 40_000 else {
            print("overflow: skipped, the queue holds \(limit) events")
            return []
        }
        return try withVictim { daemon, _ in
            // Two events a file would be too many to hope for: one each.
            let count = limit + limit / 5
            let images = try prepareImages(count, daemon)
            try daemon.start()
            _ = kill(daemon.pid, SIGSTOP)
            for image in images { try daemon.send(image.name) }
            _ = kill(daemon.pid, SIGCONT)
            let begin = seconds()
            try daemon.waitUntilPublished(count)
            let overflows = try daemon.status().watch.overflows
            print("overflow: \(count) files at once, \(overflows) overflows, done after \(number(seconds() - begin)) s")
            usleep(200_000)
            try daemon.stop()
            let sums = Dictionary(uniqueKeysWithValues: images.map { ($0.name, $0.sha256) })
            let faults = try daemon.audit(sums).faults
            return (overflows == 0 ? ["the queue did not overflow: nothing was tried"] : []) + faults
        }
    }
}
