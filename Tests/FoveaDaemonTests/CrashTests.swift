// The crash matrix: what a kill between any two of the ledger's system calls leaves on disk, and what a power cut makes
// of it, put together by hand; then recovery, twice. There must be exactly one result and nothing lost.

import FoveaControl
import FoveaDaemon
import FoveaSystem
import FoveaTestKit
import Glibc
import SystemPackage
import Testing

@Suite struct CrashTests {
    /// After which system call the daemon was killed.
    enum Moment: CaseIterable {
        case folderMade, claimed, committed, staged, documentPlaced, bothPlaced, spoolRemoved, marked
    }

    private func prepare(
        _ fixture: LedgerFixture, _ moment: Moment, name: String = "a/cat.png", path: String = "a/cat.png"
    ) throws -> Outcome? {
        let all = Moment.allCases
        func has(_ step: Moment) -> Bool { all.firstIndex(of: step)! <= all.firstIndex(of: moment)! }
        guard has(.claimed) else {
            try fixture.drop(name, "meow")
            try Files.makeDirectory(fixture.spool.appending(DropID(received: .now()).description))
            return nil
        }
        let image = try fixture.claim(name, "meow")
        let outcome = fixture.outcome(image)
        if has(.committed) { try fixture.appendToJournal([.commit(outcome)]) }
        let staged = fixture.outbox.pushing(FilePath(".fovea/\(outcome.id).json"))
        if has(.staged) { try Files.replace(staged, with: outcome.document + [0x0A]) }
        let target = fixture.outbox.pushing(FilePath("cat/\(path)"))
        if has(.documentPlaced) {
            try Files.makeDirectories(target.removingLastComponent())
            try Files.rename(staged, to: FilePath(target.string + ".json"))
        }
        if has(.bothPlaced) { try Files.rename(image.path, to: target) }
        if has(.spoolRemoved) { try Files.removeTree(fixture.spool.appending(outcome.id.description)) }
        if has(.marked) { try fixture.appendToJournal([.published(outcome.id, FilePath("cat/\(path)"))]) }
        return outcome
    }

