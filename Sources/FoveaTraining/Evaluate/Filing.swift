import FoveaControl

extension Outcome {
    /// What would become of the image, were the model to serve.
    package func verdict(labels: [String], thresholds: Thresholds) -> Verdict {
        Verdict(
            label: labels[top[0].label], confidence: top[0].probability, unknownness: unknownness,
            thresholds: thresholds)
    }
}

/// How a model's images would be filed with the thresholds of a configuration.
package struct Filing: Encodable, Sendable, Equatable {
    /// Images under a label.
    package private(set) var classified = 0
    /// Images below the confidence threshold.
    package private(set) var unsure = 0
    /// Images that belong to no class that the model knows.
    package private(set) var unknown = 0
    /// Images under a label that is the right one.
    package private(set) var right = 0
    /// The model can tell which images are unknown.
    package private(set) var tellsUnknown = false

    package init(_ outcomes: [Outcome], labels: [String], thresholds: Thresholds) {
        for outcome in outcomes {
            tellsUnknown = tellsUnknown || outcome.unknownness != nil
            switch outcome.verdict(labels: labels, thresholds: thresholds).status {
            case .classified:
                classified += 1
                right += outcome.isRight ? 1 : 0
            case .unsure: unsure += 1
            case .unknown: unknown += 1
            }
        }
    }

    /// For people; nil where every image is filed under a label because nothing could do otherwise.
    package var line: String? {
        guard tellsUnknown || unsure > 0 else { return nil }
        let share =
            classified == 0 ? "" : " (\(Figures.percent(Double(right) / Double(classified), decimals: 2)) right)"
        return "filed       \(Figures.grouped(classified)) under labels\(share), \(Figures.grouped(unsure)) unsure, "
            + "\(Figures.grouped(unknown)) unknown"
    }
}
