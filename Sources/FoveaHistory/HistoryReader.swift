import FoveaSystem
import GRDB
import SystemPackage

/// Reads the history of a daemon that may be running: for retraining and for comparing models.
package struct HistoryReader: Sendable {
    private let database: DatabaseQueue

    /// - Returns: nil where there is no history.
    package init?(state: FilePath) throws {
        let path = state.appending("history.sqlite")
        guard try Files.statusIfPresent(path) != nil else { return nil }
        var configuration = GRDB.Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(5)
        database = try DatabaseQueue(path: path.string, configuration: configuration)
    }

    /// The newest image of this content that was classified.
    ///
    /// - Parameter sha256: of the file, in hexadecimal digits.
    package func result(sha256: String) throws -> HistoryEntry? {
        try database.read { db in
            try Row.fetchOne(
                db,
                sql: "SELECT * FROM images WHERE sha256 = ? AND label IS NOT NULL ORDER BY received DESC LIMIT 1",
                arguments: [sha256]
            ).map(HistoryEntry.init)
        }
    }

    /// Of so many images a model's usual confidence is the mean.
    package static let usualImages = 200

    /// What a model is used to, by the history in a state folder; nil where that does not say it.
    package static func usualConfidence(of model: String, state: FilePath) -> Double? {
        let history = try? HistoryReader(state: state)
        return (try? history?.meanConfidence(of: model, last: usualImages)) ?? nil
    }

    /// The mean confidence of a model's last images; nil where there are fewer.
    package func meanConfidence(of model: String, last count: Int) throws -> Double? {
        let values = try database.read { db in
            try Double.fetchAll(
                db,
                sql: """
                    SELECT confidence FROM images WHERE model = ? AND confidence IS NOT NULL
                    ORDER BY received DESC LIMIT ?
                    """, arguments: [model, count])
        }
        return values.count < count ? nil : values.reduce(0, +) / Double(count)
    }

    /// The images that were classified last, the newest first.
    package func latest(_ count: Int) throws -> [HistoryEntry] {
        try database.read { db in
            try Row.fetchAll(
                db, sql: "SELECT * FROM images WHERE label IS NOT NULL ORDER BY received DESC LIMIT ?",
                arguments: [count]
            ).map(HistoryEntry.init)
        }
    }
}