    @Test(arguments: Moment.allCases) func aKillAfterEachStep(_ moment: Moment) throws {
        let fixture = try LedgerFixture()
        let outcome = try prepare(fixture, moment)
        for round in 0..<2 {
            let recovery = try fixture.restart()
            #expect(recovery.tornBytes == 0)
            switch moment {
            case .folderMade:
                #expect(recovery.images.isEmpty && recovery.outcomes.isEmpty)
                #expect(try fixture.files(fixture.inbox) == ["a/cat.png": "meow"])
                #expect(try fixture.isAtRest())
            case .claimed:
                #expect(recovery.images.map(\.file) == ["a/cat.png"] && recovery.images.map(\.id) == [outcome!.id])
                #expect(try Files.read(recovery.images[0].path) == Array("meow".utf8))
                #expect(try fixture.published().isEmpty)
            default:
                #expect(recovery.images.isEmpty)
                #expect(recovery.outcomes.map(\.path) == (round == 0 ? ["cat/a/cat.png"] : []))
                #expect(
                    try fixture.published()
                        == ["cat/a/cat.png": "meow", "cat/a/cat.png.json": text(outcome!.document)])
                #expect(try fixture.isAtRest())
            }
        }
    }

    /// The same where the recovery itself is killed before it has put the journal away.
    @Test(arguments: Moment.allCases.dropFirst(2)) func aKillDuringRecovery(_ moment: Moment) throws {
        let fixture = try LedgerFixture()
        let outcome = try #require(try prepare(fixture, moment))
        let journal = try Files.read(fixture.journal)
        for _ in 0..<3 {
            try fixture.restart()
            try Files.replace(fixture.journal, with: journal)
        }
        try fixture.restart()
        #expect(
            try fixture.published() == ["cat/a/cat.png": "meow", "cat/a/cat.png.json": text(outcome.document)])
        #expect(try fixture.isAtRest())
    }

    /// The name was taken, and other results have been taken away since: a publication is known by its document.
    @Test(arguments: Moment.allCases.dropFirst(4), [2, 12, 200])
    func aPublicationBehindAGap(_ moment: Moment, _ number: Int) throws {
        let fixture = try LedgerFixture()
        let outcome = try #require(try prepare(fixture, moment, name: "cat.png", path: "cat-\(number).png"))
        for _ in 0..<2 { try fixture.restart() }
        #expect(
            try fixture.published()
                == ["cat/cat-\(number).png": "meow", "cat/cat-\(number).png.json": text(outcome.document)])
        #expect(try fixture.isAtRest())
    }

    /// Published, unmarked, and already taken away by whoever waits for results: it must not come again.
    @Test func aPublicationThatWasTakenAway() throws {
        for taken in [["cat/cat.png", "cat/cat.png.json"], ["cat/cat.png.json"]] {
            for moment in [Moment.bothPlaced, .spoolRemoved, .marked] {
                let fixture = try LedgerFixture()
                _ = try prepare(fixture, moment, name: "cat.png", path: "cat.png")
                for path in taken { try Files.unlink(fixture.outbox.pushing(FilePath(path))) }
                for _ in 0..<2 { #expect(try fixture.restart().images.isEmpty) }
                #expect(try fixture.documents().isEmpty)
                #expect(try fixture.isAtRest())
            }
        }
    }

    @Test func aJournalWithATornEnd() throws {
        let whole = try LedgerFixture()
        let line = JournalRecord.commit(whole.outcome(try whole.claim("x.png", "x"))).line
        for cut in [1, 8, 9, 20, line.count / 2, line.count - 1] {
            let fixture = try LedgerFixture()
            let first = try #require(try prepare(fixture, .committed))
            let second = try fixture.claim("second.png", "second")
            let torn = JournalRecord.commit(fixture.outcome(second)).line.prefix(cut)
            let descriptor = try Files.open(fixture.journal, O_WRONLY | O_APPEND)
            try Files.write(torn, to: descriptor)
            try descriptor.close()
            let recovery = try fixture.restart()
            #expect(recovery.tornBytes == torn.count)
            #expect(recovery.outcomes.map(\.outcome) == [first])
            #expect(recovery.images.map(\.id) == [second.id], "what was not committed is classified again")
            #expect(try fixture.restart().tornBytes == 0)
        }
    }

    /// A sector of zeros in the middle ends the replay; what stands behind it was never promised... unless it was
    /// synced before: then its images are still in the spool or in the outbox, and none is lost.
    @Test func aJournalWithAHole() throws {
        let fixture = try LedgerFixture()
        let images = try (0..<5).map { try fixture.claim("\($0).png", "\($0)") }
        try fixture.appendToJournal(images.map { .commit(fixture.outcome($0)) })
        var bytes = try Files.read(fixture.journal)
        let third = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)[2].indices
        for index in third { bytes[index] = 0 }
        try Files.replace(fixture.journal, with: bytes)
        let recovery = try fixture.restart()
        #expect(recovery.outcomes.count == 2 && recovery.images.map(\.id) == images[2...].map(\.id).sorted())
        #expect(recovery.tornBytes > 0)
    }

    // MARK: - Power cuts

    enum Tear: CaseIterable {
        case empty, zeros, half
        func apply(_ bytes: [UInt8]) -> [UInt8] {
            switch self {
            case .empty: []
            case .zeros: [UInt8](repeating: 0, count: bytes.count)
            case .half: Array(bytes.prefix(bytes.count / 2))
            }
        }
    }

    /// A document whose rename reached the disk and whose content did not is written again, whether or not the mark
    /// reached the disk.
    @Test(arguments: [Moment.documentPlaced, .bothPlaced, .spoolRemoved, .marked], Tear.allCases)
    func aTornDocument(_ moment: Moment, _ tear: Tear) throws {
        let fixture = try LedgerFixture()
        let outcome = try #require(try prepare(fixture, moment, name: "cat.png", path: "cat.png"))
        try fixture.folder.write("outbox/cat/cat.png.json", tear.apply(outcome.document + [0x0A]))
        for _ in 0..<2 {
            try fixture.restart()
            #expect(try fixture.published() == ["cat/cat.png": "meow", "cat/cat.png.json": text(outcome.document)])
        }
        #expect(try fixture.isAtRest())
    }

    @Test(arguments: Tear.allCases) func manyTornDocumentsOfOneName(_ tear: Tear) throws {
        let fixture = try LedgerFixture()
        var expected: [String: String] = [:]
        for number in 1...12 {
            let path = number == 1 ? "cat.png" : "cat-\(number).png"
            let image = try fixture.claim("cat.png", String(repeating: "m", count: number))
            let outcome = fixture.outcome(image, says: "number \(number)")
            try fixture.appendToJournal([.commit(outcome)])
            if number % 3 == 0 { try fixture.appendToJournal([.published(outcome.id, FilePath("cat/\(path)"))]) }
            try fixture.folder.write("outbox/cat/\(path).json", tear.apply(outcome.document + [0x0A]))
            try Files.rename(image.path, to: fixture.outbox.pushing(FilePath("cat/\(path)")))
            try Files.removeTree(fixture.spool.appending(outcome.id.description))
            expected["cat/\(path)"] = String(repeating: "m", count: number)
            expected["cat/\(path).json"] = text(outcome.document)
        }
        for _ in 0..<2 {
            try fixture.restart()
            #expect(try fixture.published() == expected)
        }
    }

    /// A name that came free and was used again belongs to the one who has it now.
    @Test func aNameUsedAgainIsLeftAlone() throws {
        let fixture = try LedgerFixture()
        var documents: [String] = []
        // Longer documents first: what is shorter than expected is not torn because of it.
        for says in ["a long sentence that makes this document longer", "short"] {
            let outcome = fixture.outcome(try fixture.claim("cat.png", says), says: says)
            try fixture.ledger.commit([outcome])
            try fixture.ledger.publish { #expect($1 == "cat/cat.png" && $0 == outcome) }
            documents.append(text(outcome.document))
            if documents.count == 1 { try Files.removeTree(fixture.outbox.appending("cat")) }
        }
        // The ledger knew of the folder; somebody has removed it since.
        try fixture.restart()
        #expect(try fixture.published() == ["cat/cat.png": "short", "cat/cat.png.json": documents[1]])
        // And a document that its user has changed is the user's.
        let third = fixture.outcome(try fixture.claim("dog.png", "d"), says: "woof")
        try fixture.ledger.commit([third])
        try fixture.ledger.publish { _, _ in }
        try fixture.folder.write("outbox/cat/dog.png.json", Array("{}".utf8))
        try fixture.restart()
        #expect(try fixture.published()["cat/dog.png.json"] == "{}")
    }

    @Test func leftoversOfStagingGo() throws {
        let fixture = try LedgerFixture()
        try fixture.folder.write("outbox/.fovea/\(DropID(received: .now())).json", [1])
        try fixture.folder.write("outbox/.fovea/\(DropID(received: .now())).image", [1, 2])
        try fixture.restart()
        #expect(try fixture.isAtRest() && fixture.published().isEmpty)
    }

    /// A claim across file systems is a copy: one that was cut does not count.
    @Test func aHalfCopiedClaim() throws {
        let fixture = try LedgerFixture()
        try fixture.drop("cat.png", "whole")
        let id = DropID(received: .now())
        try fixture.folder.write("state/spool/.partial-\(id)", Array("wh".utf8))
        for _ in 0..<2 {
            #expect(try fixture.restart().images.isEmpty)
            #expect(try fixture.files(fixture.inbox) == ["cat.png": "whole"])
            #expect(try fixture.isAtRest())
        }
    }

    @Test func foreignThingsInTheSpoolStay() throws {
        let fixture = try LedgerFixture()
        try fixture.folder.write("state/spool/notes.txt", [1])
        #expect(try fixture.restart().images.isEmpty)
        #expect(try fixture.files(fixture.spool) == ["notes.txt": "\u{1}"])
    }

    /// Many images, killed at random moments, started again and again until all is done.
    @Test(arguments: 1...6) func manyImagesThroughManyKills(_ seed: UInt64) throws {
        let fixture = try LedgerFixture()
        var random = SplitMix64(seed: seed)
        var dropped = 0
        var waiting: [ClaimedImage] = []
        var kills = 0
        while true {
            let name = "d\(dropped % 3)/same.png"
            if dropped < 60, try Files.statusIfPresent(fixture.inbox.pushing(FilePath(name))) == nil {
                try fixture.drop(name, "image \(dropped)")
                dropped += 1
            }
            let files = try fixture.files(fixture.inbox).keys.sorted()
            if dropped == 60, files.isEmpty, waiting.isEmpty, fixture.ledger.unpublished.isEmpty { break }
            for name in files.prefix(Int.random(in: 0...7, using: &random)) {
                if let image = try fixture.ledger.claim(FilePath(name)) { waiting.append(image) }
            }
            if Int.random(in: 0..<3, using: &random) > 0 {
                let batch = waiting.prefix(Int.random(in: 0...6, using: &random))
                try fixture.ledger.commit(batch.map { fixture.outcome($0) })
                waiting.removeFirst(batch.count)
            }
            switch Int.random(in: 0..<4, using: &random) {
            case 0: try fixture.ledger.publish { _, _ in }
            case 1 where kills < 25:
                kills += 1
                waiting = try fixture.restart().images
            default: break
            }
        }
        try fixture.restart()
        let published = try fixture.published()
        #expect(Set(published.values.filter { $0.hasPrefix("image ") }) == Set((0..<60).map { "image \($0)" }))
        #expect(published.count == 120)
        #expect(try Set(fixture.documents()).count == 60 && fixture.isAtRest())
    }
}
