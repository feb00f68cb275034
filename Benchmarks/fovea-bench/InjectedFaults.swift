import FoveaSystem
import Glibc
import SystemPackage

/// System calls of the daemon's main thread, which alone keeps the books, fail by strace's hand. The daemon stays up and
/// loses nothing; what could not be done is done later.
enum InjectedFaults {
    /// strace's words: what fails how, and when (from the FIRSTth time on, every STEPth); on which files of the daemon's
    /// folder, or none for all. SQLite syncs and folders are made while the daemon starts, which is not what is tried.
    private static let cases: [(name: String, inject: String, files: [String])] = [
        ("the journal's sync fails", "fdatasync:error=EIO:when=2+3", ["var/journal"]),
        ("no space to sync the journal", "fdatasync:error=ENOSPC:when=1+2", ["var/journal"]),
        ("no space to write the journal", "write:error=ENOSPC:when=3+4", ["var/journal"]),
        ("syncs of files fail", "fsync:error=EIO:when=3+5", []),
        ("publishing by rename fails", "renameat2:error=ENOSPC:when=5+7", []),
        ("taking by rename fails", "rename:error=EIO:when=5+7", []),
        ("folders cannot be made", "mkdir:error=ENOSPC:when=1+2", (0..<100).map { "outbox/class-\($0)" }),
        ("the outbox's sync fails", "syncfs:error=EIO:when=1+2", []),
        ("calls are interrupted", "rename,renameat2:error=EINTR:when=3+3", []),
    ]

    static func run() throws -> [String] {
        guard access("/usr/bin/strace", X_OK) == 0 else {
            print("faults: skipped, there is no strace (apt-get install strace)")
            return []
        }
        var all: [String] = []
        for (name, inject, files) in cases {
            let calls = String(inject.prefix { $0 != ":" })
            let faults = try withVictim { daemon, _ in
                let count = 300
                let images = try prepareImages(count, daemon)
                // Tracing the first thread only: workers and the history stay at full speed.
                let only = files.flatMap { ["-P", daemon.folder.pushing(FilePath($0)).string] }
                let strace = [
                    "/usr/bin/strace", "-qq", "-o", daemon.folder.appending("strace.txt").string, "-e",
                    "trace=\(calls)", "-e", "inject=\(inject)",
                ]
                try daemon.start(through: strace + only + ["--"])
                for image in images {
                    try daemon.send(image.name)
                    usleep(2000)
                }
                // What could not be taken waits for the scan, once a minute.
                try daemon.waitForResults(count, timeout: 240)
                var faults: [String] = []
                do { try daemon.stop() } catch { faults.append("\(error)") }
                let trace = try Files.read(daemon.folder.appending("strace.txt"))
                let failures = String(decoding: trace, as: UTF8.self).split(separator: "\n")
                    .count { $0.contains("(INJECTED)") }
                faults += try daemon.audit(Dictionary(uniqueKeysWithValues: images.map { ($0.name, $0.sha256) })).faults
                print("faults: \(name): \(failures) calls failed, \(count) images, \(faults.count) faults")
                fflush(nil)
                if failures == 0 { print("  (the daemon did not make that call: nothing was tried)") }
                return faults
            }
            all += faults.map { "\(name): \($0)" }
        }
        return all
    }
}
