import FoundationEssentials
import FoveaCLI
import FoveaControl
import FoveaData
import FoveaModels
import FoveaNN
import FoveaRetraining
import FoveaSystem
import SystemPackage

/// What an unfinished retraining does, decided once: corrections that come while it runs are for the next one, and after
/// a restart of the machine it goes on with what it had.
struct RetrainPlan: Codable, Equatable {
    static let schema = "fovea.retrain/1"

    /// A configured data set as it was found.
    struct Source: Codable, Equatable {
        /// As the configuration names it.
        let data: String
        /// With the hash of the images as they were.
        let learnt: TrainedSet
    }

    /// What there was to learn, for the report.
    struct Facts: Codable, Equatable {
        let images: Int
        let learntCorrections: Int
        let judgingCorrections: Int
        let relabelled: Int
        let source: String
        let notes: [String]
    }

    var schema = RetrainPlan.schema
    /// Names this retraining in its challenger, too.
    let id: String
    let begun: Timestamp
    let champion: ActiveModel.Entry
    /// Of all that was looked at, and of what could be used of it.
    let fingerprint: String
    let usable: String
    let sources: [Source]
    let corrections: [Correction]
    let newLabels: [String]
    let problems: [CorrectionProblem]
    let facts: Facts
    let settings: TrainingSettings
    /// nil trains the champion's weights on.
    let preset: String?

    var championName: String { "\(champion.name)@\(champion.version)" }

    /// Writes plan and pixels under a temporary name and renames: they are there whole or not at all.
    func save(_ folder: RetrainFolder, pixels: LabelledImages, labels: [String]) throws {
        let temporary = folder.path.appending(".run.tmp")
        try Files.removeTree(temporary)
        try Files.makeDirectories(temporary)
        if pixels.count > 0 {
            let info = DatasetInfo(
                name: RetrainFolder.corrections, labels: labels, height: pixels.height, width: pixels.width,
                source: "corrections")
            try Dataset(info: info, splits: ["train": pixels]).save(in: temporary)
        }
        try Files.replace(temporary.appending("plan.json"), with: JSONText.pretty(self))
        try folder.discardRun()
        try Files.rename(temporary, to: folder.run)
        try Files.syncDirectory(folder.path)
    }

    /// nil where nothing is unfinished.
    ///
    /// - Throws: where there is a plan that this version of Fovea cannot read.
    static func read(_ folder: RetrainFolder) throws -> RetrainPlan? {
        guard try Files.statusIfPresent(folder.plan) != nil else { return nil }
        let plan = try JSONDecoder().decode(
            RetrainPlan.self, from: Data(try Files.read(folder.plan, limit: 1 << 30)))
        guard plan.schema == schema else { throw Failure.data("schema \(plan.schema)") }
        return plan
    }

    /// The corrections' pixels, in the plan's order.
    func pixels(_ folder: RetrainFolder) throws -> [UInt8] {
        if corrections.isEmpty { return [] }
        let set = try Dataset.open(folder.run.appending(RetrainFolder.corrections)).images("train")
        guard set.count == corrections.count else { throw Failure.data("plan and corrections do not fit") }
        return set.pixels
    }
}

/// `run/verdict.json`: what the gate said of the finished challenger. Written once; all that follows can be done again.
struct RetrainVerdict: Codable, Equatable {
    let gate: Gate
    /// Under which it stands among the challengers.
    let version: String

    static func read(_ path: FilePath) -> RetrainVerdict? {
        guard let bytes = try? Files.read(path, limit: 1 << 24) else { return nil }
        return try? JSONDecoder().decode(RetrainVerdict.self, from: Data(bytes))
    }
}

/// `last.json`: what the last finished retraining has learnt from.
struct LastRetraining: Codable, Equatable {
    var schema = "fovea.retrained/1"
    let fingerprint: String
    let usable: String
    /// The models that were compared: while one of them serves and nothing else has changed there is nothing to do.
    let champion: ActiveModel.Entry
    let challenger: ActiveModel.Entry?
    let outcome: RetrainOutcome
    let finished: Timestamp

    static func read(_ path: FilePath) -> LastRetraining? {
        guard let bytes = try? Files.read(path, limit: 1 << 20) else { return nil }
        return try? JSONDecoder().decode(LastRetraining.self, from: Data(bytes))
    }
}
