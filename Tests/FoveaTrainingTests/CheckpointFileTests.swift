import FoveaCLI
import FoveaSystem
import FoveaTestKit
import FoveaTraining
import SystemPackage
import Testing

/// Swift Testing has a type of this name.
private typealias ExitStatus = FoveaSystem.ExitStatus

/// One training at a time, and nothing is lost that somebody may need.
@Suite struct CheckpointFileTests {
    private let folder: TemporaryFolder
    private let path: FilePath

    init() throws {
        folder = try TemporaryFolder()
        path = folder.path.pushing("training/a.checkpoint")
    }

    private func status(_ body: () throws -> Void) -> ExitStatus {
        do {
            try body()
            return .success
        } catch {
            return Failure(error).status
        }
    }

    @Test func aSecondTrainingIsKeptAway() throws {
        let file = CheckpointFile(path: path, name: "a")
        var inner = ExitStatus.success
        try file.locked { inner = status { try file.locked {} } }
        #expect(inner == .tryAgain)
        #expect(status { try file.locked {} } == .success, "the lock is given back")
        #expect(try Files.list(path.removingLastComponent()).isEmpty, "a lock was left behind")
    }

    @Test func nothingIsWrittenOverWhatIsThere() throws {
        let file = CheckpointFile(path: path, name: "a")
        try Files.makeDirectories(path.removingLastComponent())
        try Files.replace(path, with: Array("letters".utf8))
        var hasRun = false
        #expect(status { try file.locked { hasRun = true } } == .cannotCreate)
        #expect(!hasRun)
        #expect(try Files.read(path) == Array("letters".utf8))
        // Who goes on from it may replace it.
        let resuming = CheckpointFile(path: path, resumed: path, name: "a")
        try resuming.locked { hasRun = true }
        #expect(hasRun)
        #expect(throws: UnusableCheckpoint.self) { try resuming.settings(in: try resuming.read() ?? []) }
    }

    /// Of a training that was killed while it wrote.
    @Test func halfAFileIsClearedAway() throws {
        let file = CheckpointFile(path: path, name: "a")
        try Files.makeDirectories(path.removingLastComponent())
        try Files.replace(file.sibling("other"), with: [1])
        try file.locked {}
        #expect(try Files.list(path.removingLastComponent()).map(\.string) == [".a.checkpoint.other"])
    }
}
