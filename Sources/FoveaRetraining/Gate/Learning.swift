import FoveaControl
import Glibc

/// Whether corrections, to known labels or to new ones, have been learnt. They are images that the champion got wrong, so that a
/// challenger that is only different gains on them and cannot lose. What it gets right is held against two others:
///
/// - `guessing`: how often it gives an image's label to held-back corrections with other labels, or to images of the data sets with
///   other labels, whichever is more often. Where labels were shuffled it is right no more often than that.
/// - `luck`: of labels that the champion knows at least the share of the champion's mistakes on the data sets that a model as
///   different, and no better, would put right: such a model gains as many as it loses. Of new labels it is guessing.
///
/// All shares by Laplace's rule, (k + 1) / (n + 2), for what was never seen is not impossible.
package struct Learning: Codable, Sendable, Equatable {
    /// Held-back corrections that the champion gets wrong.
    package let images: Int
    /// The share of them that the challenger gets right.
    package let right: Double
    package let guessing: Chance
    package let luck: Chance

    /// What would be right without having learnt anything.
    package struct Chance: Codable, Sendable, Equatable {
        package let expected: Double
        /// The probability that as many are right: the tail of a beta-binomial distribution, for `expected` is itself an estimate
        /// from so and so many images.
        package let p: Double

        /// One in forty, as it is beyond 1.96 standard errors.
        package var isExcluded: Bool { p < 0.025 }
    }

    /// With fewer images nothing can be said of guessing.
    package static let fewest = 10

    /// nil where the champion gets no such correction wrong.
    ///
    /// - Parameters:
    ///   - images: all that are held back.
    ///   - isMeant: whether corrections to a label are.
    ///   - data: champion and challenger on the data sets' images with known labels, for corrections to these.
    init?(_ images: [Gate.Image], to isMeant: (String) -> Bool, data: PairedComparison?) {
        let corrections = images.filter { $0.origin == .corrections && $0.champion.label != $0.label }
        let wrong = corrections.filter { isMeant($0.label) }
        guard !wrong.isEmpty else { return nil }
        let pools = [corrections, images.filter { $0.origin == .data }].map(Pool.init)
        let meant = Pool(wrong)
        let hits = meant.hits.values.reduce(0, +)
        let mistakes = data.map { Int(((1 - $0.champion) * Double($0.images)).rounded()) } ?? 0
        func chance(_ lucky: Share?) -> Chance {
            let shares = meant.truths.map { label, times in
                let candidates = pools.map { $0.share(answeredElsewhere: label) } + [lucky]
                return (Double(times), candidates.compactMap { $0 }.max { $0.value < $1.value } ?? Share(0, of: 0))
            }
            let expected = shares.reduce(0) { $0 + $1.0 * $1.1.value } / Double(wrong.count)
            let trials = shares.reduce(0) { $0 + $1.0 * $1.1.trials } / Double(wrong.count)
            let p = Self.tail(hits, of: wrong.count, alpha: expected * trials, beta: (1 - expected) * trials)
            return Chance(expected: expected, p: p)
        }
        self.images = wrong.count
        right = Double(hits) / Double(wrong.count)
        guessing = chance(nil)
        luck = chance(data.flatMap { mistakes > 0 ? Share(min($0.lost, mistakes), of: mistakes) : nil })
    }

    package var words: String {
        func words(_ chance: Chance) -> String {
            let probability = chance.p < 0.001 ? "p < 0.001" : "p = \(Units.decimals(chance.p, 3))"
            return "\(Figures.percent(chance.expected)) (\(probability))"
        }
        return
            "\(Figures.percent(right)) right of the \(Figures.grouped(images)) held back that the champion gets wrong, where "
            + "guessing would get \(words(guessing))"
            + (luck == guessing ? "" : " and a model that is different and no better \(words(luck))")
    }

    /// The probability of at least `hits` among `n`, each with a probability that is itself beta distributed.
    package static func tail(_ hits: Int, of n: Int, alpha: Double, beta: Double) -> Double {
        func logBeta(_ a: Double, _ b: Double) -> Double { lgamma(a) + lgamma(b) - lgamma(a + b) }
        let sum = (hits...n).reduce(0.0) { sum, k in
            sum
                + exp(
                    logChoices(k, of: n) + logBeta(Double(k) + alpha, Double(n - k) + beta) - logBeta(alpha, beta))
        }
        return min(1, sum)
    }

    /// An estimated share, and the number of images, with Laplace's two, that it was seen on.
    private struct Share {
        let value: Double
        let trials: Double

        init(_ hits: Int, of count: Int) {
            trials = Double(count + 2)
            value = Double(hits + 1) / trials
        }
    }

    /// Images by true label and by the challenger's answer.
    private struct Pool {
        let count: Int
        let truths: [String: Int]
        let answers: [String: Int]
        let hits: [String: Int]

        init(_ images: [Gate.Image]) {
            func counts(_ labels: [String]) -> [String: Int] {
                Dictionary(labels.map { ($0, 1) }, uniquingKeysWith: +)
            }
            count = images.count
            truths = counts(images.map(\.label))
            answers = counts(images.map(\.challenger.label))
            hits = counts(images.filter { $0.challenger.label == $0.label }.map(\.label))
        }

        /// How often `label` is answered where it is wrong; nil where all images have it.
        func share(answeredElsewhere label: String) -> Share? {
            let others = count - truths[label, default: 0]
            return others > 0 ? Share(answers[label, default: 0] - hits[label, default: 0], of: others) : nil
        }
    }
}
