/// What whoever calls `retrain` asks for, beside the configuration.
package struct RetrainRequest {
    /// Seconds, instead of the configuration's budget.
    package var budget: Double?
    /// Say what would be learnt from, and train nothing.
    package var isDryRun = false
    /// A better challenger goes into the store and does not serve.
    package var keepsChampion = false
    /// Retrain although data and settings are those of the last time.
    package var isForced = false
    /// Give up a retraining that is unfinished.
    package var restarts = false
    /// Go on with a retraining that is unfinished, and begin none.
    package var onlyUnfinished = false
    package var seed: UInt64 = 1
    /// nil: as many as an unfinished retraining began with, otherwise one for each processor.
    package var threads: Int?
    package var output = Output.line

    /// How the outcome is told on standard output.
    package enum Output {
        /// One line, which names the report.
        case line
        /// The whole report as text.
        case mail
        case json
    }

    package init() {}
}
