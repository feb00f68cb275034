import FoveaControl
import FoveaData
import FoveaHeads
import FoveaModels
import FoveaSystem
import Glibc

/// What a training of own classes says about the pictures and about itself: all of it from out-of-fold answers.
package struct OwnClassesSummary: Sendable {
    package let labels: [String]
    /// Pictures of each class.
    package let counts: [Int]
    /// Each picture's answer by a head that has not learnt the picture.
    package let outcomes: [Outcome]
    package let right: Int
    package let folds: Int
    package let method: HeadFit.Method
    package let penalty: Double
    package let temperature: Double
    /// Right and wrong label with the number of pictures, most first.
    package let confusions: [Confusion]
    /// Pictures whose label looks wrong, the most surprising first.
    package let suspects: [Suspect]
    /// Groups of pictures that look the same.
    package let nearDuplicates: Int
    /// Out-of-fold share of the pictures that stay known.
    package let kept: Double
    /// Pictures whose features were not known from an earlier training.
    package let computed: Int
    /// Of features and head.
    package let seconds: Double

    package struct Confusion: Sendable, Equatable {
        package let label: String
        package let answer: String
        package let pictures: Int
    }

    package struct Suspect: Sendable, Equatable {
        package let name: String
        package let label: String
        package let answer: String
        /// Of the answer.
        package let confidence: Double
    }

    /// Confidence from which a wrong answer casts doubt on the label, and not only on the model.
    private static let suspicious: Float = 0.8

    init(
        pictures: [Picture], labels: [String], fit: HeadFit, folds: Int, unknown: UnknownFit, computed: Int,
        seconds: Double
    ) {
        self.labels = labels
        self.folds = folds
        (method, penalty, temperature) = (fit.method, fit.penalty, fit.temperature)
        (self.computed, self.seconds) = (computed, seconds)
        var counts = [Int](repeating: 0, count: labels.count)
        for picture in pictures { counts[picture.label] += 1 }
        self.counts = counts
        outcomes = pictures.enumerated().map { index, picture in
            let row = Self.probabilities(fit.outOfFold[row: index], temperature: fit.temperature)
            return row.withUnsafeBufferPointer {
                Outcome(
                    label: picture.label, scores: $0,
                    unknownness: Float(unknown.distances[index] / unknown.threshold))
            }
        }
        right = outcomes.filter(\.isRight).count
        var pairs: [Int: Int] = [:]
        for outcome in outcomes where !outcome.isRight {
            pairs[outcome.label * labels.count + outcome.top[0].label, default: 0] += 1
        }
        confusions = pairs.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { key, count in
            Confusion(label: labels[key / labels.count], answer: labels[key % labels.count], pictures: count)
        }
        suspects = zip(pictures, outcomes).filter { !$1.isRight && $1.top[0].probability >= Self.suspicious }
            .sorted { ($1.1.top[0].probability, $0.0.name) < ($0.1.top[0].probability, $1.0.name) }
            .map { picture, outcome in
                Suspect(
                    name: picture.name, label: labels[picture.label], answer: labels[outcome.top[0].label],
                    confidence: Double(outcome.top[0].probability))
            }
        nearDuplicates = Dictionary(grouping: pictures, by: \.group).values.filter { $0.count > 1 }.count
        kept = Double(unknown.distances.filter { $0 <= unknown.threshold }.count) / Double(max(1, pictures.count))
    }

    private static func probabilities(_ logits: ArraySlice<Double>, temperature: Double) -> [Float] {
        let top = logits.max() ?? 0
        let powers = logits.map { exp(($0 - top) / temperature) }
        let sum = powers.reduce(0, +)
        return powers.map { Float($0 / sum) }
    }

    /// Of the share that is right.
    package var interval: Interval { Interval(right: right, of: outcomes.count) }

    /// The figures for `metrics` in config.json.
    var metrics: JSONValue {
        guard case .object(var members) = Score(outcomes, labels: labels).summary else { return .null }
        members["low"] = .number(interval.low)
        members["high"] = .number(interval.high)
        members["folds"] = .int(folds)
        return .object(["dev": .object(members)])
    }

    /// For people, line by line.
    package var lines: [String] {
        let share = Double(right) / Double(max(1, outcomes.count))
        var lines = [
            "right       \(Figures.percent(share)) ± \(Units.decimals(100 * interval.half, 1)) of \(Figures.grouped(outcomes.count)) "
                + "pictures, each answered without having been learnt (\(folds) folds; the interval holds 95%)"
        ]
        let counted = zip(labels, counts).map { "\($0) \(Figures.grouped($1))" }
        lines.append("pictures    \(counted.prefix(12).joined(separator: ", "))\(counted.count > 12 ? ", …" : "")")
        let worst = Score(outcomes, labels: labels).ordered.suffix(3).reversed()
        lines.append(
            "hardest     "
                + worst.map { "\($0.label) \(Figures.percent($0.score.top1, decimals: 0))" }.joined(separator: ", "))
        if !confusions.isEmpty {
            lines.append(
                "confused    "
                    + confusions.prefix(5).map { "\($0.label) taken for \($0.answer) \($0.pictures)×" }.joined(
                        separator: ", "))
        }
        if !suspects.isEmpty {
            lines.append(
                "look at     \(suspects.count) \(suspects.count == 1 ? "picture whose label" : "pictures whose labels") may be wrong:"
            )
            for suspect in suspects.prefix(5) {
                lines.append(
                    "            \(suspect.name) looks like \(suspect.answer) (\(Figures.percent(suspect.confidence, decimals: 0)))"
                )
            }
        }
        if nearDuplicates > 0 {
            lines.append(
                "look alike  \(nearDuplicates) \(nearDuplicates == 1 ? "group" : "groups") of pictures, each kept in one fold"
            )
        }
        lines.append(
            "unknown     \(Figures.percent(kept, decimals: 0)) of these pictures stay known; what is further away goes to outbox/unknown"
        )
        return lines
    }
}
