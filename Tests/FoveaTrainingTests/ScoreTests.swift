import Foundation
import FoveaControl
import FoveaTraining
import Testing

/// Figures of six images of seven labels in two superclasses, reckoned by hand.
@Suite struct ScoreTests {
    private let labels = ["a", "b", "c", "d", "e", "f", "g"]
    private let superclassOf = [0, 0, 0, 1, 1, 1, 1]
    /// Sure of the first label, and of the fourth. The others in the order of their places, equal ones too.
    private let first: [Float] = [0.5, 0.2, 0.1, 0.1, 0.05, 0.03, 0.02]
    private let fourth: [Float] = [0.04, 0.04, 0.02, 0.75, 0.05, 0.05, 0.05]

    private func outcome(_ label: Int, _ scores: [Float]) -> Outcome {
        scores.withUnsafeBufferPointer { Outcome(label: label, scores: $0) }
    }

    private var outcomes: [Outcome] {
        [
            // Right; wrong in the superclass; wrong outside it and not among the best five, twice.
            outcome(0, first), outcome(1, first), outcome(6, first), outcome(5, first),
            // Right; wrong in the superclass.
            outcome(3, fourth), outcome(4, fourth),
        ]
    }

    /// Where the images would go, by the same decision as the daemon's.
    @Test func outcomesAreFiled() {
        func outcome(_ label: Int, _ scores: [Float], _ unknownness: Float?) -> Outcome {
            scores.withUnsafeBufferPointer { Outcome(label: label, scores: $0, unknownness: unknownness) }
        }
        var thresholds = Thresholds()
        let untold = Filing(outcomes, labels: labels, thresholds: thresholds)
        #expect(untold.classified == 6 && untold.right == 2 && !untold.tellsUnknown && untold.line == nil)
        thresholds.confidenceByLabel = ["a": 0.6]
        let unsure = Filing(outcomes, labels: labels, thresholds: thresholds)
        #expect(unsure.classified == 2 && unsure.unsure == 4 && unsure.right == 1 && unsure.unknown == 0)
        let told = [outcome(0, first, 0.5), outcome(3, fourth, 1.5), outcome(3, fourth, 0), outcome(4, fourth, 1)]
        let filed = Filing(told, labels: labels, thresholds: thresholds)
        #expect(filed.classified == 2 && filed.unsure == 1 && filed.unknown == 1 && filed.right == 1)
        #expect(filed.line == "filed       2 under labels (50.00% right), 1 unsure, 1 unknown")
        let line = told[1].line(image: "x.png", labels: labels, thresholds: thresholds)
        #expect(line.hasSuffix("],\"unknown\":1.5,\"status\":\"unknown\"}\n"), "\(line)")
        let plain = outcomes[4].line(image: "x.png", labels: labels, thresholds: thresholds)
        #expect(plain.hasSuffix("],\"status\":\"classified\"}\n"), "\(plain)")
    }

    @Test func figuresOfOutcomes() {
        let score = Score(outcomes, labels: labels, superclassOf: superclassOf)
        #expect(score.images == 6)
        #expect(score.top1 == 2.0 / 6)
        #expect(score.top5 == 4.0 / 6)
        #expect(score.superclass == 4.0 / 6)
        #expect(score.errorsInSuperclass == 2.0 / 4)
        #expect(score.superclasses == nil, "they have no names here")
        let loss = -(log(0.5) + log(0.2) + log(0.02) + log(0.03) + log(0.75) + log(0.05)) / 6
        #expect(abs(score.loss - loss) < 1e-6)
        // Of four answers with 0.5 one is right, of two with 0.75 one: (|1 − 2| + |1 − 1.5|) ÷ 6.
        #expect(score.calibrationError == 0.25)
        #expect(Set(score.classes.keys) == ["a", "b", "d", "e", "f", "g"], "c has no image")
        #expect(score.ordered.map(\.label) == ["a", "d", "b", "e", "f", "g"])
        #expect(score.classes["a"]?.top1 == 1 && score.classes["b"]?.top1 == 0 && score.classes["g"]?.images == 1)
    }

    @Test func superclassesHaveTheirShares() {
        let score = Score(outcomes, labels: labels, superclassOf: superclassOf, superclasses: ["x", "y", "z"])
        let parts = score.superclasses ?? [:]
        #expect(parts.mapValues(\.images) == ["x": 2, "y": 4], "z has no image")
        #expect(parts.mapValues(\.top1) == ["x": 1, "y": 0.5])
    }

    @Test func theBestFiveAreInOrder() {
        #expect(outcomes[0].top.map(\.label) == [0, 1, 2, 3, 4])
        #expect(outcomes[4].top.map(\.label) == [3, 4, 5, 6, 0])
    }

    @Test func withoutSuperclassesOrMistakesThereIsNoSeverity() {
        let none = Score(outcomes, labels: labels, superclassOf: nil)
        #expect(none.superclass == nil && none.errorsInSuperclass == nil && none.top1 == 2.0 / 6)
        let right = Score([outcome(0, first)], labels: labels, superclassOf: superclassOf)
        #expect(right.superclass == 1 && right.errorsInSuperclass == nil)
    }

    /// A probability of 0 is a large loss, not an infinite one.
    @Test func impossibleIsFinite() {
        let score = Score([outcome(1, [1, 0])], labels: ["a", "b"], superclassOf: nil)
        #expect(score.loss.isFinite && score.loss > 80)
    }
}
