import CKernels
import Glibc

/// Adam (Kingma & Ba 2015) with decoupled weight decay (Loshchilov & Hutter 2019) over a network's parameter arena,
/// with clipping by the global norm.
package final class Adam: Optimizer {
    private static let (beta1, beta2, epsilon) = (0.9, 0.999, 1e-8)
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
        let scale = gradientNorm.scale(limit: clip)
        for run in runs {
            network.adamStep(
                run.range, mean: mean, variance: variance,
                Self.settings(
                    step: steps, learningRate: learningRate * run.factor, decay: run.decays ? weightDecay : 0,
                    scale: scale))
        }
        network.parametersChanged()
    }

    /// What the kernel needs for a step.
    ///
    /// - Parameters:
    ///   - step: counts from 1; the exponent of the bias corrections.
    ///   - decay: decoupled.
    ///   - scale: factor of the gradients.
    static func settings(
        step: Int, learningRate: Double, decay: Double, scale: Double = 1
    ) -> ck_adam_settings {
        ck_adam_settings(
            step: Float(learningRate / (1 - pow(beta1, Double(step)))),
            root: Float(1 / (1 - pow(beta2, Double(step))).squareRoot()), epsilon: Float(epsilon),
            beta1: Float(beta1), beta2: Float(beta2), decay: Float(learningRate * decay), scale: Float(scale))
    }
}

extension Network {
    /// Adam's step of a run of parameters; `mean` and `variance` are as long as the parameter arena.
    func adamStep(_ range: Range<Int>, mean: Floats, variance: Floats, _ settings: ck_adam_settings) {
        let (values, gradients) = (values, gradients!)
        pool.split(range.count, grain: 4096) { _, part in
            let first = range.lowerBound + part.lowerBound
            withUnsafePointer(to: settings) {
                ck_adam(values + first, gradients + first, mean + first, variance + first, part.count, $0)
            }
        }
    }
}
