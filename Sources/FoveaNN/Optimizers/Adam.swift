import CKernels
import Glibc

/// Adam (Kingma & Ba 2015) with decoupled weight decay (Loshchilov & Hutter 2019) over a network's parameter arena,
/// with clipping by the global norm.
package final class Adam: Optimizer {
    let beta1 = 0.9
    let beta2 = 0.999
    let epsilon = 1e-8
    /// Decay applies to filters and matrices only.
    let weightDecay: Double
    /// Gradients with a larger norm are scaled down to it; nil: never.
    let clip: Double?
    let learningRate: Double
    /// Steps made: the exponent of the bias corrections.
    package var steps = 0

    let count: Int
    let mean: Floats
    let variance: Floats
    private let arena = Arena()
    private let network: Network
    private let runs: [(range: Range<Int>, decays: Bool)]

    /// The mean and the variance.
    package var memory: UnsafeMutableBufferPointer<Float> {
        UnsafeMutableBufferPointer(start: mean, count: arena.count)
    }

    package init(_ network: Network, learningRate: Double = 1e-3, weightDecay: Double = 0, clip: Double? = nil) {
        self.network = network
        self.learningRate = learningRate
        self.weightDecay = weightDecay
        self.clip = clip
        count = network.parameterFloats
        let (m, v) = (arena.reserve(count), arena.reserve(count))
        arena.allocate()
        (mean, variance) = (arena[m], arena[v])
        var runs: [(Range<Int>, Bool)] = []
        var next = 0
        for range in network.decaying.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if next < range.lowerBound { runs.append((next..<range.lowerBound, false)) }
            runs.append((range, true))
            next = range.upperBound
        }
        if next < count { runs.append((next..<count, false)) }
        self.runs = runs.map { (range: $0.0, decays: $0.1) }
    }

    /// The gradients' norm; in pieces of fixed size added in order, so that threads do not matter.
    package func norm() -> Double {
        let gradients = network.gradients!
        let piece = 1 << 16
        let count = count
        var sums = [Double](repeating: 0, count: (count + piece - 1) / piece)
        sums.withUnsafeMutableBufferPointer { sums in
            let sums = sums.baseAddress!
            network.pool.split((count + piece - 1) / piece) { _, pieces in
                for p in pieces { sums[p] = ck_sum_squares(gradients + p * piece, min(piece, count - p * piece)) }
            }
        }
        return sums.reduce(0, +).squareRoot()
    }

    package func apply(factor: Double) { apply(learningRate: learningRate * factor) }

    /// One step with the gradients in the network's arena.
    package func apply(learningRate: Double) {
        steps += 1
        var scale = 1.0
        if let clip {
            let norm = norm()
            if norm > clip { scale = clip / norm }
        }
        var settings = ck_adam_settings(
            step: Float(learningRate / (1 - pow(beta1, Double(steps)))),
            root: Float(1 / (1 - pow(beta2, Double(steps))).squareRoot()), epsilon: Float(epsilon),
            beta1: Float(beta1), beta2: Float(beta2), decay: 0, scale: Float(scale))
        let (values, gradients, mean, variance) = (network.values, network.gradients!, mean, variance)
        for run in runs {
            settings.decay = run.decays ? Float(learningRate * weightDecay) : 0
            let fixed = settings
            network.pool.split(run.range.count, grain: 4096) { _, part in
                let first = run.range.lowerBound + part.lowerBound
                withUnsafePointer(to: fixed) {
                    ck_adam(values + first, gradients + first, mean + first, variance + first, part.count, $0)
                }
            }
        }
        network.parametersChanged()
    }
}
