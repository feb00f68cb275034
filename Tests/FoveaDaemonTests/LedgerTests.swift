import FoveaControl
import FoveaDaemon
import FoveaSystem
import FoveaTestKit
import Glibc
import SystemPackage
import Testing

@Suite struct LedgerTests {
    private let fixture: LedgerFixture

    init() throws { fixture = try LedgerFixture() }

    /// Claims, commits and publishes; the paths told.
    @discardableResult
    private func process(_ images: [ClaimedImage], label: String = "cat") throws -> [String] {
        var paths: [String] = []
        try fixture.ledger.commit(images.map { fixture.outcome($0, label: label) })
        try fixture.ledger.publish { paths.append($1.escaped) }
        return paths
    }

    @Test func oneImageGoesAllTheWay() throws {
        let image = try fixture.claim("a/b/cat.png", "meow")
        #expect(image.file == "a/b/cat.png" && image.path.starts(with: fixture.spool))
        #expect(try fixture.files(fixture.inbox).isEmpty, "it is still in the inbox")
        #expect(try fixture.published().isEmpty)
        let outcome = fixture.outcome(image)
        try fixture.ledger.commit([outcome])
        #expect(fixture.ledger.unpublished == [outcome])
        #expect(try fixture.published().isEmpty)
        var told: [(Outcome, FilePath)] = []
        try fixture.ledger.publish { told.append(($0, $1)) }
        #expect(told.count == 1 && told[0].0 == outcome && told[0].1 == "cat/a/b/cat.png")
        #expect(
            try fixture.published() == ["cat/a/b/cat.png": "meow", "cat/a/b/cat.png.json": text(outcome.document)])
        #expect(try fixture.isAtRest())
        // Emptied folders of the inbox stay: they are their owner's.
        #expect(try Files.status(fixture.inbox.pushing("a/b")).isDirectory)
    }

    @Test func failedOnesHaveTheirOwnSuffix() throws {
        #expect(try process([try fixture.claim("x.png", "x")], label: "failed") == ["failed/x.png"])
        #expect(try Set(fixture.published().keys) == ["failed/x.png", "failed/x.png.error.json"])
    }

    @Test func whatIsNotThereIsNotClaimed() throws {
        #expect(try fixture.ledger.claim("none.png") == nil)
        #expect(symlink("/etc/passwd", fixture.inbox.appending("link").string) == 0)
        #expect(mkfifo(fixture.inbox.appending("fifo").string, 0o600) == 0)
        try Files.makeDirectory(fixture.inbox.appending("x.png"))
        for name in ["link", "fifo", "x.png"] { #expect(try fixture.ledger.claim(FilePath(name)) == nil) }
        #expect(try Files.list(fixture.spool).isEmpty)
    }

    @Test func namesTakenGetNumbers() throws {
        let paths = try (0..<4).map { try process([try fixture.claim("cat.png", "\($0)")])[0] }
        #expect(paths == ["cat/cat.png", "cat/cat-2.png", "cat/cat-3.png", "cat/cat-4.png"])
        for (number, path) in paths.enumerated() { #expect(try fixture.published()[path] == "\(number)") }
        #expect(try fixture.documents().count == 4)
    }

    @Test func anImageOrADocumentAloneTakesTheName() throws {
        try fixture.folder.write("outbox/cat/cat.png", Array("mine".utf8))
        try fixture.folder.write("outbox/cat/cat-2.png.json", Array("mine".utf8))
        #expect(try process([try fixture.claim("cat.png", "c")]) == ["cat/cat-3.png"])
        #expect(try fixture.published()["cat/cat.png"] == "mine")
        #expect(try fixture.published()["cat/cat-2.png.json"] == "mine")
    }

    @Test func manyOfOneName() throws {
        var images: [ClaimedImage] = []
        for number in 0..<150 { images.append(try fixture.claim("image.png", "\(number)")) }
        let paths = try process(images)
        #expect(Set(paths).count == 150)
        #expect(Set(paths) == Set((1...150).map { $0 == 1 ? "cat/image.png" : "cat/image-\($0).png" }))
        let published = try fixture.published()
        for (number, path) in paths.enumerated() { #expect(published[path] == "\(number)") }
        #expect(published.count == 300)
        #expect(try Set(fixture.documents()) == Set(images.map(\.id.description)))
    }

    @Test func namesThatAreNotText() throws {
        let file = FilePath(bytes: [0xFF, 0x2F, 0xE4, 0x2E, 0x70, 0x6E, 0x67])
        try Files.makeDirectory(fixture.inbox.pushing(file).removingLastComponent())
        try Files.replace(fixture.inbox.pushing(FilePath(bytes: [0xFF, 0x2F, 0x78])), with: [1])
        try Files.rename(fixture.inbox.pushing(FilePath(bytes: [0xFF, 0x2F, 0x78])), to: fixture.inbox.pushing(file))
        let image = try #require(try fixture.ledger.claim(file))
        try fixture.ledger.commit([fixture.outcome(image)])
        #expect(try fixture.restart().outcomes.first?.path.bytes == Array("cat/".utf8) + file.bytes)
        #expect(try Files.read(fixture.outbox.appending("cat").pushing(file)) == [1])
    }

    @Test func veryLongNamesKeepTheirDocument() throws {
        let name = String(repeating: "n", count: 246) + ".png"
        let paths = try process([try fixture.claim(name, "1"), try fixture.claim(name, "2")])
        #expect(Set(paths).count == 2)
        #expect(try fixture.documents().count == 2 && fixture.isAtRest())
    }

    /// What was a file's name may become a folder's name: the image behind it must not hold up all others.
    @Test func aFolderThatIsAFileInTheOutbox() throws {
        try process([try fixture.claim("a", "file")])
        try Files.makeDirectory(fixture.inbox.appending("a"))
        let path = try process([try fixture.claim("a/cat.png", "deep")])[0]
        #expect(try fixture.published()[path] == "deep")
        #expect(try fixture.published()["cat/a"] == "file")
        #expect(try fixture.documents().count == 2 && fixture.isAtRest())
        #expect(try fixture.restart().images.isEmpty)
        #expect(try fixture.documents().count == 2)
    }

    @Test func unclaimPutsItBack() throws {
        let image = try fixture.claim("a/cat.png", "first")
        try fixture.drop("a/cat.png", "second")
        try fixture.ledger.unclaim(image)
        #expect(try fixture.files(fixture.inbox) == ["a/cat.png": "second", "a/cat-2.png": "first"])
        #expect(try Files.list(fixture.spool).isEmpty)
    }

    @Test func anImageTakenOutOfTheSpoolKeepsItsResult() throws {
        let image = try fixture.claim("cat.png", "c")
        try Files.unlink(image.path)
        #expect(try process([image]) == ["cat/cat.png"])
        #expect(try fixture.documents() == [image.id.description])
        #expect(try fixture.isAtRest())
    }

    @Test func compactionKeepsWhatIsNotPublished() throws {
        fixture.ledger.compactionSize = 0
        for number in 0..<20 { try process([try fixture.claim("\(number).png", "x")]) }
        let waiting = try fixture.claim("w.png", "w")
        try fixture.ledger.commit([fixture.outcome(waiting)])
        let before = try Files.status(fixture.journal).size
        try fixture.ledger.compact()
        let lines = try Files.read(fixture.journal).split(separator: 0x0A)
        #expect(try Files.status(fixture.journal).size < before)
        #expect(lines.map { JournalRecord(line: $0) } == [.commit(fixture.outcome(waiting))])
        try fixture.restart()
        #expect(try fixture.documents().count == 21)
    }

    // MARK: - Disks that fail

    @Test func aCommitThatFailsSucceedsLater() throws {
        let first = fixture.outcome(try fixture.claim("a.png", "a"))
        let second = fixture.outcome(try fixture.claim("b.png", "b"))
        try fixture.ledger.commit([first])
        // A folder in the journal's place, which no rename replaces; the open journal is closed by making it fail.
        try Files.unlink(fixture.journal)
        try Files.makeDirectory(fixture.journal)
        try Files.replace(fixture.journal.appending("x"), with: [])
        #expect(throws: SystemError.self) { try fixture.ledger.compact(always: true) }
        #expect(throws: SystemError.self) { try fixture.ledger.commit([second]) }
        #expect(fixture.ledger.unpublished == [first], "what is not on disk must not be published")
        #expect(throws: SystemError.self) { try fixture.ledger.commit([second]) }

        try Files.removeTree(fixture.journal)
        try fixture.ledger.commit([second])
        #expect(fixture.ledger.unpublished == [first, second])
        try fixture.restart()
        #expect(try fixture.documents() == [first, second].map(\.id.description).sorted())
        #expect(try fixture.isAtRest())
    }

    private func publish() throws -> [String] {
        var paths: [String] = []
        try fixture.ledger.publish { paths.append($1.escaped) }
        return paths
    }

    /// A place in the outbox that cannot be had holds up only what belongs there.
    @Test func othersPassWhatCannotBePlaced() throws {
        let images = try (0..<6).map { try fixture.claim("c\($0).png", "\($0)") }
        try fixture.ledger.commit(images.map { fixture.outcome($0, label: $0.file.bytes[1] % 2 == 0 ? "cat" : "dog") })
        // Where the label's folder should be there is a file.
        try Files.replace(fixture.outbox.appending("cat"), with: [])
        #expect(try publish() == ["dog/c1.png", "dog/c3.png", "dog/c5.png"])
        #expect(fixture.ledger.unpublished.isEmpty)
        #expect(fixture.ledger.held.map(\.outcome.file) == ["c0.png", "c2.png", "c4.png"])
        #expect(fixture.ledger.held.allSatisfy { $0.reason.description.contains("cat") })
        for _ in 0..<2 {
            fixture.ledger.retryHeld()
            #expect(try publish().isEmpty && fixture.ledger.held.count == 3)
        }
        try fixture.ledger.compact(always: true)
        try Files.unlink(fixture.outbox.appending("cat"))
        fixture.ledger.retryHeld()
        #expect(try publish() == ["cat/c0.png", "cat/c2.png", "cat/c4.png"])
        #expect(try fixture.documents() == images.map(\.id.description).sorted() && fixture.isAtRest())
        #expect(fixture.ledger.held.isEmpty)
    }

    /// Nor does it keep the daemon from starting, and it is not classified a second time.
    @Test func whatCannotBePlacedIsHeldAcrossStarts() throws {
        let images = try ["a.png", "b.png"].map { try fixture.claim($0, $0) }
        try fixture.ledger.commit([
            fixture.outcome(images[0], label: "cat"), fixture.outcome(images[1], label: "dog"),
        ])
        try Files.replace(fixture.outbox.appending("cat"), with: [])
        for round in 0..<3 {
            let recovery = try fixture.restart()
            #expect(recovery.outcomes.map(\.path) == (round == 0 ? ["dog/b.png"] : []))
            #expect(recovery.images.isEmpty)
            #expect(fixture.ledger.held.map(\.outcome.id) == [images[0].id])
        }
        try Files.unlink(fixture.outbox.appending("cat"))
        #expect(try fixture.restart().outcomes.map(\.path) == ["cat/a.png"])
        #expect(try fixture.documents() == images.map(\.id.description).sorted() && fixture.isAtRest())
    }

    /// A path that the inbox could have and the outbox cannot, its own path being longer.
    @Test func veryLongPathsLoseTheirFolders() throws {
        // As long as a path may be in the spool, below a folder with its drop's name; in the outbox it is below one
        // with the label's, which is longer.
        let label = String(repeating: "c", count: 200)
        let longest = Int(PATH_MAX) - 1 - (fixture.spool.bytes.count + 28)
        let name = "cat.png"
        var folders = ""
        while longest - folders.utf8.count - name.utf8.count > 1 {
            let length = min(200, longest - folders.utf8.count - name.utf8.count - 1)
            folders += String(repeating: "d", count: length) + "/"
        }
        let file = FilePath(folders + name)
        #expect(file.bytes.count >= longest - 1)
        let image = ClaimedImage(id: DropID(received: .now()), file: file, path: fixture.spool)
        try fixture.ledger.commit([fixture.outcome(image, label: label)])
        #expect(try publish() == ["\(label)/cat.png"], "held: \(fixture.ledger.held)")
    }

    /// The document is in place and the image cannot follow: trying again must not file a second document.
    @Test func anImageThatCannotBeMovedIsNotPublishedTwice() throws {
        // A name so long that it has a folder of its own in the spool.
        let name = String(repeating: "n", count: 240) + ".png"
        let image = try fixture.claim(name, "c")
        try fixture.ledger.commit([fixture.outcome(image)])
        // Its folder in the spool is a file now: the move fails with ENOTDIR.
        let (root, aside) = (fixture.spool.appending(image.id.description), fixture.state.appending("aside"))
        try Files.rename(root, to: aside)
        try Files.replace(root, with: [])
        for _ in 0..<3 {
            #expect(try publish().isEmpty && fixture.ledger.held.count == 1)
            fixture.ledger.retryHeld()
        }
        #expect(try fixture.documents().count <= 1)
        try Files.unlink(root)
        try Files.rename(aside, to: root)
        #expect(try publish() == ["cat/\(name)"])
        #expect(try Set(fixture.published().keys) == ["cat/\(name)", "cat/\(name).json"])
        #expect(try fixture.isAtRest())
    }

    @Test func aDiskThatIsFullAtTheStartKeepsTheOldJournal() throws {
        let fixture = try LedgerFixture()
        // A file where its folder belongs, so that the journal has something to keep.
        try fixture.folder.write("outbox/dog", [])
        let (image, stuck) = (try fixture.claim("a.png", "A"), try fixture.claim("b.png", "B"))
        try fixture.ledger.commit([fixture.outcome(image), fixture.outcome(stuck, label: "dog")])
        let before = try Files.read(fixture.journal)
        // Where the new journal would be written, every write fails for want of space.
        let temporary = fixture.state.appending(".journal.\(getpid()).tmp")
        #expect(symlink("/dev/full", temporary.string) == 0)
        let recovery = try fixture.restart()
        #expect(recovery.postponed?.errno == .noSpace)
        #expect(recovery.outcomes.map(\.outcome.id) == [image.id])
        #expect(try Files.read(fixture.journal) == before)
        // There is space again, and room for the other: nothing is done twice.
        try Files.unlink(fixture.outbox.appending("dog"))
        let second = try fixture.restart()
        #expect(second.postponed == nil && second.outcomes.map(\.outcome.id) == [image.id, stuck.id])
        #expect(second.outcomes.first?.path == recovery.outcomes.first?.path)
        #expect(try Files.list(fixture.outbox.appending("cat")).count == 2)
        #expect(try Files.list(fixture.outbox.appending("dog")).count == 2)
    }
}
