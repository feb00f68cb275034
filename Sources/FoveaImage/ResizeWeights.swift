import FoveaModels

/// What each place of a side takes of the picture's pixels.
///
/// As Pillow's `precompute_coeffs` and `normalize_coeffs_8bpc` (libImaging/Resample.c): the filter's support is widened by
/// the scale when a picture gets smaller, weights are normalised to a sum of 1 and kept as fixed-point numbers.
struct ResizeWeights {
    static let bits = 22

    /// For each place: the first pixel of the source, and how many follow from there.
    let starts: [Int32]
    let counts: [Int32]
    /// `stride` weights for each place, of which `counts` are used; they sum to 1 << 22 or nearly so.
    let weights: [Int32]
    let stride: Int

    /// The pixels of the source that any place takes.
    var needed: Range<Int> {
        guard let first = starts.min() else { return 0..<0 }
        return Int(first)..<Int(zip(starts, counts).map { $0 + $1 }.max() ?? 0)
    }

    /// - Parameters:
    ///   - source: pixels of the side that is scaled.
    ///   - scaled: pixels that the whole of it gets.
    ///   - window: the places that are wanted.
    init(from source: Int, to scaled: Int, window: Range<Int>, _ resample: Resample) {
        let scale = Double(source) / Double(scaled)
        let widening = max(scale, 1)
        let support = resample == .bilinear ? widening : 2 * widening
        stride = Int(support.rounded(.up)) * 2 + 1
        var starts: [Int32] = []
        var counts: [Int32] = []
        var weights = [Int32](repeating: 0, count: stride * window.count)
        var row = [Double](repeating: 0, count: stride)
        for (index, place) in window.enumerated() {
            let center = (Double(place) + 0.5) * scale
            let first = max(Int(center - support + 0.5), 0)
            let count = min(Int(center + support + 0.5), source) - first
            var sum = 0.0
            for k in 0..<count {
                let distance = Double(first + k) - center + 0.5
                row[k] =
                    resample == .bilinear
                    ? max(0, 1 - abs(distance / support)) : Self.bicubic(abs(distance * (1 / widening)))
                sum += row[k]
            }
            for k in 0..<count {
                let weight = row[k] / sum * Double(1 << Self.bits)
                weights[index * stride + k] = Int32(weight < 0 ? weight - 0.5 : weight + 0.5)
            }
            starts.append(Int32(first))
            counts.append(Int32(count))
        }
        (self.starts, self.counts, self.weights) = (starts, counts, weights)
    }

    /// Cubic convolution with a = −0.5; `x` is not negative.
    private static func bicubic(_ x: Double) -> Double {
        let a = -0.5
        if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
        if x < 2 { return (((x - 5) * x + 8) * x - 4) * a }
        return 0
    }
}
