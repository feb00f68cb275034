// The history: what happened to every image, for `why`, `status` and the curious with sqlite3.
//
// It is not authoritative. The journal and the documents in the outbox are; a lost history is filled again from the
// outbox. So it may lag behind by a moment, it is written by a thread of its own, off the path of the images, and an
// error here costs a log line and never an image.

import FoundationEssentials
import FoveaControl
import FoveaSystem
import GRDB
import Glibc
import Logging
import Synchronization
import SystemPackage

/// See the head of this file. Safe from any thread: what waits is behind a lock, the database belongs to the thread.
package final class History: Sendable {
    private enum Item: Sendable {
        case image(HistoryEntry)
        case event(image: String?, time: Timestamp, what: String, detail: String)
    }

    private struct State {
        var waiting: [Item] = []
        var isStopped = false
        var isIdle = true
    }

    private let state = Mutex(State())
    private let wakeUp: WakeUp
    private let database: DatabaseQueue
    private let keep: Duration
    private let log: Logger
    /// Whether the file was begun by this start, so that it should be filled from the outbox.
    package let isNew: Bool

    /// Opens `history.sqlite`; a damaged one is moved aside and a new one made. Where there can be none (no rights, no
    /// space), it is kept in memory: images are classified without it.
    ///
    /// - Parameter keep: images received longer ago are removed.
    package init(state folder: FilePath, keep: Duration, log: Logger) throws {
        let path = folder.appending("history.sqlite")
        let isMissing = try Files.statusIfPresent(path) == nil
        self.keep = keep
        self.log = log
        wakeUp = try WakeUp()
        do {
            do {
                database = try Self.open(path.string)
                isNew = isMissing
            } catch let error as DatabaseError where [.SQLITE_CORRUPT, .SQLITE_NOTADB].contains(error.resultCode) {
                log.warning("\(path.escaped) is damaged (\(error)); it is kept as history.sqlite.damaged, begun anew")
                try Files.rename(path, to: folder.appending("history.sqlite.damaged"))
                for suffix in ["-wal", "-shm"] { try? Files.unlink(folder.appending("history.sqlite" + suffix)) }
                database = try Self.open(path.string)
                isNew = true
            }
        } catch {
            log.error(
                """
                \(path.escaped) cannot be opened (\(error)): until the next start, 'foveactl why' knows only what \
                happened since this one. Let fovead write that file, or move it away.
                """)
            database = try Self.open(":memory:")
            isNew = false
        }
    }

    private static func open(_ path: String) throws -> DatabaseQueue {
        var configuration = GRDB.Configuration()
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA journal_mode = WAL")
            try db.execute(sql: "PRAGMA synchronous = NORMAL")
        }
        configuration.busyMode = .timeout(5)
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        try queue.write { db in
            try db.execute(
                sql: """
                    CREATE TABLE IF NOT EXISTS images (
                        id TEXT PRIMARY KEY, file TEXT NOT NULL, state TEXT NOT NULL, path TEXT NOT NULL,
                        label TEXT, confidence REAL, model TEXT, sha256 TEXT, bytes INTEGER NOT NULL, reason TEXT,
                        received INTEGER NOT NULL, published INTEGER NOT NULL, timings TEXT) WITHOUT ROWID;
                    CREATE INDEX IF NOT EXISTS images_file ON images (file);
                    CREATE INDEX IF NOT EXISTS images_path ON images (path);
                    CREATE INDEX IF NOT EXISTS images_received ON images (received);
                    CREATE INDEX IF NOT EXISTS images_sha256 ON images (sha256);
                    CREATE TABLE IF NOT EXISTS events (
                        time INTEGER NOT NULL, image TEXT, what TEXT NOT NULL, detail TEXT NOT NULL);
                    CREATE INDEX IF NOT EXISTS events_image ON events (image);
                    """)
            // A history of a version that knew no unknown images has no such column; it comes last in both.
            if try !db.columns(in: "images").contains(where: { $0.name == "unknown" }) {
                try db.execute(sql: "ALTER TABLE images ADD COLUMN unknown REAL")
            }
        }
        return queue
    }

    /// Starts the thread that writes.
    package func start() { startThread("history") { self.run() } }

    /// Notes an image that has been published.
    package func note(_ entries: [HistoryEntry]) { add(entries.map(Item.image)) }

    /// Notes something else, about an image or about the daemon.
    package func note(_ what: String, _ detail: String, image: String? = nil, time: Timestamp = .now()) {
        add([.event(image: image, time: time, what: what, detail: detail)])
    }

    private func add(_ items: [Item]) {
        if items.isEmpty { return }
        state.withLock { $0.waiting += items }
        wakeUp.wake()
    }

    /// Writes what waits and ends the thread. At most some seconds.
    package func stop() {
        state.withLock { $0.isStopped = true }
        wakeUp.wake()
        for _ in 0..<500 {
            if state.withLock({ $0.waiting.isEmpty && $0.isIdle }) { return }
            usleep(10_000)
        }
    }

    private func run() {
        var nextPruning = monotonicNanoseconds()
        while true {
            var poller = pollfd(fd: wakeUp.descriptor.rawValue, events: Int16(POLLIN), revents: 0)
            poll(&poller, 1, 60_000)
            wakeUp.clear()
            let (items, stopped) = state.withLock { state in
                defer { state.waiting = [] }
                state.isIdle = state.waiting.isEmpty
                return (state.waiting, state.isStopped)
            }
            do {
                if !items.isEmpty { try write(items) }
                if monotonicNanoseconds() >= nextPruning {
                    nextPruning = monotonicNanoseconds() + 3_600_000_000_000
                    try prune()
                }
            } catch {
                log.error("history: \(error); the images are not affected")
            }
            state.withLock { $0.isIdle = true }
            if stopped, state.withLock({ $0.waiting.isEmpty }) { return }
            // One transaction for what comes within a moment is far cheaper than one for each batch.
            if !stopped { usleep(50_000) }
        }
    }

    private func write(_ items: [Item]) throws {
        try database.write { db in
            let image = try db.cachedStatement(
                sql: "INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
            let event = try db.cachedStatement(sql: "INSERT INTO events VALUES (?, ?, ?, ?)")
            for item in items {
                switch item {
                case .image(let entry):
                    try image.execute(arguments: [
                        entry.id, entry.file, entry.state, entry.path, entry.label, entry.confidence, entry.model,
                        entry.sha256, entry.bytes, entry.reason, entry.received.milliseconds,
                        entry.published.milliseconds, entry.timings, entry.unknown,
                    ])
                case .event(let id, let time, let what, let detail):
                    try event.execute(arguments: [time.milliseconds, id, what, detail])
                }
            }
        }
    }

    private func prune() throws {
        let oldest = Timestamp.now().milliseconds - Int(keep.components.seconds) * 1000
        try database.write { db in
            try db.execute(sql: "DELETE FROM images WHERE received < ?", arguments: [oldest])
            try db.execute(sql: "DELETE FROM events WHERE time < ?", arguments: [oldest])
        }
    }

    // MARK: - Questions

    /// The image that `name` names: an id, a path below the inbox or below the outbox, or the end of one of these;
    /// the newest where there are several.
    package func why(_ name: String) throws -> WhyAnswer? {
        try database.read { db in
            var row = try Row.fetchOne(
                db, sql: "SELECT * FROM images WHERE id = ? OR file = ? OR path = ? ORDER BY received DESC LIMIT 1",
                arguments: [name, name, name])
            if row == nil {
                let pattern =
                    "%/" + name.replacing("\\", with: "\\\\").replacing("%", with: "\\%").replacing("_", with: "\\_")
                row = try Row.fetchOne(
                    db,
                    sql: """
                        SELECT * FROM images WHERE file LIKE ? ESCAPE '\\' OR path LIKE ? ESCAPE '\\'
                        ORDER BY received DESC LIMIT 1
                        """, arguments: [pattern, pattern])
            }
            guard let row else { return nil }
            return try Self.timeline(row, db)
        }
    }

    private static func timeline(_ row: Row, _ db: Database) throws -> WhyAnswer {
        let id: String = row["id"]
        let published = Timestamp(milliseconds: row["published"])
        var events = [
            WhyAnswer.Event(
                time: Timestamp(milliseconds: row["received"]), what: "received",
                detail: "\(row["file"] as String), \(row["bytes"] as Int) bytes"
                    + ((row["sha256"] as String?).map { ", sha256 \($0)" } ?? ""))
        ]
        for event in try Row.fetchAll(
            db, sql: "SELECT * FROM events WHERE image = ? ORDER BY time", arguments: [id])
        {
            events.append(
                WhyAnswer.Event(
                    time: Timestamp(milliseconds: event["time"]), what: event["what"], detail: event["detail"]))
        }
        if let label = row["label"] as String? {
            let percent = ((row["confidence"] as Double? ?? 0) * 1000).rounded() / 10
            events.append(
                WhyAnswer.Event(
                    time: published, what: row["state"],
                    detail: "\(label), \(percent) %, by \(row["model"] as String? ?? "an unknown model")"
                        + ((row["unknown"] as Double?).map { "; unknown-ness \(Units.decimals($0, 2))" } ?? "")
                        + ((row["timings"] as String?).map { "; \($0)" } ?? "")))
        } else if let reason = row["reason"] as String? {
            events.append(WhyAnswer.Event(time: published, what: "failed", detail: reason))
        }
        events.append(WhyAnswer.Event(time: published, what: "published", detail: row["path"]))
        return WhyAnswer(id: id, file: row["file"], events: events)
    }

    // MARK: - Filling again

    /// Reads the documents in the outbox into a new history. Blocks; for a thread of its own.
    package func rebuild(from outbox: FilePath) {
        var count = 0
        func visit(_ folder: FilePath, _ relative: FilePath) {
            for name in (try? Files.list(folder)) ?? [] where !name.string.hasPrefix(".") {
                let path = folder.appending(name)
                guard let status = try? Files.statusIfPresent(path) else { continue }
                if status.isDirectory {
                    visit(path, relative.appending(name))
                } else if status.isRegular, name.extension == "json", let bytes = try? Files.read(path, limit: 1 << 20)
                {
                    guard var entry = Self.entry(document: bytes) else { continue }
                    var image = relative.appending(name).escaped.dropLast(".json".count)
                    if image.hasSuffix(".error") { image = image.dropLast(".error".count) }
                    entry.path = String(image)
                    note([entry])
                    count += 1
                }
            }
        }
        visit(outbox, FilePath())
        if count > 0 { log.notice("history: filled again from \(count) documents in \(outbox.escaped)") }
    }

    /// The entry for a document of either schema; its path is empty.
    package static func entry(document: [UInt8]) -> HistoryEntry? {
        let data = Data(document)
        if let record = try? JSONDecoder().decode(ResultRecord.self, from: data), record.schema == "fovea.result/1" {
            return HistoryEntry(record, path: "")
        }
        if let record = try? JSONDecoder().decode(ErrorRecord.self, from: data), record.schema == "fovea.error/1" {
            return HistoryEntry(record, path: "")
        }
        return nil
    }
}
