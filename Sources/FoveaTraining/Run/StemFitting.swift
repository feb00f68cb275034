import FoveaCLI
import FoveaNN

/// Fits the filters of the first layer that are not learnt, where a network has them, to the training images (whitening).
enum StemFitting {
    /// The filters of the first layer, where they are fitted and not learnt.
    static let tensor = "stem.conv.weight"
    /// As many pixels as this many images of 32 × 32 have are enough for the covariance of small patches.
    private static let images = 5000

    /// Before the first step. A network without such a layer stays as it is.
    ///
    /// - Throws: `Failure.usage` where the layer has another number of filters than whitening gives.
    static func fit(_ network: Network, to images: TrainingImages, of plan: TrainingPlan) throws {
        guard let stem = network.tensors.first(where: { $0.name == tensor && $0.kind == .buffer }) else {
            return
        }
        let size = plan.data.info.height * plan.data.info.width
        let count = min(Self.images, plan.train.count, max(1, Self.images * 1024 / size))
        let source = try images.plain(Whitening.sample(plan.train, count))
        var floats = [Float](repeating: 0, count: count * network.input.count)
        var labels = [Int32](repeating: 0, count: count)
        var random = SeededGenerator(plan.settings.seed)
        try floats.withUnsafeMutableBufferPointer { floats in
            try source.fill(
                floats.baseAddress!, labels: &labels, indices: Array(0..<count)[...], epoch: 0, random: &random)
        }
        let filters = Whitening.filters(floats, count: count, network.input, kernel: stem.shape[0])
        guard filters.count == stem.count else {
            throw Failure.usage(
                "stem=\(stem.shape[3]): a whitening stem has \(filters.count * stem.shape[3] / stem.count)")
        }
        try network.write(stem.name, filters)
    }
}
