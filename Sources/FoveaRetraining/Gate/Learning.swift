import FoveaControl

/// Whether corrections have been learnt. They are images that the champion got wrong, so that a challenger that is only different
/// gains on them and cannot lose. How much it would gain is seen on the data's images: a model that is no better gains there as many
/// as it loses, so its share of the champion's mistakes would be `lost` of them.
package struct Learning: Codable, Sendable, Equatable {
    /// Of the held-back corrections that the champion gets wrong, the share that the challenger gets right.
    package let corrections: Double
    /// The share that a model as different, but no better, would get right.
    package let expected: Double
    /// 1.96 standard errors of the difference of the two shares, if they were the same.
    package let errorBar: Double

    /// nil where the champion gets nothing wrong on one side.
    init?(corrections: PairedComparison, data: PairedComparison) {
        func wrong(_ part: PairedComparison) -> Double {
            ((1 - part.champion) * Double(part.images)).rounded()
        }
        let (n, m) = (wrong(corrections), wrong(data))
        guard n > 0, m > 0 else { return nil }
        self.corrections = Double(corrections.gained) / n
        expected = min(1, Double(data.lost) / m)
        let pooled = (Double(corrections.gained) + m * expected) / (n + m)
        errorBar = 1.96 * (pooled * (1 - pooled) * (1 / n + 1 / m)).squareRoot()
    }

    package var isBeyondChance: Bool { corrections - expected > errorBar }

    var words: String {
        "\(Figures.percent(corrections)) of those held back, where a model as different and no better would get "
            + "\(Figures.percent(expected)), ± \(points(errorBar)) points"
    }
}
