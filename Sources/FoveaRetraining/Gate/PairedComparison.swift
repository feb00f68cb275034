import Glibc

/// Two models' answers to the same images: who is right more often, and whether that can be chance.
///
/// What matters are the images on which only one of them is right. If the models were equally good, each such image
/// would fall to either side like a coin (McNemar 1947): `p` is the exact two-sided probability of a division at least
/// as uneven. The error bar is 1.96 standard errors of the difference of two proportions of the same images.
package struct PairedComparison: Codable, Sendable, Equatable {
    package let images: Int
    /// Shares of right answers.
    package let champion: Double
    package let challenger: Double
    /// Images that only the challenger, and that only the champion, answers rightly.
    package let gained: Int
    package let lost: Int
    /// `challenger` − `champion`.
    package let difference: Double
    /// 1.96 standard errors of `difference`.
    package let errorBar: Double
    /// McNemar's, exact and two-sided.
    package let p: Double

    /// - Parameter answers: for each image, whether the champion and the challenger are right.
    package init(_ answers: some Sequence<(champion: Bool, challenger: Bool)>) {
        var (images, both, gained, lost) = (0, 0, 0, 0)
        for answer in answers {
            images += 1
            switch answer {
            case (true, true): both += 1
            case (false, true): gained += 1
            case (true, false): lost += 1
            case (false, false): break
            }
        }
        let n = Double(max(1, images))
        self.images = images
        self.gained = gained
        self.lost = lost
        champion = Double(both + lost) / n
        challenger = Double(both + gained) / n
        let net = Double(gained - lost)
        difference = net / n
        errorBar = 1.96 * max(0, Double(gained + lost) - net * net / n).squareRoot() / n
        p = Self.twoSided(min(gained, lost), of: gained + lost)
    }

    /// By more than the error bar, and hardly by chance.
    package var isBetter: Bool { difference > errorBar && p < 0.05 }
    package var isWorse: Bool { -difference > errorBar && p < 0.05 }

    /// The probability that of n coins at most `few` or at least n − `few` show heads.
    private static func twoSided(_ few: Int, of n: Int) -> Double {
        let tail = (0...few).reduce(0.0) { sum, k in sum + exp(logChoices(k, of: n) - Double(n) * log(2)) }
        return min(1, 2 * tail)
    }
}

/// The logarithm of the number of ways to choose `k` of `n`.
func logChoices(_ k: Int, of n: Int) -> Double {
    func logFactorial(_ k: Int) -> Double { lgamma(Double(k) + 1) }
    return logFactorial(n) - logFactorial(k) - logFactorial(n - k)
}
