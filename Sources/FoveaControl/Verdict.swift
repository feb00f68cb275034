import FoveaModels

/// What becomes of a classified image: its status, and the folder below the outbox. The one place where that is decided,
/// for the daemon, `classify` without it, and `evaluate`.
package struct Verdict: Sendable, Equatable {
    package let status: ResultRecord.Status
    /// At the top of the outbox.
    package let folder: String

    /// - Parameters:
    ///   - label: the best one.
    ///   - confidence: of the label, 0 to 1.
    ///   - unknownness: in units of the model's own threshold; nil where the model cannot tell.
    package init(label: String, confidence: Float, unknownness: Float?, thresholds: Thresholds) {
        // Of what belongs to no class, the confidence of the best one says nothing.
        if let unknownness, let limit = thresholds.unknown.limit, Double(unknownness) > limit {
            (status, folder) = (.unknown, OutboxFolder.unknown)
        } else if Double(confidence) < thresholds.confidence(for: label) {
            (status, folder) = (.unsure, OutboxFolder.unsure)
        } else {
            (status, folder) = (.classified, OutboxFolder.of(label: label))
        }
    }
}
