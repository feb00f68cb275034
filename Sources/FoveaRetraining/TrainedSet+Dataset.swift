import FoveaData
import FoveaModels
import FoveaSystem

extension TrainedSet {
    /// Whether a model has been trained on this very set.
    package func isKnown(to model: ModelConfiguration) throws -> Bool {
        if let sets = try model.training?.sets() {
            return sets.contains { $0.sha256 == sha256 }
        }
        return model.training?.trained?.data?.name == name
    }

    /// What `champion` has learnt of `set`. Of models that do not say it, it is concluded from the number of their
    /// development images; where that fits no division, or the data set has changed since, they are taken to have learnt
    /// everything.
    package init(of set: Dataset, by champion: ModelConfiguration) throws {
        let sha256 = try set.images("train").sha256
        func found(_ perClass: Int?, whole: Bool) -> TrainedSet {
            TrainedSet(name: set.info.name, sha256: sha256, perClass: perClass, isLearntWhole: whole)
        }
        if let sets = try champion.training?.sets() {
            if let same = sets.first(where: { $0.sha256 == sha256 }) {
                self = same
            } else {
                // A set that it has never met has taught it nothing: any division will do.
                self = found(nil, whole: sets.contains { $0.name == set.info.name })
            }
            return
        }
        let data = champion.training?.trained?.data
        guard data?.name == set.info.name, let count = data?.development else {
            self = found(nil, whole: data == nil)
            return
        }
        let classes = max(1, set.info.labels.count)
        let candidates: [Int?] = [nil] + (count > 0 && count % classes == 0 ? [count / classes] : [])
        let fitting = try candidates.first { try set.split(development: $0).development.count == count }
        self = found(fitting ?? nil, whole: fitting == nil)
    }
}
