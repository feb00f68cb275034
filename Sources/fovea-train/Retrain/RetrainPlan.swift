import FoundationEssentials
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
        let data: String
        let name: String
        /// Of its training images.
        let sha256: String
        let perClass: Int?
        let isLearntWhole: Bool
    }

    var schema = RetrainPlan.schema
    /// Names this retraining in its challenger, too.
    let id: String
    let begun: Timestamp
    let champion: ActiveModel.Entry
    let start: String
    /// Of data, corrections and settings.
    let fingerprint: String
    let sources: [Source]
    let corrections: [Correction]
    let newLabels: [String]
    let problems: [CorrectionProblem]
    let settings: TrainingSettings
    let preset: String?

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
        try Files.removeTree(folder.run)
        try Files.rename(temporary, to: folder.run)
        try Files.syncDirectory(folder.path)
    }

    /// nil where nothing is unfinished.
    static func read(_ folder: RetrainFolder) throws -> RetrainPlan? {
        guard try Files.statusIfPresent(folder.plan) != nil else { return nil }
        let bytes = try Files.read(folder.plan, limit: 1 << 30)
        do {
            let plan = try JSONDecoder().decode(RetrainPlan.self, from: Data(bytes))
            return plan.schema == schema ? plan : nil
        } catch {
            throw Failure.data(
                "\(folder.plan.escaped): not the plan of a retraining (\(error)); remove \(folder.run.escaped) to begin anew"
            )
        }
    }

    /// The corrections' pixels, in the plan's order.
    func pixels(_ folder: RetrainFolder) throws -> [UInt8] {
        if corrections.isEmpty { return [] }
        let set = try Dataset.open(folder.run.appending(RetrainFolder.corrections)).images("train")
        guard set.count == corrections.count else {
            throw Failure.data("\(folder.run.escaped): plan and corrections do not fit; remove it to begin anew")
        }
        return set.pixels
    }
}

/// `last.json`: what the last finished retraining has learnt from.
struct LastRetraining: Codable, Equatable {
    var schema = "fovea.retrained/1"
    let fingerprint: String
    /// The models that were compared: while one of them serves and nothing else has changed there is nothing to do.
    let champion: String
    let challenger: String
    let outcome: String
    let finished: Timestamp

    static func read(_ path: FilePath) -> LastRetraining? {
        guard let bytes = try? Files.read(path, limit: 1 << 20) else { return nil }
        return try? JSONDecoder().decode(LastRetraining.self, from: Data(bytes))
    }
}
