/// CutMix (Yun et al. 2019): a rectangle of another image of the batch is pasted in, and the image is to be both, in the
/// proportion of their areas.
package final class CutMix {
    private let shape: Shape
    private let share: Double
    /// The batch as it was.
    private var original: [Float]

    /// - Parameters:
    ///   - share: of the images that are mixed.
    ///   - batch: the most images of a call.
    package init(_ shape: Shape, share: Double, batch: Int) {
        (self.shape, self.share) = (shape, share)
        original = [Float](repeating: 0, count: batch * shape.count)
    }

    /// Mixes images and targets in place.
    package func apply(
        _ images: UnsafeMutablePointer<Float>, _ targets: UnsafeMutablePointer<Target>, count: Int,
        random: inout SeededGenerator
    ) {
        original.withUnsafeMutableBufferPointer { $0.baseAddress!.update(from: images, count: count * shape.count) }
        for n in 0..<count {
            // Always as many numbers, whatever comes of them.
            let (wanted, kept) = (Double(random.uniform()), random.uniform())
            let (partner, centre) = (Int.random(in: 0..<count, using: &random), (random.uniform(), random.uniform()))
            guard wanted < share else { continue }
            // A rectangle of the image's own proportions, of 1 − kept of its area, cut at the border.
            let side = (1 - kept).squareRoot()
            func range(_ length: Int, _ centre: Float) -> Range<Int> {
                let (middle, half) = (centre * Float(length), side * Float(length) / 2)
                let first = max(0, Int(middle - half))
                return first..<max(first, min(length, Int(middle + half)))
            }
            let (rows, columns) = (range(shape.height, centre.0), range(shape.width, centre.1))
            let line = columns.count * shape.channels
            for row in rows {
                let at = (row * shape.width + columns.lowerBound) * shape.channels
                for i in at..<at + line {
                    images[n * shape.count + i] = original[partner * shape.count + i]
                }
            }
            targets[n].other = targets[partner].label
            targets[n].share = Float(rows.count * columns.count) / Float(shape.pixels)
        }
    }
}
