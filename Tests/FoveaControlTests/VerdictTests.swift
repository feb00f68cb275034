import FoveaControl
import Testing

@Suite struct VerdictTests {
    private func verdict(
        _ confidence: Float, _ unknownness: Float? = nil, label: String = "cat",
        _ change: (inout Thresholds) -> Void = { _ in }
    ) -> String {
        var thresholds = Thresholds()
        change(&thresholds)
        let verdict = Verdict(
            label: label, confidence: confidence, unknownness: unknownness, thresholds: thresholds)
        return "\(verdict.status) in \(verdict.folder)"
    }

    @Test func withoutThresholdsEveryImageHasALabel() {
        #expect(verdict(0) == "classified in cat")
        #expect(verdict(0.01, 1) == "classified in cat", "1 is the threshold itself")
    }

    @Test func theModelsThresholdIsOne() {
        #expect(verdict(0.99, 1.0001) == "unknown in unknown")
        #expect(verdict(0.99, 0) == "classified in cat")
        #expect(verdict(0.99, nil) == "classified in cat", "the model cannot tell")
    }

    @Test func theConfigurationMovesItOrTurnsItOff() {
        #expect(verdict(0.9, 50) { $0.unknown = .off } == "classified in cat")
        #expect(verdict(0.9, 1.4) { $0.unknown = .factor(1.5) } == "classified in cat")
        #expect(verdict(0.9, 1.6) { $0.unknown = .factor(1.5) } == "unknown in unknown")
        #expect(verdict(0.9, 0.6) { $0.unknown = .factor(0.5) } == "unknown in unknown")
    }

    @Test func belowTheConfidenceItIsUnsure() {
        #expect(verdict(0.4) { $0.confidence = 0.5 } == "unsure in unsure")
        #expect(verdict(0.5) { $0.confidence = 0.5 } == "classified in cat")
        #expect(verdict(0.4, 2) { $0.confidence = 0.5 } == "unknown in unknown", "unknown comes first")
        #expect(verdict(0.4, 0.5) { $0.confidence = 0.5 } == "unsure in unsure")
    }

    @Test func aLabelMayHaveItsOwn() {
        func both(_ thresholds: inout Thresholds) {
            thresholds.confidence = 0.5
            thresholds.confidenceByLabel = ["cat": 0.9, "dog": 0]
        }
        #expect(verdict(0.8, both) == "unsure in unsure")
        #expect(verdict(0.1, label: "dog", both) == "classified in dog")
        #expect(verdict(0.4, label: "owl", both) == "unsure in unsure")
        #expect(verdict(0.6, label: "owl", both) == "classified in owl")
    }

    /// An old model's label has another folder than the outbox's own.
    @Test func aLabelOfThatNameIsKeptApart() {
        #expect(verdict(0.9, 0.5, label: "unknown") == "classified in unknown.label")
        #expect(verdict(0.9, 1.5, label: "unknown") == "unknown in unknown")
    }

    private func verdict(_ confidence: Float, _ change: (inout Thresholds) -> Void) -> String {
        verdict(confidence, nil, change)
    }

    private func verdict(_ confidence: Float, label: String, _ change: (inout Thresholds) -> Void) -> String {
        verdict(confidence, nil, label: label, change)
    }

    @Test func whatHasNoEffectIsSaid() {
        var thresholds = Thresholds()
        #expect(thresholds.withoutEffect(on: "m@1", labels: ["cat"], tellsUnknown: false).isEmpty)
        thresholds.confidenceByLabel = ["cat": 0.5, "cta": 0.5]
        thresholds.unknown = .factor(2)
        #expect(
            thresholds.withoutEffect(on: "m@1", labels: ["cat"], tellsUnknown: true)
                == ["confidence: 'cta' is not a label of m@1, so the value has no effect"])
        #expect(thresholds.withoutEffect(on: "m@1", labels: ["cat", "cta"], tellsUnknown: nil).isEmpty)
        let both = thresholds.withoutEffect(on: "m@1", labels: [], tellsUnknown: false)
        #expect(both.count == 2 && both[0].contains("'cat', 'cta' are not labels"))
        #expect(both[1] == "unknown: m@1 cannot tell which images are unknown, so the value has no effect")
    }

    @Test func aResultHasItsVerdict() {
        var thresholds = Thresholds()
        thresholds.confidenceByLabel = ["dog": 0.7]
        func result(_ probabilities: [Float], _ unknownness: Float?) -> (record: ResultRecord, verdict: Verdict) {
            ResultRecord.classified(
                id: "i", file: .init(name: "x.png", sha256: "00", bytes: 1, width: 2, height: 3),
                probabilities: probabilities, unknownness: unknownness,
                classes: .init(
                    labels: ["cat", "dog", "owl"], superclassOf: [0, 0, 1], superclasses: ["mammals", "birds"]),
                thresholds: thresholds, model: ModelIdentity(name: "m", version: "1", sha256: "ff"),
                chain: ChainDescription([]), received: Timestamp(milliseconds: 1), timings: [:])
        }
        let unsure = result([0.2, 0.6, 0.2], 0.5)
        #expect(unsure.verdict.folder == "unsure" && unsure.record.status == .unsure && unsure.record.label == "dog")
        let unknown = result([0.1, 0.1, 0.8], 1.25)
        #expect(unknown.verdict.folder == "unknown" && unknown.record.status == .unknown)
        #expect(unknown.record.unknown == 1.25 && unknown.record.label == "owl" && unknown.record.confidence == 0.8)
        #expect(unknown.record.superclass == "birds" && unknown.record.top.map(\.label) == ["owl", "cat", "dog"])
        let untold = result([0.4, 0.2, 0.4], nil)
        #expect(untold.verdict.folder == "cat" && untold.record.unknown == nil)
        #expect(untold.record.superclass == "mammals", "of equal ones the first, as its label")
    }
}
