import FoveaDaemon
import FoveaSystem
import FoveaTestKit
import Glibc
import SystemPackage
import Testing

/// Readiness, with a clock that the test moves.
@Suite struct InboxTests {
    private let folder: TemporaryFolder
    private let second = 1_000_000_000

    init() throws { folder = try TemporaryFolder() }

    private func inbox() -> Inbox { Inbox(root: folder.path, settle: 2 * second) }

    private static let whole = SyntheticImage.gradient(width: 4, height: 4).png

    @Test func renamedInIsReadyAtOnce() throws {
        var inbox = inbox()
        try folder.write("a.png", [1])
        inbox.see("a.png", .renamedIn, now: 0)
        #expect(inbox.readyCount == 1 && inbox.settlingCount == 0 && inbox.firstReady == "a.png")
        #expect(inbox.takeReady(now: 0) == "a.png")
        #expect(inbox.takeReady(now: 0) == nil && inbox.readyCount == 0 && inbox.nextLook == nil)
    }

    @Test(arguments: [Inbox.Sighting.written, .found]) func othersSettle(_ sighting: Inbox.Sighting) throws {
        var inbox = inbox()
        try folder.write("a.txt", [1, 2, 3])
        inbox.see("a.txt", sighting, now: 100)
        #expect(inbox.readyCount == 0 && inbox.settlingCount == 1)
        #expect(inbox.nextLook == 100 + 2 * second)
        inbox.settle(now: 99 + 2 * second)
        #expect(inbox.readyCount == 0)
        inbox.settle(now: 100 + 2 * second)
        #expect(inbox.readyCount == 1 && inbox.settlingCount == 0 && inbox.nextLook == nil)
    }

    @Test func aGrowingFileWaits() throws {
        var inbox = inbox()
        var now = 0
        try folder.write("a.txt", [1])
        inbox.see("a.txt", .found, now: now)
        for length in 2..<10 {
            try folder.write("a.txt", [UInt8](repeating: 1, count: length))
            now += 2 * second
            inbox.settle(now: now)
            #expect(inbox.readyCount == 0, "taken while it grew")
        }
        inbox.settle(now: now + 2 * second)
        #expect(inbox.takeReady(now: 0) == "a.txt")
    }

