import FoveaSystem

/// What a retraining came to.
package enum RetrainOutcome: String, Codable {
    case promoted, kept, nothingNew = "nothing-new", better
    /// By the daemon: its golden set, its sandbox.
    case refused
    /// The training came to nothing.
    case failed

    /// Of `retrain`, which has codes of its own for three ends that are no failures.
    package var exitCode: Int32 {
        switch self {
        case .promoted: ExitStatus.success.rawValue
        case .kept: 10
        case .nothingNew: 11
        case .better: 12
        case .refused, .failed: ExitStatus.data.rawValue
        }
    }
}
