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

/// A part of the parameter arena whose floats are treated alike.
struct ParameterRun {
    var range: Range<Int>
    /// Whether weight decay applies.
    var decays: Bool
    /// On the learning rate.
    var factor: Double
}

extension Network {
    /// The parameter arena in runs of tensors that are treated alike; what lies between two tensors belongs to the first.
    ///
    /// - Parameter factor: on the learning rate, by the tensor's name; 0 leaves the tensor as it is.
    func parameterRuns(_ factor: RateFactor) -> [ParameterRun] {
        let decaying = Set(decaying)
        var runs: [ParameterRun] = []
        for (tensor, range) in parameters.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
            let (decays, factor) = (decaying.contains(range), factor(tensor.name))
            if let last = runs.indices.last {
                let isAlike = runs[last].decays == decays && runs[last].factor == factor
                runs[last].range = runs[last].range.lowerBound..<(isAlike ? range.upperBound : range.lowerBound)
                if isAlike { continue }
            }
            runs.append(ParameterRun(range: range, decays: decays, factor: factor))
        }
        if let last = runs.indices.last { runs[last].range = runs[last].range.lowerBound..<parameterFloats }
        return runs
    }
}