    @Test func aGoodEndingShortensTheWait() throws {
        var inbox = inbox()
        try folder.write("a.png", Self.whole)
        try folder.write("half.png", Self.whole.dropLast())
        try folder.write("b.jpg", SyntheticImage.gradient(width: 4, height: 4).jpeg)
        for name in ["a.png", "half.png", "b.jpg"] { inbox.see(FilePath(name), .written, now: 0) }
        inbox.settle(now: second / 10)
        #expect(inbox.readyCount == 2 && inbox.settlingCount == 1)
        // And never gates: what does not end well is taken too.
        inbox.settle(now: 2 * second)
        #expect(
            [inbox.takeReady(now: 0), inbox.takeReady(now: 0), inbox.takeReady(now: 0)] == [
                "a.png", "b.jpg", "half.png",
            ])
    }

    @Test func aGoodEndingDoesNotHelpAFileThatChanges() throws {
        var inbox = inbox()
        try folder.write("a.png", Self.whole)
        inbox.see("a.png", .written, now: 0)
        try folder.write("a.png", Self.whole + [1, 2, 3])
        inbox.settle(now: second)
        #expect(inbox.readyCount == 0)
        inbox.settle(now: 3 * second - 1)
        #expect(inbox.readyCount == 0)
        inbox.settle(now: 3 * second)
        #expect(inbox.readyCount == 1)
    }

    @Test func aDeletedFileIsForgotten() throws {
        var inbox = inbox()
        let path = try folder.write("a.txt", [1])
        inbox.see("a.txt", .found, now: 0)
        try Files.unlink(path)
        inbox.settle(now: 5 * second)
        #expect(inbox.readyCount == 0 && inbox.settlingCount == 0)
        inbox.see("never.png", .renamedIn, now: 0)
        #expect(inbox.readyCount == 0 && inbox.settlingCount == 0)
    }

    @Test func sightingsOfOneFileAreOneFile() throws {
        var inbox = inbox()
        try folder.write("a.txt", [1])
        for _ in 0..<3 { inbox.see("a.txt", .found, now: 0) }
        // A writer that closes again begins the wait again; a scan does not.
        inbox.see("a.txt", .written, now: second)
        inbox.see("a.txt", .found, now: 2 * second)
        inbox.settle(now: 2 * second)
        #expect(inbox.readyCount == 0 && inbox.settlingCount == 1)
        inbox.settle(now: 3 * second)
        for sighting in [Inbox.Sighting.renamedIn, .written, .found] { inbox.see("a.txt", sighting, now: 4 * second) }
        #expect(inbox.readyCount == 1 && inbox.settlingCount == 0)
        #expect(inbox.takeReady(now: 0) == "a.txt" && inbox.takeReady(now: 0) == nil)
        inbox.settle(now: 9 * second)
        #expect(inbox.readyCount == 0)
    }

    @Test func aRenameEndsTheWaiting() throws {
        var inbox = inbox()
        try folder.write("a.txt", [1])
        inbox.see("a.txt", .found, now: 0)
        inbox.see("a.txt", .renamedIn, now: 1)
        #expect(inbox.readyCount == 1 && inbox.settlingCount == 0)
        inbox.settle(now: 5 * second)
        #expect(inbox.readyCount == 1)
    }

    @Test func onlyRegularFiles() throws {
        var inbox = inbox()
        try folder.write("folder.png/inside.png", [1])
        #expect(symlink("/etc/passwd", folder.path.appending("link.png").string) == 0)
        #expect(mkfifo(folder.path.appending("fifo.png").string, 0o600) == 0)
        for name in ["folder.png", "link.png", "fifo.png"] {
            inbox.see(FilePath(name), .renamedIn, now: 0)
            inbox.see(FilePath(name), .found, now: 0)
        }
        inbox.settle(now: 9 * second)
        #expect(inbox.readyCount == 0 && inbox.settlingCount == 0)
    }

    @Test func orderIsKeptThroughManyFiles() throws {
        var inbox = inbox()
        var taken: [FilePath] = []
        let names = (0..<6000).map { FilePath("f\($0)") }
        for name in names { try folder.write(name.string, []) }
        for (index, name) in names.enumerated() {
            inbox.see(name, .renamedIn, now: 0)
            if index % 3 == 0, let file = inbox.takeReady(now: 0) { taken.append(file) }
        }
        while let file = inbox.takeReady(now: 0) { taken.append(file) }
        #expect(taken == names)
    }

    @Test func queueKeepsItsOrder() {
        var queue = Queue<Int>()
        var expected: [Int] = []
        var taken: [Int] = []
        for number in 0..<20_000 {
            queue.append(number)
            if number % 7 != 0 { taken.append(queue.removeFirst()) }
        }
        expected = Array(0..<taken.count)
        #expect(taken == expected)
        let rest = Array(queue.all)
        queue.prepend(contentsOf: [-2, -1])
        #expect(Array(queue.all) == [-2, -1] + rest && queue.count == rest.count + 2 && queue.first == -2)
    }

    /// Somebody writes over a file that waits, without giving it another name.
    @Test func aReadyFileThatIsWrittenAgainSettlesAgain() throws {
        var inbox = inbox()
        try folder.write("a.txt", [1])
        inbox.see("a.txt", .renamedIn, now: 0)
        try folder.write("a.txt", [1, 2])
        #expect(inbox.takeReady(now: 5) == nil && inbox.readyCount == 0 && inbox.settlingCount == 1)
        inbox.settle(now: 5 + 2 * second)
        #expect(inbox.takeReady(now: 6 + 2 * second) == "a.txt")
    }

    @Test func aReadyFileThatIsReplacedByAnotherStaysReady() throws {
        var inbox = inbox()
        try folder.write("a.txt", [1])
        inbox.see("a.txt", .renamedIn, now: 0)
        try folder.write("b.tmp", [1, 2])
        try Files.rename(folder.path.appending("b.tmp"), to: folder.path.appending("a.txt"))
        inbox.see("a.txt", .renamedIn, now: 0)
        #expect(inbox.readyCount == 1 && inbox.takeReady(now: 0) == "a.txt")
    }

    @Test func aReadyFileThatIsGoneIsPassed() throws {
        var inbox = inbox()
        for name in ["a", "b"] {
            try folder.write(name, [1])
            inbox.see(FilePath(name), .renamedIn, now: 0)
        }
        try Files.unlink(folder.path.appending("a"))
        #expect(inbox.takeReady(now: 0) == "b" && inbox.readyCount == 0 && inbox.settlingCount == 0)
    }

    @Test func aRefusedFileIsLeftAloneForAMinute() throws {
        var inbox = inbox()
        try folder.write("a.txt", [1])
        inbox.see("a.txt", .renamedIn, now: 0)
        _ = inbox.takeReady(now: 0)
        inbox.refuse("a.txt", "no rights", now: 0)
        #expect(inbox.refusedCount == 1 && inbox.readyCount == 0 && inbox.settlingCount == 0)
        #expect(inbox.describe("a.txt")?.contains("no rights") == true)
        inbox.see("a.txt", .found, now: 59 * second)
        #expect(inbox.refusedCount == 1 && inbox.settlingCount == 0)
        inbox.see("a.txt", .found, now: 60 * second)
        #expect(inbox.refusedCount == 0 && inbox.settlingCount == 1)
        inbox.refuse("a.txt", "no rights", now: 61 * second)
        try Files.unlink(folder.path.appending("a.txt"))
        inbox.forgetGone()
        #expect(inbox.refusedCount == 0 && inbox.settlingCount == 0 && inbox.describe("a.txt") == nil)
    }
}
