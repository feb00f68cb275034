/// A factor on the learning rate of a tensor, by its name: a new head may learn faster than what was learnt before, and a
/// factor of 0 leaves a tensor as it is.
package typealias RateFactor = (_ tensor: String) -> Double

/// Turns the gradients in a network's arena into new parameters.
package protocol Optimizer: AnyObject {
    /// Steps made.
    var steps: Int { get set }
    /// All that it remembers from step to step, for checkpoints.
    var memory: UnsafeMutableBufferPointer<Float> { get }

    /// One step.
    ///
    /// - Parameter factor: of the schedule, on all learning rates.
    func apply(factor: Double)
}

extension TrainingSettings {
    /// The optimizer that the settings name.
    func makeOptimizer(_ network: Network, rateFactor: RateFactor = { _ in 1 }) -> any Optimizer {
        let clip = clip > 0 ? clip : nil
        switch optimizer {
        case .adam:
            return Adam(
                network, learningRate: learningRate, weightDecay: weightDecay, clip: clip, rateFactor: rateFactor)
        case .sgd:
            return SGD(
                network, learningRate: learningRate, momentum: momentum, weightDecay: weightDecay, clip: clip,
                rateFactor: rateFactor)
        case .muon:
            return Muon(
                network, learningRate: muonLearningRate, momentum: muonMomentum,
                rest: .nesterov(learningRate: learningRate, momentum: momentum, weightDecay: weightDecay),
                rateFactor: rateFactor)
        case .muonAdam:
            return Muon(
                network, learningRate: muonLearningRate, momentum: muonMomentum,
                rest: .adam(learningRate: learningRate, weightDecay: weightDecay), rateFactor: rateFactor)
        }
    }
}
