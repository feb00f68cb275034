import FoveaControl

/// Whether a challenger may take its champion's place.
///
///     better   over all held-back images, by more than the error bar
///     no worse on the data's images alone, and on the corrections' alone, by more than theirs
///     learnt   the corrections to known labels and those to new ones, beyond guessing; one of them beyond luck, where the data's
///              images alone do not show it to be better
///     no worse calibrated on the data's images, by more than a point and than chance
///     no worse at all on a label that is protected, on the data's images or on the corrections'
///
/// The parts are looked at by themselves because each can deceive. Corrections that are wrong in the same way are
/// confirmed by those held back of them. Corrections are the champion's mistakes: any other model, though no better, is right on
/// some of them (`Learning`). And on labels that the champion does not have it can only be wrong, so those of the data's images
/// are a part of their own.
package struct Gate: Codable, Sendable, Equatable {
    /// An image that neither model has learnt.
    package struct Image: Sendable {
        package enum Origin: String, Sendable { case data, corrections }

        package let origin: Origin
        /// The true one.
        package let label: String
        package let champion: Prediction
        package let challenger: Prediction

        package init(origin: Origin, label: String, champion: Prediction, challenger: Prediction) {
            (self.origin, self.label, self.champion, self.challenger) = (origin, label, champion, challenger)
        }
    }

    /// What is compared by itself. The data's images are two parts: with labels of the champion's, and without.
    package enum Part: String, Codable, Sendable, CodingKeyRepresentable, CaseIterable {
        case data, newLabels = "new-labels", corrections
    }

    package let all: PairedComparison
    /// One without images is left out.
    package let parts: [Part: PairedComparison]
    /// Of the corrections to known labels, and of those to new ones; nil where there are none that the champion gets wrong.
    package let learning: Learning?
    package let novelty: Learning?
    /// On the data's images, where there are any.
    package let calibration: CalibrationComparison
    /// By true label.
    package let classes: [String: PairedComparison]
    /// By true label: how much surer the models are of their answers than these are right.
    package let overconfidence: [String: Overconfidence]
    /// Why it may not, a clause each; empty where it may.
    package let reasons: [String]

    /// Mean confidence less the share of right answers, of the same images.
    package struct Overconfidence: Codable, Sendable, Equatable {
        package let champion: Double
        package let challenger: Double

        init(_ images: [Image]) {
            func mean(_ answer: (Image) -> Prediction) -> Double {
                images.reduce(0) { $0 + answer($1).confidence - (answer($1).label == $1.label ? 1 : 0) }
                    / Double(max(1, images.count))
            }
            (champion, challenger) = (mean(\.champion), mean(\.challenger))
        }
    }

    /// The challenger may serve.
    package var isPassed: Bool { reasons.isEmpty }

    /// - Parameters:
    ///   - known: the champion's labels.
    ///   - protected: labels that must not get worse.
    package init(_ images: [Image], known: Set<String>, protected: [String] = []) {
        func comparison(_ images: some Sequence<Image>) -> PairedComparison {
            PairedComparison(
                images.lazy.map { ($0.champion.label == $0.label, $0.challenger.label == $0.label) })
        }
        func part(_ image: Image) -> Part {
            image.origin == .corrections ? .corrections : known.contains(image.label) ? .data : .newLabels
        }
        all = comparison(images)
        parts = Dictionary(grouping: images, by: part).mapValues(comparison)
        let byLabel = Dictionary(grouping: images, by: \.label)
        classes = byLabel.mapValues(comparison)
        overconfidence = byLabel.mapValues(Overconfidence.init)
        let data = parts[.data]
        learning = Learning(images, to: known.contains, data: data)
        novelty = Learning(images, to: { !known.contains($0) }, data: nil)
        calibration = CalibrationComparison(
            images.filter { $0.origin == .data }.map { image in
                (
                    (image.champion.confidence, image.champion.label == image.label),
                    (image.challenger.confidence, image.challenger.label == image.label)
                )
            })

        var reasons: [String] = []
        if !all.isBetter {
            reasons.append("it is not better by more than the error bar: \(all.words)")
        }
        if data == nil {
            reasons.append("no held-back image of the data shows that the champion's labels are not forgotten")
        }
        for part in Part.allCases {
            guard let comparison = parts[part], comparison.isWorse else { continue }
            reasons.append("it is worse on \(part.words) alone: \(comparison.words)")
        }
        // Wrong corrections must not come along with what is better for other reasons.
        let learnt = [learning, novelty].compactMap(\.self)
        let unlearnt = learnt.filter { $0.images >= Learning.fewest && !$0.guessing.isExcluded }
        for part in unlearnt { reasons.append("it has not learnt the corrections: \(part.words)") }
        if unlearnt.isEmpty, !learnt.isEmpty, data?.isBetter != true, !learnt.contains(where: \.luck.isExcluded) {
            reasons.append(
                "what it gains on corrections may be luck: \(learnt.map(\.words).joined(separator: "; "))")
        }
        if calibration.isWorse {
            reasons.append(
                "its confidences are off by \(points(calibration.challenger)) points on the average, the champion's by "
                    + points(calibration.champion))
        }
        for label in protected {
            let shown = Dictionary(grouping: images.filter { $0.label == label }, by: part).mapValues(comparison)
            if shown.isEmpty { reasons.append("no held-back image shows the protected label '\(label)'") }
            for part in Part.allCases {
                guard let comparison = shown[part], comparison.lost > comparison.gained else { continue }
                reasons.append(
                    "the protected label '\(label)' got worse on \(part.words): \(comparison.gained) images of "
                        + "\(comparison.images) gained, \(comparison.lost) lost")
            }
        }
        self.reasons = reasons
    }
}

extension Gate.Part {
    /// For people.
    package var words: String {
        switch self {
        case .data: "the data's images"
        case .newLabels: "the data's images with new labels"
        case .corrections: "held-back corrections"
        }
    }
}

extension PairedComparison {
    /// `+1.32 ± 0.41 points on 4,400 images (182 gained, 124 lost, p = 0.001)`.
    package var words: String {
        let probability = p < 0.001 ? "p < 0.001" : "p = \(Units.decimals(p, 3))"
        return "\(difference < 0 ? "−" : "+")\(points(abs(difference))) ± \(points(errorBar)) points on "
            + "\(Figures.grouped(images)) images (\(Figures.grouped(gained)) gained, \(Figures.grouped(lost)) lost, \(probability))"
    }
}

/// A share as percentage points with two decimals.
func points(_ share: Double) -> String { Units.decimals(100 * share, 2) }
