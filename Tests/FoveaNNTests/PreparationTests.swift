import FoveaNN
import Testing

/// What happens to images and filters before the first step.
@Suite struct PreparationTests {
    @Test func whitenedAreImagesFromAllOver() {
        #expect(Whitening.sample(Array(10..<20), 4) == [10, 12, 15, 17])
        #expect(Whitening.sample([3, 5], 2) == [3, 5])
    }

    @Test func downsamplingAgreesWithPyTorch() throws {
        let g = try golden("downsampling")
        let (from, to) = (Shape(height: 13, width: 16, channels: 3), Shape(height: 9, width: 10, channels: 3))
        var y = [Float](repeating: .nan, count: 2 * to.count)
        Downsampling(from: from, to: to).apply(g.floats("x"), to: &y, count: 2)
        #expect(distance(y, g.floats("y")) < 1e-5)
    }

    /// Patches that go through the filters have variance 1 in every direction and none in common.
    @Test func whitenedPatchesAreUncorrelated() {
        let shape = Shape(height: 12, width: 9, channels: 3)
        let count = 40
        // Neighbours and channels alike, as in photographs.
        var images = random(count * shape.count, seed: 6)
        for i in 1..<images.count { images[i] = 0.8 * images[i - 1] + 0.6 * images[i] }
        let filters = Whitening.filters(images, count: count, shape, kernel: 2, epsilon: 0)
        #expect(filters.count == 12 * 24)
        var covariance = [Double](repeating: 0, count: 144)
        var patches = 0.0
        for n in 0..<count {
            for y in 0..<11 {
                for x in 0..<8 {
                    var out = [Double](repeating: 0, count: 24)
                    for i in 0..<12 {
                        let (row, column, channel) = (y + i / 6, x + i / 3 % 2, i % 3)
                        let value = images[((n * 12 + row) * 9 + column) * 3 + channel]
                        for o in 0..<24 { out[o] += Double(value * filters[i * 24 + o]) }
                    }
                    for o in 0..<12 { #expect(abs(out[o] + out[12 + o]) < 1e-4) }
                    for a in 0..<12 { for b in 0..<12 { covariance[a * 12 + b] += out[a] * out[b] } }
                    patches += 1
                }
            }
        }
        for a in 0..<12 {
            for b in 0..<12 { #expect(abs(covariance[a * 12 + b] / patches - (a == b ? 1 : 0)) < 1e-3) }
        }
    }
}
