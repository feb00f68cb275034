import FoveaControl

/// On which images two models give different labels.
package struct ModelComparison: Codable, Sendable, Equatable {
    /// An image on which they differ.
    package struct Difference: Codable, Sendable, Equatable {
        /// Printable: below the outbox, or as the data set calls it.
        package let image: String
        /// The true label, where it is known.
        package let truth: String?
        package let old: Prediction
        package let new: Prediction

        package init(image: String, truth: String? = nil, old: Prediction, new: Prediction) {
            (self.image, self.truth, self.old, self.new) = (image, truth, old, new)
        }
    }

    /// How often one label has become another.
    package struct Flip: Codable, Sendable, Equatable {
        package let from: String
        package let to: String
        package let images: Int
    }

    package private(set) var schema = "fovea.comparison/1"
    package let old: String
    package let new: String
    package let images: Int
    /// In the order of the images.
    package let differences: [Difference]
    /// The most frequent first.
    package let flips: [Flip]
    /// Which of them is right more often, where that is known.
    package let accuracy: PairedComparison?
    /// Images that one of them could not classify, with the reason.
    package let failures: [CorrectionProblem]

    /// - Parameter answers: of both models to each image that both could classify.
    package init(
        old: String, new: String, answers: [Difference], failures: [CorrectionProblem] = []
    ) {
        (self.old, self.new, self.failures) = (old, new, failures)
        images = answers.count
        differences = answers.filter { $0.old.label != $0.new.label }
        flips = Dictionary(grouping: differences) { [$0.old.label, $0.new.label] }
            .map { Flip(from: $0[0], to: $0[1], images: $1.count) }
            .sorted { ($1.images, $0.from, $0.to) < ($0.images, $1.from, $1.to) }
        let known = answers.compactMap { answer in
            answer.truth.map { (champion: answer.old.label == $0, challenger: answer.new.label == $0) }
        }
        accuracy = known.isEmpty ? nil : PairedComparison(known)
    }

    /// For a terminal: what changed how often, then each image.
    package var text: String {
        var lines = [
            "\(old) and \(new) differ on \(Figures.grouped(differences.count)) of \(Figures.grouped(images)) images"
                + (images == 0 ? "" : " (\(Figures.percent(Double(differences.count) / Double(images))))")
        ]
        if let accuracy {
            lines.append(
                "right: \(Figures.percent(accuracy.champion, decimals: 2)) → "
                    + "\(Figures.percent(accuracy.challenger, decimals: 2)), \(accuracy.words)")
        }
        if !flips.isEmpty {
            lines.append("")
            lines += flips.map { "\(Self.padded($0.images))  \($0.from) → \($0.to)" }
            lines.append("")
            lines += differences.map { difference in
                "\(difference.image)  \(Self.words(difference.old)) → \(Self.words(difference.new))"
                    + (difference.truth.map { "  (\($0))" } ?? "")
            }
        }
        if !failures.isEmpty {
            lines.append("")
            lines += failures.map { "not compared: \($0.path): \($0.reason)" }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    static func words(_ answer: Prediction) -> String { "\(answer.label) \(Figures.percent(answer.confidence))" }

    private static func padded(_ count: Int) -> String {
        let text = String(count)
        return String(repeating: " ", count: max(0, 6 - text.count)) + text
    }
}
