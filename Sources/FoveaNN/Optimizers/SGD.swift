import CKernels

/// Stochastic gradient descent with Nesterov's momentum (Sutskever et al. 2013, as PyTorch has it) and clipping by the global
/// norm.
package final class SGD: Optimizer {
    let learningRate: Double
    let momentum: Double
    /// Coupled: added to the gradient of filters and matrices.
    let weightDecay: Double
    let clip: Double?
    package var steps = 0
    package var memory: UnsafeMutableBufferPointer<Float> {
        UnsafeMutableBufferPointer(start: buffer, count: network.parameterFloats)
    }

    private let network: Network
    private let arena = Arena()
    private let buffer: Floats
    private let gradientNorm: GradientNorm
    private let runs: [ParameterRun]

    package init(
        _ network: Network, learningRate: Double, momentum: Double = 0.9, weightDecay: Double = 0, clip: Double? = nil,
        rateFactor: RateFactor = { _ in 1 }
    ) {
        self.network = network
        (self.learningRate, self.momentum) = (learningRate, momentum)
        (self.weightDecay, self.clip) = (weightDecay, clip)
        gradientNorm = GradientNorm(network)
        let place = arena.reserve(network.parameterFloats)
        arena.allocate()
        buffer = arena[place]
        runs = network.parameterRuns(rateFactor)
    }

    package func apply(factor: Double) {
        steps += 1
        let scale = gradientNorm.scale(limit: clip)
        for run in runs {
            network.descend(
                run.range, buffer: buffer, rate: learningRate * factor * run.factor, momentum: momentum,
                decay: run.decays ? weightDecay : 0, scale: scale)
        }
        network.parametersChanged()
    }
}

extension Network {
    /// A step of Nesterov's momentum for a part of the parameters.
    func descend(
        _ range: Range<Int>, buffer: Floats, rate: Double, momentum: Double, decay: Double, scale: Double = 1
    ) {
        let (values, gradients) = (values, gradients!)
        pool.split(range.count, grain: 1024) { _, part in
            let at = range.lowerBound + part.lowerBound
            ck_nesterov(
                values + at, gradients + at, buffer + at, part.count, Float(rate), Float(momentum), Float(decay),
                Float(scale))
        }
    }
}
