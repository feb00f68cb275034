import FoveaControl

/// Whether a challenger may take its champion's place.
///
///     better   over all held-back images, by more than the error bar
///     no worse on the data's images alone, and on the corrections' alone, by more than theirs
///     learnt   where the data's images alone do not show it to be better: the corrections, beyond chance
///     no worse calibrated on the data's images, by more than a point and than chance
///     no worse at all on a label that is protected
///
/// The parts are looked at by themselves because each can deceive. Corrections that are wrong in the same way are
/// confirmed by those held back of them. And corrections are the champion's mistakes: any other model, though no better, is right
/// on some of them (`Learning`, and `Novelty` for new labels).
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

    package let all: PairedComparison
    /// By origin; one without images is left out.
    package let parts: [String: PairedComparison]
    /// Of corrections to labels that the champion knows; nil where there are none, or no data to hold them against.
    package let learning: Learning?
    /// Of corrections to labels that are new; nil where there are none.
    package let novelty: Novelty?
    /// On the data's images, where there are any.
    package let calibration: CalibrationComparison
    /// By true label.
    package let classes: [String: PairedComparison]
    /// Why it may not, a clause each; empty where it may.
    package let reasons: [String]

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
        all = comparison(images)
        parts = Dictionary(grouping: images, by: \.origin.rawValue).mapValues(comparison)
        classes = Dictionary(grouping: images, by: \.label).mapValues(comparison)
        let data = parts[Image.Origin.data.rawValue]
        learning = data.flatMap { data in
            let corrections = images.filter { $0.origin == .corrections && known.contains($0.label) }
            return Learning(corrections: comparison(corrections), data: data)
        }
        novelty = Novelty(images, known: known)
        calibration = CalibrationComparison(
            images.filter { $0.origin == .data || data == nil }.map { image in
                (
                    (image.champion.confidence, image.champion.label == image.label),
                    (image.challenger.confidence, image.challenger.label == image.label)
                )
            })

        var reasons: [String] = []
        if !all.isBetter {
            reasons.append("it is not better by more than the error bar: \(all.words)")
        }
        for (origin, part) in parts.sorted(by: { $0.key < $1.key }) where part.isWorse {
            let name = origin == Image.Origin.data.rawValue ? "the data's images" : "held-back corrections"
            reasons.append("it is worse on \(name) alone: \(part.words)")
        }
        let isLearnt = learning?.isBeyondChance == true || novelty?.isBeyondChance == true
        if let chance = Self.words(learning, novelty), !isLearnt, data?.isBetter != true {
            reasons.append(
                "it is right on no more of the corrections than a model that has learnt nothing from them would be: \(chance)"
            )
        }
        if calibration.isWorse {
            reasons.append(
                "its confidences are off by \(points(calibration.challenger)) points on the average, the champion's by "
                    + points(calibration.champion))
        }
        for label in protected {
            guard let part = classes[label] else {
                reasons.append("no held-back image shows the protected label '\(label)'")
                continue
            }
            if part.lost > part.gained {
                reasons.append(
                    "the protected label '\(label)' got worse: \(part.gained) images of \(part.images) gained, "
                        + "\(part.lost) lost")
            }
        }
        self.reasons = reasons
    }

    /// What was learnt of the corrections, beside what chance would give; nil where that cannot be said.
    private static func words(_ learning: Learning?, _ novelty: Novelty?) -> String? {
        let parts = [learning?.words, novelty?.words].compactMap { $0 }
        return parts.isEmpty ? nil : parts.joined(separator: "; ")
    }

    /// See `words(_:_:)`.
    package var learnt: String? { Self.words(learning, novelty) }
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
