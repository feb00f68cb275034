import ArgumentParser
import FoveaSystem
import Glibc
import SystemPackage

struct TortureCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "torture", abstract: "Kills, starves and overflows a daemon; nothing may be lost or doubled.",
        discussion: """
            kill: SIGKILL at random moments, with images coming and models being swapped. faults: system calls fail, by \
            strace. full: no space left, on a small tmpfs in a mount namespace. overflow: more files than the inotify \
            queue holds. What this machine does not allow is skipped with a word.
            """)

    enum Part: String, CaseIterable { case kill, faults, full, overflow }

    @Option(
        help: ArgumentHelp(
            "Only these, with commas: \(Part.allCases.map(\.rawValue).joined(separator: ",")).", valueName: "parts"))
    var only: String?

    @Option(help: "How often the daemon is killed.")
    var rounds = 20

    @Option(help: "Images dropped in all rounds of kill together.")
    var images = 5000

    @Option(help: "Of the random moments; printed, so that a run can be repeated.")
    var seed = UInt64.random(in: 0..<1_000_000)

    @Option(help: ArgumentHelp("A folder on a small file system, which `full` makes itself.", visibility: .hidden))
    var inside: String?

    private var parts: [Part] {
        get throws {
            guard let only else { return Part.allCases }
            return try only.split(separator: ",").map {
                guard let part = Part(rawValue: String($0)) else {
                    throw ValidationError("--only does not know '\($0)'.")
                }
                return part
            }
        }
    }

    func validate() throws {
        _ = try parts
        guard rounds > 0, images > 0 else { throw ValidationError("--rounds and --images must be above 0.") }
    }

    func run() throws {
        if let inside { return try FullDisk.inside(FilePath(inside)) }
        print("fovea-bench torture, seed \(seed)")
        var failed = false
        for part in try parts {
            let faults: [String]
            switch part {
            case .kill: faults = try KillLoop(rounds: rounds, images: images, seed: seed).run()
            case .faults: faults = try InjectedFaults.run()
            case .full: faults = try FullDisk.run()
            case .overflow: faults = try QueueOverflow.run()
            }
            for fault in faults.prefix(10) { print("  \(fault)") }
            if faults.count > 10 { print("  and \(faults.count - 10) more") }
            print(faults.isEmpty ? "\(part.rawValue): ok" : "\(part.rawValue): FAILED, \(faults.count) faults")
            fflush(nil)
            failed = failed || !faults.isEmpty
        }
        if failed { throw ExitCode(1) }
    }
}

/// A daemon with a model, in a temporary folder that stays when something is wrong.
func withVictim(
    minFree: String = "1MiB", in given: FilePath? = nil, _ body: (DaemonUnderTest, FilePath) throws -> [String]
) throws -> [String] {
    func work(_ folder: FilePath) throws -> [String] {
        let model = try BenchModel.untrained("bench-a", in: folder.appending("models"), seed: 1)
        _ = try BenchModel.untrained("bench-b", in: folder.appending("models"), seed: 2, like: model.configuration)
        let daemon = try DaemonUnderTest(in: folder, model: model.identifier, minFree: minFree)
        return try body(daemon, folder)
    }
    if let given { return try work(given) }
    return try withTemporaryFolder { folder, keep in
        let faults = try work(folder)
        keep = !faults.isEmpty
        return faults
    }
}

/// Small PNGs, all different, prepared for `send`; SHA-256 by name.
func prepareImages(_ count: Int, _ daemon: DaemonUnderTest, prefix: String = "t") throws -> [(
    name: String, sha256: String
)] {
    try (0..<count).map { index in
        let bytes = Pictures.png(width: 32, height: 32, seed: UInt64(index))
        let name = "\(prefix)\(index).png"
        try daemon.prepare(name, bytes)
        return (name, hexadecimal(Digest.sha256(bytes)))
    }
}
