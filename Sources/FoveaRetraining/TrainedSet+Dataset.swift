import FoveaData
import FoveaModels
import FoveaSystem

/// What a model has learnt of a data set: stands under `training.sets` in its configuration. It is for models without
/// `ImageDigests`, and says in words what those say by image.
package struct TrainedSet: Codable, Sendable, Equatable {
    package let name: String
    /// Of the training images with their labels.
    package let sha256: String
    /// Images of each class that were held back, as for `Dataset.split(development:)`.
    package let perClass: Int?
    /// Nothing is known to have been held back.
    package let isLearntWhole: Bool

    package init(name: String, sha256: String, perClass: Int?, isLearntWhole: Bool) {
        (self.name, self.sha256, self.perClass, self.isLearntWhole) = (name, sha256, perClass, isLearntWhole)
    }

    /// What a model says of itself; nil where it does not.
    package static func recorded(in model: ModelConfiguration) throws -> [TrainedSet]? {
        try model.training?["sets"]?.decode([TrainedSet].self)
    }

    package var json: JSONValue {
        get throws { try JSONValue(encoding: self) }
    }

    /// Whether a model has been trained on this very set.
    package func isKnown(to model: ModelConfiguration) throws -> Bool {
        if let sets = try Self.recorded(in: model) {
            return sets.contains { $0.sha256 == sha256 }
        }
        return model.training?["data"]?["name"]?.string == name
    }

    /// What `champion` has learnt of `set`. Of models that do not say it, it is concluded from the number of their
    /// development images; where that fits no division, or the data set has changed since, they are taken to have learnt
    /// everything.
    package init(of set: Dataset, by champion: ModelConfiguration) throws {
        let sha256 = try set.images("train").sha256
        func found(_ perClass: Int?, whole: Bool) -> TrainedSet {
            TrainedSet(name: set.info.name, sha256: sha256, perClass: perClass, isLearntWhole: whole)
        }
        if let sets = try Self.recorded(in: champion) {
            if let same = sets.first(where: { $0.sha256 == sha256 }) {
                self = same
            } else {
                // A set that it has never met has taught it nothing: any division will do.
                self = found(nil, whole: sets.contains { $0.name == set.info.name })
            }
            return
        }
        let data = champion.training?["data"]
        guard data?["name"]?.string == set.info.name, let count = data?["development"]?.double.map({ Int($0) }) else {
            self = found(nil, whole: data == nil)
            return
        }
        let classes = max(1, set.info.labels.count)
        let candidates: [Int?] = [nil] + (count > 0 && count % classes == 0 ? [count / classes] : [])
        let fitting = try candidates.first { try set.split(development: $0).development.count == count }
        self = found(fitting ?? nil, whole: fitting == nil)
    }
}
