import FoveaControl
import GRDB

/// What the history keeps of an image.
package struct HistoryEntry: Sendable {
    package var id: String
    package var file: String
    /// `classified`, `unsure`, `unknown` or `failed`.
    package var state: String
    /// The image's path below the outbox.
    package var path: String
    package var label: String?
    package var confidence: Double?
    /// In units of the model's own threshold; nil where the model could not tell.
    package var unknown: Double?
    package var model: String?
    package var sha256: String?
    package var bytes: Int
    /// For `failed`: code and sentence.
    package var reason: String?
    package var received: Timestamp
    package var published: Timestamp
    /// Milliseconds by step, in words.
    package var timings: String?

    package init(
        id: String, file: String, state: String, path: String, label: String?, confidence: Double?,
        unknown: Double? = nil, model: String?, sha256: String?, bytes: Int, reason: String?, received: Timestamp,
        published: Timestamp, timings: String?
    ) {
        self.id = id
        self.file = file
        self.state = state
        self.path = path
        self.label = label
        self.confidence = confidence
        self.unknown = unknown
        self.model = model
        self.sha256 = sha256
        self.bytes = bytes
        self.reason = reason
        self.received = received
        self.published = published
        self.timings = timings
    }
}

extension HistoryEntry {
    /// - Parameter path: the image's, below the outbox, escaped.
    package init(_ record: ResultRecord, path: String) {
        self.init(
            id: record.id, file: record.file, state: record.status.rawValue, path: path, label: record.label,
            confidence: Double(record.confidence), unknown: record.unknown.map(Double.init),
            model: record.model.description, sha256: record.sha256, bytes: record.bytes, reason: nil,
            received: record.received, published: record.published,
            timings: record.timings.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value) ms" }.joined(
                separator: ", "))
    }

    /// - Parameter path: the image's, below the outbox, escaped.
    package init(_ record: ErrorRecord, path: String) {
        self.init(
            id: record.id, file: record.file, state: "failed", path: path, label: nil, confidence: nil,
            model: record.model?.description, sha256: record.sha256, bytes: record.bytes,
            reason: "\(record.message) [\(record.reason)]", received: record.received, published: record.published,
            timings: nil)
    }
}

extension HistoryEntry {
    /// A row of the table `images`.
    init(_ row: Row) {
        self.init(
            id: row["id"], file: row["file"], state: row["state"], path: row["path"], label: row["label"],
            confidence: row["confidence"], unknown: row["unknown"], model: row["model"], sha256: row["sha256"],
            bytes: row["bytes"],
            reason: row["reason"], received: Timestamp(milliseconds: row["received"]),
            published: Timestamp(milliseconds: row["published"]), timings: row["timings"])
    }
}
