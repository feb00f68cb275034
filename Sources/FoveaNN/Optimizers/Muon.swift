import CKernels
import Glibc

/// Muon (Jordan 2024, kellerjordan.github.io/posts/muon) for the filters of convolutions; Nesterov's momentum or Adam for the
/// rest.
///
/// A filter tensor is a matrix of patch × outputs. Its momentum is replaced by the nearest matrix with singular values near
/// 1 (some steps of a quintic Newton–Schulz iteration), so that all directions move alike; the filters keep the norm
/// √outputs, as in airbench.
package final class Muon: Optimizer {
    // MARK: Hyper-parameters
    private static let iterations = 3
    private static let coefficients: (a: Float, b: Float, c: Float) = (3.4445, -4.7750, 2.0315)

    /// What moves the parameters that are not filters.
    package enum Rest: Sendable, Equatable {
        /// Weight decay applies to matrices and is added to the gradient.
        case nesterov(learningRate: Double, momentum: Double, weightDecay: Double)
        /// For networks most of whose parameters are in matrices: each parameter's step has the same size, however large the matrix
        /// is. Weight decay applies to matrices and is decoupled.
        case adam(learningRate: Double, weightDecay: Double)

        /// Floats that a network's parameter needs from step to step.
        var floatsPerParameter: Int { if case .adam = self { 2 } else { 1 } }
    }

    let learningRate: Double
    let momentum: Double
    let rest: Rest
    package var steps = 0
    /// Momentum, or the mean of Adam; behind them the variance of Adam.
    package var memory: UnsafeMutableBufferPointer<Float> {
        UnsafeMutableBufferPointer(start: buffer, count: rest.floatsPerParameter * network.parameterFloats)
    }

    private let network: Network
    private let arena = Arena()
    private let buffer: Floats
    /// Two matrices of the largest filters, two of their smaller side squared.
    private let work: (x: Floats, y: Floats, gram: Floats, square: Floats)
    private var norm: Norm
    private let filters: [Part]
    private let others: [Part]

    /// A tensor's place in the parameter arena.
    private struct Part {
        let range: Range<Int>
        /// Of a filter as a matrix.
        var rows = 0
        var columns = 0
        var decays = false
        /// On the learning rate.
        var factor = 1.0
    }

    package init(
        _ network: Network, learningRate: Double, momentum: Double, rest: Rest, rateFactor: RateFactor = { _ in 1 }
    ) {
        self.network = network
        (self.learningRate, self.momentum, self.rest) = (learningRate, momentum, rest)
        var (filters, others): ([Part], [Part]) = ([], [])
        for (tensor, range) in network.parameters {
            if tensor.shape.count == 4 {
                let columns = tensor.shape[3]
                filters.append(
                    Part(
                        range: range, rows: range.count / columns, columns: columns, factor: rateFactor(tensor.name)))
            } else {
                others.append(Part(range: range, decays: tensor.shape.count == 2, factor: rateFactor(tensor.name)))
            }
        }
        (self.filters, self.others) = (filters, others)
        let largest = filters.map(\.range.count).max() ?? 0
        let side = filters.map { min($0.rows, $0.columns) }.max() ?? 0
        norm = Norm(most: largest)
        let place = arena.reserve(rest.floatsPerParameter * network.parameterFloats)
        let (x, y) = (arena.reserve(largest), arena.reserve(largest))
        let (gram, square) = (arena.reserve(side * side), arena.reserve(side * side))
        arena.allocate()
        buffer = arena[place]
        work = (arena[x], arena[y], arena[gram], arena[square])
    }

    package func apply(factor: Double) {
        steps += 1
        switch rest {
        case .nesterov(let rate, let momentum, let decay):
            for part in others {
                network.descend(
                    part.range, buffer: buffer, rate: rate * factor * part.factor, momentum: momentum,
                    decay: part.decays ? decay : 0)
            }
        case .adam(let rate, let decay):
            let variance = buffer + network.parameterFloats
            for part in others {
                network.adamStep(
                    part.range, mean: buffer, variance: variance,
                    Adam.settings(
                        step: steps, learningRate: rate * factor * part.factor, decay: part.decays ? decay : 0))
            }
        }
        // What has no rate keeps its norm as well.
        for part in filters where part.factor > 0 { turn(part, rate: learningRate * factor * part.factor) }
        network.parametersChanged()
    }

    /// `body` for each part of a tensor, on all threads.
    private func each(_ count: Int, _ body: (_ at: Int, _ count: Int) -> Void) {
        network.pool.split(count, grain: 1024) { _, range in body(range.lowerBound, range.count) }
    }

    private func transpose(_ from: Floats, _ rows: Int, _ columns: Int, _ to: Floats) {
        network.pool.split(rows, grain: 16) { _, range in
            ck_transpose(
                from + range.lowerBound * columns, Int32(range.count), Int32(columns), to + range.lowerBound,
                Int32(rows))
        }
    }

    private func turn(_ part: Part, rate: Double) {
        let start = part.range.lowerBound
        let (p, g, m) = (network.values + start, network.gradients! + start, buffer + start)
        let count = part.range.count
        // The smaller side lies along the rows of x.
        let (small, large) = (min(part.rows, part.columns), max(part.rows, part.columns))
        let isTall = part.rows > part.columns
        let ahead = isTall ? work.y : work.x
        each(count) { ck_momentum(g + $0, m + $0, ahead + $0, $1, Float(momentum)) }
        let scale = Float(1 / (norm(ahead, count, network.pool) + 1e-7))
        each(count) { ck_blend(ahead + $0, ahead + $0, $1, 0, scale) }
        if isTall { transpose(ahead, part.rows, part.columns, work.x) }
        let x = orthogonal(small: small, large: large)
        var update = x
        if isTall {
            update = x == work.x ? work.y : work.x
            transpose(x, small, large, update)
        }
        // Filters keep their norm: only their direction is learned.
        let length = Float(Double(part.columns).squareRoot() / max(1e-12, norm(p, count, network.pool)))
        each(count) { ck_blend(update + $0, p + $0, $1, -Float(rate), length) }
    }

    /// x ← a·x + (b·A + c·A²)·x with A = x·xᵀ, some times; x is small × large, in `work.x`, of norm 1.
    ///
    /// - Returns: where the result is, `work.x` or `work.y`.
    private func orthogonal(small: Int, large: Int) -> Floats {
        var (x, y) = (work.x, work.y)
        let (gram, square) = (work.gram, work.square)
        let (a, b, c) = Self.coefficients
        let (m, n) = (Int32(small), Int32(large))
        let columns = Int(ck_columns())
        for _ in 0..<Self.iterations {
            network.pool.split(small, grain: columns) { _, range in
                if range.isEmpty { return }
                ck_product_once(
                    m, Int32(range.count), n, x, large, x + range.lowerBound * large, large, 1, gram + range.lowerBound,
                    small)
            }
            network.pool.split(small, grain: columns) { _, range in
                if range.isEmpty { return }
                ck_product_once(
                    m, Int32(range.count), m, gram, small, gram + range.lowerBound, small, 0, square + range.lowerBound,
                    small)
            }
            each(small * small) { ck_blend(gram + $0, square + $0, $1, b, c) }
            for i in 0..<small { square[i * small + i] += a }
            network.pool.split(large, grain: columns) { _, range in
                if range.isEmpty { return }
                ck_product_once(
                    m, Int32(range.count), m, square, small, x + range.lowerBound, large, 0, y + range.lowerBound, large
                )
            }
            swap(&x, &y)
        }
        return x
    }
}
