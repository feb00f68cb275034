import FoveaControl
import Glibc

/// Whether corrections have been learnt. They are images that the champion got wrong, so that a challenger that is only different
/// gains on them and cannot lose: what it gets right is held against what it would without having learnt anything from them,
/// image by image the largest of
///
/// - how often it gives the image's label to held-back corrections with other labels, and to images of the data sets with other
///   labels: what guessing would give, also where labels were shuffled;
/// - for a label that the champion knows, the share of the champion's mistakes on the data sets that a model as different, and no
///   better, would put right: such a model gains as many as it loses.
///
/// All shares by Laplace's rule, (k + 1) / (n + 2), for what was never seen is not impossible.
package struct Learning: Codable, Sendable, Equatable {
    /// Held-back corrections that the champion gets wrong.
    package let images: Int
    /// The share of them that the challenger gets right.
    package let right: Double
    /// The share that it would without having learnt anything.
    package let expected: Double
    /// The probability that as many are right without: the tail of a beta-binomial distribution, for `expected` is itself an
    /// estimate from so and so many images.
    package let p: Double

    /// nil where the champion gets no held-back correction wrong.
    ///
    /// - Parameters:
    ///   - known: the champion's labels.
    ///   - data: champion and challenger on the data sets' images with known labels.
    init?(_ images: [Gate.Image], known: Set<String>, data: PairedComparison?) {
        let wrong = images.filter { $0.origin == .corrections && $0.champion.label != $0.label }
        guard !wrong.isEmpty else { return nil }
        let pools = [wrong, images.filter { $0.origin == .data }].map(Pool.init)
        let mistakes = data.map { Int(((1 - $0.champion) * Double($0.images)).rounded()) } ?? 0
        func chance(_ label: String) -> Share {
            var shares = pools.compactMap { $0.share(answeredElsewhere: label) }
            if let data, mistakes > 0, known.contains(label) { shares.append(Share(data.lost, of: mistakes)) }
            return shares.max { $0.value < $1.value } ?? Share(0, of: 0)
        }
        let count = Double(wrong.count)
        let chances = pools[0].truths.map { (times: Double($0.value), share: chance($0.key)) }
        let expected = chances.reduce(0) { $0 + $1.times * $1.share.value } / count
        let trials = chances.reduce(0) { $0 + $1.times * $1.share.trials } / count
        let hits = pools[0].hits.values.reduce(0, +)
        self.images = wrong.count
        self.expected = expected
        right = Double(hits) / count
        p = Self.tail(hits, of: wrong.count, alpha: expected * trials, beta: (1 - expected) * trials)
    }

    /// By chance one in forty: as the upper end of 1.96 standard errors is.
    package var isBeyondChance: Bool { p < 0.025 }

    package var words: String {
        let probability = p < 0.001 ? "p < 0.001" : "p = \(Units.decimals(p, 3))"
        return
            "\(Figures.percent(right)) of the \(Figures.grouped(images)) held back that the champion gets wrong, where "
            + "\(Figures.percent(expected)) would be right without having learnt them (\(probability))"
    }

    /// The probability of at least `hits` among `n`, each with a probability that is itself beta distributed.
    package static func tail(_ hits: Int, of n: Int, alpha: Double, beta: Double) -> Double {
        func logBeta(_ a: Double, _ b: Double) -> Double { lgamma(a) + lgamma(b) - lgamma(a + b) }
        func logFactorial(_ k: Int) -> Double { lgamma(Double(k) + 1) }
        let sum = (hits...n).reduce(0.0) { sum, k in
            sum
                + exp(
                    logFactorial(n) - logFactorial(k) - logFactorial(n - k)
                        + logBeta(Double(k) + alpha, Double(n - k) + beta) - logBeta(alpha, beta))
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
