/// From which confidence on a result counts, and from which unknown-ness on an image belongs to no class: what
/// `confidence` and `unknown` of the configuration say.
package struct Thresholds: Sendable, Equatable {
    /// Results below this confidence, 0 to 1, are unsure.
    package var confidence = 0.0
    /// The same for single labels, in place of `confidence`.
    package var confidenceByLabel: [String: Double] = [:]
    package var unknown = Unknown.model

    /// When an image counts as one of no class.
    package enum Unknown: Sendable, Equatable {
        /// Above the threshold that the model has.
        case model
        /// Never.
        case off
        /// Above so many times the model's threshold.
        case factor(Double)

        /// The unknown-ness above which an image is unknown, in units of the model's threshold; nil is never.
        package var limit: Double? {
            switch self {
            case .model: 1
            case .off: nil
            case .factor(let factor): factor
            }
        }
    }

    package init() {}

    /// The least confidence with which an image is filed under a label.
    package func confidence(for label: String) -> Double { confidenceByLabel[label] ?? confidence }

    /// Which of the settings have no effect on a model, a clause each. That is no error: models are swapped, and the next
    /// one may have the label.
    ///
    /// - Parameter tellsUnknown: the model can tell which images belong to none of its classes; nil where that is not known.
    package func withoutEffect(on model: String, labels: [String], tellsUnknown: Bool?) -> [String] {
        let missing = Set(confidenceByLabel.keys).subtracting(labels).sorted()
        var clauses: [String] = []
        if !missing.isEmpty {
            let names = missing.prefix(5).map { "'\($0)'" }.joined(separator: ", ") + (missing.count > 5 ? " …" : "")
            let are = missing.count == 1 ? "is not a label" : "are not labels"
            clauses.append("confidence: \(names) \(are) of \(model), so the value has no effect")
        }
        if case .factor = unknown, tellsUnknown == false {
            clauses.append("unknown: \(model) cannot tell which images are unknown, so the value has no effect")
        }
        return clauses
    }
}
