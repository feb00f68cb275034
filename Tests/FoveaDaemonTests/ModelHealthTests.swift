import FoveaDaemon
import Testing

@Suite struct ModelHealthTests {
    private static let second = 1_000_000_000

    @Test func twoImagesWithinAnHourAreTooMany() {
        var health = ModelHealth()
        #expect(health.complaint(at: 0) == nil)
        health.noteConviction(of: [1], at: 0)
        #expect(health.complaint(at: Self.second) == nil)
        health.noteConviction(of: [2], at: 3599 * Self.second)
        #expect(health.complaint(at: 3599 * Self.second)?.contains("2 images") == true)
        #expect(health.complaint(at: 3601 * Self.second) == nil, "the first is long ago")
        health.noteConviction(of: [3], at: 3602 * Self.second)
        #expect(health.complaint(at: 3602 * Self.second) != nil)
        var same = ModelHealth()
        for number in 0..<10 { same.noteConviction(of: [1], at: number * Self.second) }
        #expect(same.complaint(at: 10 * Self.second) == nil, "it is one image, again and again")
    }

    @Test func sixLostWorkersWithinTenMinutesAreTooMany() {
        var health = ModelHealth()
        for number in 0..<5 { health.noteLoss(at: number * Self.second) }
        #expect(health.complaint(at: 5 * Self.second) == nil)
        health.noteLoss(at: 599 * Self.second)
        #expect(health.complaint(at: 599 * Self.second)?.contains("6 workers") == true)
        #expect(health.complaint(at: 601 * Self.second) == nil)
    }

    @Test func halfTheConfidenceIsACollapse() {
        var health = ModelHealth()
        for _ in 0..<300 { health.note(confidence: 0.3) }
        #expect(health.complaint(at: 0) == nil, "nobody knows what is usual")
        health.usualConfidence = 0.7
        #expect(health.complaint(at: 0)?.contains("0.30") == true)
        health.usualConfidence = 0.59
        #expect(health.complaint(at: 0) == nil)

        var accepted = ModelHealth()
        accepted.usualConfidence = 0.7
        for _ in 0..<ConfidenceMeter.probation { accepted.note(confidence: 0.7) }
        #expect(accepted.complaint(at: 0) == nil && !accepted.isAccepted)
        for _ in 0..<300 { accepted.note(confidence: 0.1) }
        #expect(accepted.complaint(at: 0) == nil, "by now it is the images that have changed")
        #expect(accepted.isAccepted)
    }

    @Test func theMeanIsOfTheLastWindow() {
        var meter = ConfidenceMeter()
        for number in 0..<ConfidenceMeter.window - 1 { meter.note(Float(number % 2)) }
        #expect(meter.mean == nil)
        meter.note(1)
        #expect(meter.mean == 0.5)
        for _ in 0..<ConfidenceMeter.window { meter.note(0.25) }
        #expect(meter.mean == 0.25 && meter.count == 2 * ConfidenceMeter.window)
    }
}
