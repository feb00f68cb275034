import FoveaData
import FoveaNN
import FoveaPipeline
import Glibc

/// Feeds the trainer: images that the chain's filters have been over, augmented and normalised as they are asked for, by
/// the same plugins that serve.
///
/// The filters go over the images once, before everything. Only where the augmentation blurs do they come after it, batch by
/// batch: a blurred image that is served is blurred before it is sharpened.
///
/// `@unchecked Sendable`: the trainer calls `fill` from one thread at a time; each source has a chain of its own.
final class ChainSource: TrainingSource, @unchecked Sendable {
    private let images: LabelledImages
    /// Which of `images`.
    private let selection: [Int]
    private let chain: Chain
    private let augmentation: Augmentation?
    private let prepared: AlignedBuffer<UInt8>
    private let scratch = Scratch()

    /// - Parameters:
    ///   - images: RGB8, after the filters unless `filtersLater`.
    ///   - selection: indices of the images to give.
    ///   - chain: made with `preparationOnly`; used by this source alone.
    ///   - augmentation: nil gives the images as they are.
    init(
        _ images: LabelledImages, selection: [Int], chain: Chain, augmentation: TrainingSettings.Augmentation? = nil
    ) {
        self.images = images
        self.selection = selection
        self.chain = chain
        self.augmentation = augmentation.map(Augmentation.init)
        prepared = AlignedBuffer(count: chain.maxCount * images.imageBytes)
    }

    var count: Int { selection.count }

    /// Whether the filters go over the images after the augmentation.
    private var filtersLater: Bool { augmentation?.blurs ?? false }

    func fill(
        _ floats: UnsafeMutablePointer<Float>, labels: UnsafeMutablePointer<Int32>, indices: ArraySlice<Int>,
        epoch: Int, random: inout FoveaNN.SeededGenerator
    ) throws {
        let size = images.imageBytes
        var remaining = indices
        var done = 0
        while !remaining.isEmpty {
            let part = remaining.prefix(chain.maxCount)
            remaining = remaining.dropFirst(part.count)
            images.pixels.withUnsafeBufferPointer { pixels in
                for (place, index) in part.enumerated() {
                    let source = pixels.baseAddress! + selection[index] * size
                    let target = prepared.pointer + place * size
                    labels[done + place] = Int32(images.labels[selection[index]])
                    if let augmentation {
                        augmentation.apply(
                            source, to: target, height: images.height, width: images.width, index: selection[index],
                            epoch: epoch, scratch: scratch, using: &random)
                    } else {
                        target.update(from: source, count: size)
                    }
                }
            }
            if filtersLater { try chain.applyFilters(prepared.pointer, count: part.count) }
            try chain.normalize(prepared.pointer, count: part.count, into: floats + done * size)
            done += part.count
        }
    }
}

extension Augmentation {
    init(_ settings: TrainingSettings.Augmentation) {
        let flip: Flip =
            switch settings.flip {
            case .none: .none
            case .random: .random
            case .alternating: .alternating
            }
        self.init(flip: flip, shift: settings.crop, cutout: settings.cutout, blur: settings.blur, isSeed: settings.seed)
    }
}
