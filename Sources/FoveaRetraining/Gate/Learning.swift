import FoveaControl

/// Whether corrections have been learnt: of the held-back ones that the champion gets wrong, how many the challenger gets right,
/// beside the same share of the data's images. The second is what a model that is only different would reach on both.
package struct Learning: Codable, Sendable, Equatable {
    package let corrections: Double
    package let data: Double
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
        self.data = Double(data.gained) / m
        let pooled = Double(corrections.gained + data.gained) / (n + m)
        errorBar = 1.96 * (pooled * (1 - pooled) * (1 / n + 1 / m)).squareRoot()
    }

    package var isBeyondChance: Bool { corrections - data > errorBar }

    var words: String {
        "\(Figures.percent(corrections)) of those held back, against \(Figures.percent(data)) of the data's images that the "
            + "champion gets wrong, ± \(points(errorBar)) points"
    }
}
