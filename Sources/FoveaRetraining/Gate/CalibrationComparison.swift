import FoveaData
import FoveaSystem

/// Whether confidences mean what they say: the expected calibration error (Guo et al. 2017) of two models on the same
/// images, with a bootstrap (Efron 1979) over the images for the difference.
package struct CalibrationComparison: Codable, Sendable, Equatable {
    package let champion: Double
    package let challenger: Double
    /// Of `challenger` − `champion`: where the middle 95 % of 1,000 resamplings lie.
    package let low: Double
    package let high: Double

    /// An answer's confidence and whether it was right.
    package typealias Answer = (confidence: Double, isRight: Bool)

    /// - Parameter answers: of both models for each image. The resampling is always the same.
    package init(_ answers: [(champion: Answer, challenger: Answer)]) {
        let all = Array(answers.indices)
        champion = Self.error(answers, all) { $0.champion }
        challenger = Self.error(answers, all) { $0.challenger }
        guard !answers.isEmpty else {
            (low, high) = (0, 0)
            return
        }
        var random = SplitMix64(seed: 1979)
        let differences = (0..<1000).map { _ in
            let chosen = all.map { _ in random.below(answers.count) }
            return Self.error(answers, chosen) { $0.challenger } - Self.error(answers, chosen) { $0.champion }
        }.sorted()
        (low, high) = (differences[25], differences[974])
    }

    /// Less than a point of calibration is nothing that a threshold could notice.
    private static let margin = 0.01

    /// By more than the margin, and beyond the lower end of the bootstrap's interval.
    package var isWorse: Bool { challenger - champion > Self.margin && low > 0 }

    private static func error(
        _ answers: [(champion: Answer, challenger: Answer)], _ chosen: [Int],
        _ model: ((champion: Answer, challenger: Answer)) -> Answer
    ) -> Double {
        // Per bin, right answers minus the sum of confidences.
        var gaps = [Double](repeating: 0, count: 15)
        for index in chosen {
            let answer = model(answers[index])
            gaps[min(14, Int(answer.confidence * 15))] += (answer.isRight ? 1 : 0) - answer.confidence
        }
        return gaps.reduce(0) { $0 + abs($1) } / Double(max(1, chosen.count))
    }
}
