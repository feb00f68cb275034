import FoveaModels

/// The stages of a chain by their kinds: the classifier is the last, the normalizer the one before, the rest are filters.
struct ChainStages {
    private(set) var filters: [StageConfiguration]
    private(set) var normalizer: StageConfiguration
    private(set) var classifier: StageConfiguration

    /// - Parameter chain: of a model that has served, so that the order is right.
    init(_ chain: [StageConfiguration]) {
        classifier = chain.last ?? StageConfiguration(plugin: "classifier-net")
        normalizer = chain.dropLast().last ?? StageConfiguration(plugin: "normalize")
        filters = Array(chain.dropLast(2))
    }

    /// nil leaves stages as they are.
    mutating func replace(
        filters: [StageConfiguration]?, normalizer: StageConfiguration?, classifier: StageConfiguration?
    ) {
        self.filters = filters ?? self.filters
        self.normalizer = normalizer ?? self.normalizer
        self.classifier = classifier ?? self.classifier
    }

    var all: [StageConfiguration] { filters + [normalizer, classifier] }
}
