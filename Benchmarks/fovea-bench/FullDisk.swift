import FoundationEssentials
import FoveaSystem
import Glibc
import SystemPackage

/// No space left, for real: inbox, outbox and state on a tmpfs of a few megabytes, which a ballast file fills up while
/// images come. While it is full nothing is torn; when the ballast is gone everything is done.
enum FullDisk {
    static func run() throws -> [String] {
        guard isAllowed else { return skipped() }
        return try withTemporaryFolder { folder, _ in
            // A mount namespace of our own, as root of a user namespace of our own: no rights needed, nothing stays.
            let arguments = [
                "-Urm", "/bin/sh", "-c",
                "mount -t tmpfs -o size=64m tmpfs \"$1\" || exit 69; exec \"$0\" torture --inside \"$1\"",
                programDirectory().appending("fovea-bench").string, folder.string,
            ]
            let output = try FileDescriptor(rawValue: 1).duplicate()
            defer { try? output.close() }
            let child = try ChildProcess(
                executable: "/usr/bin/unshare", arguments: arguments, environment: childEnvironment(), output: output)
            switch child.wait() {
            case .exited(0): return []
            case .exited(69): return skipped()
            case let ending: return ["the run inside \(ending)"]
            }
        }
    }

    private static func skipped() -> [String] {
        print("full: skipped, this machine gives an ordinary user no mount namespace (unshare -Urm)")
        return []
    }

    /// Whether unshare(1) may do what is asked of it.
    private static var isAllowed: Bool {
        let probe = try? ChildProcess(
            executable: "/usr/bin/unshare", arguments: ["-Urm", "/bin/true"], environment: childEnvironment())
        return probe?.wait() == .exited(0)
    }

    /// What runs in the namespace.
    static func inside(_ folder: FilePath) throws {
        let count = 600
        let faults = try withVictim(minFree: "0B", in: folder) { daemon, folder in
            let images = try prepareImages(count, daemon)
            try daemon.start()
            for image in images[..<100] { try daemon.send(image.name) }
            try daemon.waitForResults(100, timeout: 60)

            let ballast = folder.appending("ballast")
            try fill(ballast)
            for image in images[100...] { try daemon.send(image.name) }
            // Published files give no space back: the daemon has to stop somewhere on the way.
            usleep(4_000_000)
            let status = try daemon.status()
            let torn = try daemon.documents().filter { try !isWhole(Files.read($0)) }
            print(
                "full: while full, \(try daemon.documents().count) of \(count) results, "
                    + "\(status.intake.reason ?? "the daemon has noticed nothing")")
            try Files.unlink(ballast)
            try daemon.waitForResults(count, timeout: 240)
            try daemon.stop()
            let sums = Dictionary(uniqueKeysWithValues: images.map { ($0.name, $0.sha256) })
            let (results, wrong) = try daemon.audit(sums)
            print("full: \(results.count) results for \(count) images after there was space again")
            return torn.map { "\($0.escaped) was torn while the disk was full" } + wrong
        }
        for fault in faults.prefix(10) { print("  \(fault)") }
        fflush(nil)
        if !faults.isEmpty { exit(2) }
    }

    private static func isWhole(_ bytes: [UInt8]) -> Bool {
        (try? JSONDecoder().decode(JSONValue.self, from: Data(bytes))) != nil
    }

    /// Writes zeros until there is no space.
    private static func fill(_ path: FilePath) throws {
        let file = try Files.open(path, O_WRONLY | O_CREAT)
        defer { try? file.close() }
        for size in [1 << 20, 4096] {
            let zeros = [UInt8](repeating: 0, count: size)
            do throws(SystemError) {
                while true { try Files.write(zeros, to: file) }
            } catch {
                guard error.errno == .noSpace else { throw error }
            }
        }
    }
}
