import FoundationEssentials
import FoveaControl
import FoveaHistory
import FoveaSystem
import FoveaTestKit
import GRDB
import Glibc
import Logging
import SystemPackage
import Testing

@Suite struct HistoryTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func open(keep: Duration = .seconds(365 * 86400)) throws -> History {
        let history = try History(state: folder.path, keep: keep, log: Logger(label: "test") { _ in SilentHandler() })
        history.start()
        return history
    }

    private func entry(_ file: String, path: String, received: Timestamp = .now(), id: String? = nil) -> HistoryEntry {
        HistoryEntry(
            id: id ?? Self.newID(), file: file, state: "classified", path: path,
            label: "cat", confidence: 0.875, model: "tiny@1", sha256: "00ff", bytes: 123, reason: nil,
            received: received, published: Timestamp(milliseconds: received.milliseconds + 20),
            timings: "decode 1.0 ms")
    }

    /// Any text that no other image has.
    private static func newID() -> String { String(UInt64.random(in: 0 ... .max), radix: 36) }

    /// The writer is a thread of its own: waits until it has written.
    private func why(_ history: History, _ name: String) throws -> WhyAnswer? {
        for _ in 0..<500 {
            if let answer = try history.why(name) { return answer }
            usleep(10_000)
        }
        return nil
    }

    @Test func tellsAnImagesStory() throws {
        let history = try open()
        let image = entry("a/cat.png", path: "cat/a/cat.png")
        history.note("worker lost", "signal 9", image: image.id, time: image.received)
        history.note([image])
        for name in ["a/cat.png", "cat/a/cat.png", "cat.png", image.id] {
            let answer = try #require(try why(history, name), "\(name)")
            #expect(answer.id == image.id && answer.file == "a/cat.png")
            #expect(answer.events.map(\.what) == ["received", "worker lost", "classified", "published"])
            #expect(answer.events[0].detail.contains("123 bytes"))
            #expect(answer.events[2].detail.contains("cat, 87.5 %, by tiny@1"))
            #expect(answer.events[3].detail == "cat/a/cat.png")
        }
        for name in ["at.png", "c%.png", "_at.png", "dog.png", "' OR 1=1 --"] { #expect(try history.why(name) == nil) }
        history.stop()
    }

    @Test func theNewestOfSeveral() throws {
        let history = try open()
        let times = [1000, 3000, 2000].map { Timestamp(milliseconds: Timestamp.now().milliseconds + $0) }
        let images = times.map { entry("cat.png", path: "cat/cat-\($0.milliseconds).png", received: $0) }
        history.note(images)
        history.stop()
        #expect(try history.why("cat.png")?.id == images[1].id)
    }

    @Test func theSameImageTwiceIsOneEntry() throws {
        let history = try open()
        var image = entry("cat.png", path: "")
        history.note([image])
        image.path = "cat/cat.png"
        history.note([image])
        history.stop()
        #expect(try history.why(image.id)?.events.last?.detail == "cat/cat.png")
    }

    @Test func staysOverARestart() throws {
        #expect(!FilePath(folder.path.string).isEmpty)
        let first = try open()
        #expect(first.isNew)
        first.note([entry("cat.png", path: "cat/cat.png")])
        first.stop()
        let second = try open()
        #expect(!second.isNew)
        #expect(try second.why("cat.png") != nil)
        second.stop()
    }

    @Test func isFilledAgainFromTheOutbox() throws {
        let outbox = try TemporaryFolder()
        let id = Self.newID()
        let error = ErrorRecord(
            id: id, file: "x/half.png", sha256: nil, bytes: 9, reason: "corrupt", message: "It is cut.",
            received: .now(), published: .now(), attempts: 1, model: nil)
        try outbox.write("failed/x/half.png", [1])
        try outbox.write("failed/x/half.png.error.json", error.json() + [0x0A])
        try outbox.write("cat/other.json", Array("{\"schema\":\"somebody's\"}".utf8))
        try outbox.write("cat/broken.png.json", [0x7B])
        let history = try open()
        history.rebuild(from: outbox.path)
        history.stop()
        let answer = try #require(try history.why("x/half.png"))
        #expect(answer.id == id)
        #expect(answer.events.map(\.what) == ["received", "failed", "published"])
        #expect(answer.events[1].detail == "It is cut. [corrupt]")
        #expect(answer.events[2].detail == "failed/x/half.png")
    }

    @Test func tellsOfAnUnknownImage() throws {
        let history = try open()
        var image = entry("odd.png", path: "unknown/odd.png")
        (image.state, image.unknown) = ("unknown", 1.3125)
        history.note([image])
        history.stop()
        let events = try #require(try history.why("odd.png")).events
        #expect(events.map(\.what) == ["received", "unknown", "published"])
        #expect(events[1].detail.contains("cat, 87.5 %, by tiny@1; unknown-ness 1.31"), "\(events[1].detail)")
        let reader = try #require(try HistoryReader(state: folder.path))
        #expect(try reader.result(sha256: "00ff")?.unknown == 1.3125)
    }

    /// A history of a version before there were unknown images is read, and written on.
    @Test func anOlderHistoryIsCarriedOn() throws {
        let old = try DatabaseQueue(path: folder.path.appending("history.sqlite").string)
        try old.write { db in
            try db.execute(
                sql: """
                    CREATE TABLE images (
                        id TEXT PRIMARY KEY, file TEXT NOT NULL, state TEXT NOT NULL, path TEXT NOT NULL,
                        label TEXT, confidence REAL, model TEXT, sha256 TEXT, bytes INTEGER NOT NULL, reason TEXT,
                        received INTEGER NOT NULL, published INTEGER NOT NULL, timings TEXT) WITHOUT ROWID;
                    CREATE TABLE events (
                        time INTEGER NOT NULL, image TEXT, what TEXT NOT NULL, detail TEXT NOT NULL);
                    """)
            try db.execute(
                sql:
                    "INSERT INTO images VALUES ('i', 'a.png', 'classified', 'cat/a.png', 'cat', 0.5, 'm@1', 'aa', 1, NULL, ?, ?, 't')",
                arguments: [Timestamp.now().milliseconds, Timestamp.now().milliseconds])
        }
        try old.close()
        let reader = try #require(try HistoryReader(state: folder.path))
        #expect(try reader.latest(1).map(\.file) == ["a.png"] && reader.latest(1)[0].unknown == nil)
        let history = try open()
        #expect(!history.isNew)
        history.note([entry("new.png", path: "cat/new.png")])
        history.stop()
        for name in ["a.png", "new.png"] { #expect(try history.why(name) != nil) }
    }

    @Test func aDamagedFileIsPutAside() throws {
        let damaged = [UInt8](repeating: 0x5A, count: 20_000)
        try folder.write("history.sqlite", damaged)
        let history = try open()
        #expect(history.isNew, "it must be filled again")
        #expect(try Files.read(folder.path.appending("history.sqlite.damaged")) == damaged)
        history.note([entry("cat.png", path: "cat/cat.png")])
        #expect(try why(history, "cat.png") != nil)
        history.stop()
    }

    /// What retraining and comparing ask.
    @Test func isReadByOthersWhileItIsWritten() throws {
        let history = try open()
        var images = (0..<5).map { number in
            entry(
                "\(number).png", path: "cat/\(number).png",
                received: Timestamp(milliseconds: Timestamp.now().milliseconds + number))
        }
        images[3].sha256 = "ab12"
        images[4].state = "failed"
        images[4].label = nil
        history.note(images)
        history.stop()
        let reader = try #require(try HistoryReader(state: folder.path))
        #expect(try reader.latest(2).map(\.file) == ["3.png", "2.png"])
        #expect(try reader.result(sha256: "ab12")?.path == "cat/3.png")
        #expect(try reader.result(sha256: "ab13") == nil)
        #expect(try HistoryReader(state: folder.path.appending("nowhere")) == nil)
    }

    @Test func oldOnesArePruned() throws {
        let old = entry("old.png", path: "cat/old.png", received: Timestamp(milliseconds: 1_600_000_000_000))
        let first = try open()
        first.note([entry("new.png", path: "cat/new.png")])
        // Pruning comes after the first writing, so this one is written by a first run and pruned by a second.
        first.note([old])
        first.stop()
        let second = try open(keep: .seconds(86400))
        for _ in 0..<500 where try second.why("old.png") != nil {
            second.note("tick", "")
            usleep(10_000)
        }
        #expect(try second.why("old.png") == nil)
        #expect(try second.why("new.png") != nil)
        second.stop()
    }
}

/// Says nothing.
private struct SilentHandler: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.critical
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }
    func log(event: LogEvent) {}
}
