import CKernels

/// The Euclidean norm of many floats, on all threads: in pieces of fixed size whose sums are added in order, so that the
/// number of threads does not matter.
struct Norm {
    private static let piece = 1 << 16
    private var sums: [Double]

    /// - Parameter most: the floats that there are at most.
    init(most: Int) { sums = [Double](repeating: 0, count: max(1, (most + Self.piece - 1) / Self.piece)) }

    mutating func callAsFunction(_ values: Floats, _ count: Int, _ pool: ThreadPool) -> Double {
        let (piece, pieces) = (Self.piece, (count + Self.piece - 1) / Self.piece)
        return sums.withUnsafeMutableBufferPointer { sums in
            let start = sums.baseAddress!
            pool.split(pieces) { _, pieces in
                for p in pieces { start[p] = ck_sum_squares(values + p * piece, min(piece, count - p * piece)) }
            }
            return sums[..<pieces].reduce(0, +).squareRoot()
        }
    }
}

/// The norm of all gradients of a network, and clipping by it (Pascanu et al. 2013).
final class GradientNorm {
    private let network: Network
    private var norm: Norm

    init(_ network: Network) {
        self.network = network
        norm = Norm(most: network.parameterFloats)
    }

    func value() -> Double { norm(network.gradients!, network.parameterFloats, network.pool) }

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
