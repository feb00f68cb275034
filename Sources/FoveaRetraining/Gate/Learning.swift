import FoveaControl

/// Whether corrections to labels that the champion knows have been learnt. They are images that the champion got wrong, so that a challenger that is only different
/// gains on them and cannot lose. How much it would gain is seen on the data's images: a model that is no better gains there as many
/// as it loses, so its share of the champion's mistakes would be `lost` of them.
package struct Learning: Codable, Sendable, Equatable {
    /// Of the held-back corrections that the champion gets wrong, the share that the challenger gets right.
    package let corrections: Double
    /// The share that a model as different, but no better, would get right.
    package let expected: Double
    /// 1.96 standard errors of the difference.
    package let errorBar: Double

    /// nil where the champion gets nothing wrong on one side.
    ///
    /// - Parameter corrections: to labels that the champion knows; see `Novelty` for the others.
    init?(corrections: PairedComparison, data: PairedComparison) {
        func wrong(_ part: PairedComparison) -> Double {
            ((1 - part.champion) * Double(part.images)).rounded()
        }
        let (n, m) = (wrong(corrections), wrong(data))
        guard n > 0, m > 0 else { return nil }
        self.corrections = Double(corrections.gained) / n
        expected = min(1, Double(data.lost) / m)
        // Of a share, and of a count over a number that is given.
        let variance =
            self.corrections * (1 - self.corrections) / n + Double(max(1, data.lost)) / (m * m)
        errorBar = 1.96 * variance.squareRoot()
    }

    package var isBeyondChance: Bool { corrections - expected > errorBar }

    var words: String {
        "the champion's mistakes: \(Figures.percent(corrections)) of those held back, where a model as different and no better "
            + "would get \(Figures.percent(expected)) (± \(points(errorBar)) points)"
    }
}
