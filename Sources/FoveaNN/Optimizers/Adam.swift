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

    let mean: Floats
    let variance: Floats
    private let arena = Arena()
    private let network: Network
    private let gradientNorm: GradientNorm
    private let runs: [ParameterRun]

    /// The mean and the variance.
    package var memory: UnsafeMutableBufferPointer<Float> {
        UnsafeMutableBufferPointer(start: mean, count: arena.count)
    }

    package init(
        _ network: Network, learningRate: Double = 1e-3, weightDecay: Double = 0, clip: Double? = nil,
        rateFactor: RateFactor = { _ in 1 }
    ) {
        self.network = network
        self.learningRate = learningRate
        self.weightDecay = weightDecay
        self.clip = clip
        gradientNorm = GradientNorm(network)
        let (m, v) = (arena.reserve(network.parameterFloats), arena.reserve(network.parameterFloats))
        arena.allocate()
        (mean, variance) = (arena[m], arena[v])
        runs = network.parameterRuns(rateFactor)
    }

    package func norm() -> Double { gradientNorm.value() }

    package func apply(factor: Double) { apply(learningRate: learningRate * factor) }

    /// One step with the gradients in the network's arena.
    package func apply(learningRate: Double) {
        steps += 1
        var settings = ck_adam_settings(
            step: 0,
            root: Float(1 / (1 - pow(beta2, Double(steps))).squareRoot()), epsilon: Float(epsilon),
            beta1: Float(beta1), beta2: Float(beta2), decay: 0, scale: Float(gradientNorm.scale(limit: clip)))
        let (values, gradients, mean, variance) = (network.values, network.gradients!, mean, variance)
        for run in runs {
            let rate = learningRate * run.factor
            settings.step = Float(rate / (1 - pow(beta1, Double(steps))))
            settings.decay = run.decays ? Float(rate * weightDecay) : 0
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
