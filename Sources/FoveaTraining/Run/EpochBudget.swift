import FoveaCLI
import FoveaControl
import FoveaNN

extension TrainingPlan.Budget {
    /// The share of the time that epochs may fill: checkpoints, measuring and storing need the rest.
    private static let share = 0.95

    /// The epochs that fit, 1 at least and `most` at most.
    ///
    /// - Parameter epoch: seconds that one takes.
    package func epochs(of epoch: Double) -> Int { max(1, min(most, Int(min(Self.share * seconds / epoch, 1e9)))) }

    /// Measures how long an epoch takes on this machine.
    ///
    /// - Returns: the epochs that fit.
    /// - Throws: `Failure.tryAgain` where a signal asked to stop.
    func measuredEpochs(
        _ network: Network, _ settings: TrainingSettings, _ training: ChainSource, development: Int, _ console: Console
    ) throws -> Int {
        let epoch: Double
        do {
            epoch = try Trainer(network, settings: settings).measuredSecondsPerEpoch(
                training, development: development, isStopped: { Interruption.signal != nil })
        } catch is CancellationError {
            throw Failure.tryAgain("stopped before the first step")
        }
        let fitting = epochs(of: epoch)
        console.note(
            "an epoch takes about \(Units.show(seconds: epoch)) here: \(fitting) in \(Units.show(seconds: seconds))"
                + (epoch > seconds ? ", though one alone takes longer" : ""))
        return fitting
    }
}
