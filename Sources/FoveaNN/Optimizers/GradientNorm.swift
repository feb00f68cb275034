import CKernels

/// The norm of all gradients of a network, and clipping by it (Pascanu et al. 2013).
final class GradientNorm {
    private static let piece = 1 << 16
    private let network: Network
    private var sums: [Double]

    init(_ network: Network) {
        self.network = network
        sums = [Double](repeating: 0, count: (network.parameterFloats + Self.piece - 1) / Self.piece)
    }

    /// In pieces of fixed size that are added in order, so that threads do not matter.
    func value() -> Double {
        let (gradients, count, piece) = (network.gradients!, network.parameterFloats, Self.piece)
        sums.withUnsafeMutableBufferPointer { sums in
            let start = sums.baseAddress!
            network.pool.split(sums.count) { _, pieces in
                for p in pieces { start[p] = ck_sum_squares(gradients + p * piece, min(piece, count - p * piece)) }
            }
        }
        return sums.reduce(0, +).squareRoot()
    }

    /// What gradients are multiplied with so that their norm is `limit` at most; nil: no limit.
    func scale(limit: Double?) -> Double {
        guard let limit else { return 1 }
        let norm = value()
        return norm > limit ? limit / norm : 1
    }
}

extension Network {
    /// The parameter arena in runs, with and without weight decay.
    var decayRuns: [(range: Range<Int>, decays: Bool)] {
        var runs: [(range: Range<Int>, decays: Bool)] = []
        var next = 0
        for range in decaying.sorted(by: { $0.lowerBound < $1.lowerBound }) where range.lowerBound < parameterFloats {
            if next < range.lowerBound { runs.append((next..<range.lowerBound, false)) }
            runs.append((range, true))
            next = range.upperBound
        }
        if next < parameterFloats { runs.append((next..<parameterFloats, false)) }
        return runs
    }
}
