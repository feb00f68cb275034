import FoveaControl
import FoveaData
import FoveaModels
import FoveaNN
import FoveaPipeline

/// A training's images on their way into the network: through the chain's filters once, then augmented and normalised batch
/// by batch.
struct TrainingImages {
    private let plan: TrainingPlan
    private let search: PluginSearch

    init(_ plan: TrainingPlan, search: PluginSearch) { (self.plan, self.search) = (plan, search) }

    /// Bytes of all images that are in memory: as they were read, and those of the training split once more, filtered.
    var bytes: Int {
        let splits = plan.data.splits
        let count = splits.values.reduce(splits["train"]?.count ?? 0) { $0 + $1.count } + (plan.heldBack?.count ?? 0)
        return count * plan.data.info.height * plan.data.info.width * 3
    }

    /// What is trained on, and what is held back; nil where nothing is.
    func sources() throws -> (training: ChainSource, development: ChainSource?) {
        let raw = try plan.data.images("train")
        let filters = try preparation()
        let filtered = try filtered(raw, by: filters)
        let augmentation = plan.settings.augmentation
        let training = Augmentation(augmentation).blurs ? raw : filtered
        return (
            ChainSource(training, selection: plan.train, chain: filters, augmentation: augmentation),
            plan.development.isEmpty
                ? nil : ChainSource(filtered, selection: plan.development, chain: try preparation())
        )
    }

    /// Some of the training images as they are, without augmentation.
    ///
    /// - Parameter selection: indices into the training split.
    func plain(_ selection: [Int]) throws -> ChainSource {
        let chain = try preparation()
        return ChainSource(
            try filtered(try plan.data.images("train").selecting(selection), by: chain),
            selection: Array(selection.indices), chain: chain)
    }

    /// The chain without its classifier.
    private func preparation() throws -> Chain {
        try Chain(
            plan.chain, shape: ImageShape(height: plan.data.info.height, width: plan.data.info.width),
            classes: plan.data.info.labels.count, maxCount: min(plan.settings.batch, 256), search: search,
            preparationOnly: true)
    }

    private func filtered(_ images: LabelledImages, by chain: Chain) throws -> LabelledImages {
        var images = images
        let count = images.count
        try images.pixels.withUnsafeMutableBufferPointer { try chain.applyFilters($0.baseAddress!, count: count) }
        return images
    }
}
