import FoveaRetraining
import Testing

@Suite struct GateTests {
    private let known: Set = ["cat", "dog", "other"]

    private static func comparison(_ gained: Int, _ lost: Int, both: Int = 0, neither: Int = 0) -> PairedComparison {
        var answers = [(champion: Bool, challenger: Bool)](repeating: (false, true), count: gained)
        answers += [(champion: Bool, challenger: Bool)](repeating: (true, false), count: lost)
        answers += [(champion: Bool, challenger: Bool)](repeating: (true, true), count: both)
        answers += [(champion: Bool, challenger: Bool)](repeating: (false, false), count: neither)
        return PairedComparison(answers)
    }

    /// Exact binomial probabilities, from whole-number arithmetic.
    @Test(arguments: [
        (25, 10, 0.01667384780012071), (6, 0, 0.03125), (5, 5, 1), (140, 100, 0.011664092317677663), (0, 1, 1),
        (3200, 3000, 0.011488253770871206), (0, 0, 1),
    ])
    func countsLikeACoin(_ gained: Int, _ lost: Int, _ p: Double) {
        #expect(abs(Self.comparison(gained, lost).p - p) < 1e-9)
        #expect(abs(Self.comparison(lost, gained).p - p) < 1e-9)
    }

    @Test func differenceAndErrorBar() {
        let comparison = Self.comparison(60, 20, both: 700, neither: 220)
        #expect(comparison.champion == 0.72 && comparison.challenger == 0.76)
        #expect(abs(comparison.difference - 0.04) < 1e-12)
        // 1.96 √(80 − 40² / 1000) / 1000
        #expect(abs(comparison.errorBar - 0.017354) < 1e-6)
        #expect(comparison.isBetter && !comparison.isWorse)
        #expect(!Self.comparison(22, 20, both: 958).isBetter)
        #expect(Self.comparison(20, 60, both: 920).isWorse)
        #expect(comparison.words == "+4.00 ± 1.74 points on 1,000 images (60 gained, 20 lost, p < 0.001)")
    }

    /// Images of which `share` are answered rightly by each model, with a confidence; the models' mistakes fall on
    /// different images.
    private static func images(
        _ origin: Gate.Image.Origin, count: Int, champion: Double, challenger: Double, label: String = "cat",
        confidences: (Double, Double) = (0.7, 0.7)
    ) -> [Gate.Image] {
        (0..<count).map { number in
            let place = (Double(number) + 0.5) / Double(count)
            return Gate.Image(
                origin: origin, label: label,
                champion: .init(label: place < champion ? label : "other", confidence: confidences.0),
                challenger: .init(label: place > 1 - challenger ? label : "other", confidence: confidences.1))
        }
    }

    @Test func aBetterChallengerPasses() {
        let gate = Gate(Self.images(.data, count: 1000, champion: 0.6, challenger: 0.7), known: known)
        #expect(gate.isPassed, "\(gate.reasons)")
        #expect(Array(gate.parts.keys) == [.data])
    }

    @Test func oneThatIsNoBetterDoesNot() {
        let gate = Gate(Self.images(.data, count: 1000, champion: 0.69, challenger: 0.7), known: known)
        #expect(gate.reasons.count == 1 && gate.reasons[0].contains("error bar"), "\(gate.reasons)")
    }

    /// A model that is no better, only different: on corrections, which are the champion's mistakes, it can only gain.
    @Test func correctionsMustBeLearntBeyondChance() {
        // On the data it loses as many as it gains: 30 % of the champion's 300 mistakes.
        func image(_ origin: Gate.Image.Origin, _ old: Bool, _ new: Bool) -> Gate.Image {
            Gate.Image(
                origin: origin, label: "cat", champion: .init(label: old ? "cat" : "dog", confidence: 0.7),
                challenger: .init(label: new ? "cat" : "dog", confidence: 0.7))
        }
        var data = (0..<210).map { _ in image(.data, false, false) }
        data += (0..<90).map { _ in image(.data, false, true) }
        data += (0..<90).map { _ in image(.data, true, false) }
        data += (0..<610).map { _ in image(.data, true, true) }
        data += Self.images(.data, count: 60, champion: 1, challenger: 1, label: "dog")
        func corrections(_ right: Int) -> [Gate.Image] {
            (0..<200).map { image(.corrections, false, $0 < right) }
        }
        let chance = Gate(data + corrections(62), known: known)
        #expect(chance.all.isBetter, "62 gained, none lost")
        #expect(
            chance.reasons.count == 1 && chance.reasons[0].contains("may be luck"),
            "\(chance.reasons)")
        // (90 + 1) / (300 + 2)
        #expect(chance.learning.map { abs($0.luck.expected - 0.3013) < 1e-4 } == true && chance.learning?.right == 0.31)
        let learnt = Gate(data + corrections(100), known: known)
        #expect(learnt.isPassed, "\(learnt.reasons)")
        // Without data nothing shows what is forgotten.
        let alone = Gate(corrections(200), known: known)
        #expect(alone.reasons.contains { $0.contains("forgotten") }, "\(alone.reasons)")
    }

    private static func correction(_ label: String, _ champion: String, _ challenger: String) -> Gate.Image {
        Gate.Image(
            origin: .corrections, label: label, champion: .init(label: champion, confidence: 0.7),
            challenger: .init(label: challenger, confidence: 0.7))
    }

    /// The champion knows none of them, so that guessing gains, too.
    @Test func newLabelsMustBeLearntBeyondChance() {
        let data = Self.images(.data, count: 1000, champion: 1, challenger: 1)
        let labels = (0..<10).map { "new\($0)" }
        // Shuffled: whatever is answered, a tenth is right.
        let shuffled = labels.flatMap { label in
            labels.flatMap { answer in (0..<4).map { _ in Self.correction(label, "cat", answer) } }
        }
        let gate = Gate(data + shuffled, known: known)
        #expect(gate.all.isBetter, "40 gained")
        #expect(gate.reasons.count == 1 && gate.reasons[0].contains("has not learnt"), "\(gate.reasons)")
        #expect(
            gate.novelty?.right == 0.1
                && gate.novelty.map { abs($0.guessing.expected - 0.1) < 0.01 && $0.guessing.p > 0.3 } == true)
        // Half of them right: learnt.
        let half = labels.flatMap { label in
            (0..<40).map { Self.correction(label, "cat", $0 < 20 ? label : "new\($0 % 10)") }
        }
        #expect(Gate(data + half, known: known).isPassed)
        // One new label, answered no more often where it is right than elsewhere.
        let often = (0..<1000).map {
            Gate.Image(
                origin: .data, label: "cat", champion: .init(label: $0 < 990 ? "cat" : "dog", confidence: 0.7),
                challenger: .init(label: $0 < 10 ? "bird" : "cat", confidence: 0.7))
        }
        let one = Gate(
            often + (0..<400).map { Self.correction("bird", "cat", $0 < 7 ? "bird" : "cat") }, known: known)
        #expect(one.novelty?.guessing.isExcluded == false && !one.isPassed, "\(one.reasons)")
        // Few, and all of them right.
        let few = Gate(often + (0..<3).map { _ in Self.correction("bird", "cat", "bird") }, known: known)
        #expect(few.novelty?.luck.isExcluded == true)
    }

    /// Pictures that are unlike the data, with labels drawn by lot: on the data little changes.
    @Test(arguments: [["cat", "dog", "other"], ["zork", "cat", "dog"]])
    func shuffledCorrectionsFromElsewhereAreNotLearnt(_ labels: [String]) {
        let data = Self.images(.data, count: 1000, champion: 0.95, challenger: 0.95)
        let corrections = labels.flatMap { label in
            labels.flatMap { answer in
                (0..<15).map { _ in Self.correction(label, labels.first { $0 != label }!, answer) }
            }
        }
        let gate = Gate(data + corrections, known: known)
        for part in [gate.learning, gate.novelty].compactMap(\.self) {
            #expect(part.right > 0.3 && !part.guessing.isExcluded, "\(part)")
        }
        #expect(!gate.isPassed)
        // Nor do they come along with a model that is better for having been trained longer.
        let better = Self.images(.data, count: 1000, champion: 0.7, challenger: 0.8, confidences: (0.7, 0.8))
        let along = Gate(better + corrections, known: known)
        #expect(along.parts[.data]?.isBetter == true && !along.isPassed)
        #expect(along.reasons.allSatisfy { $0.contains("has not learnt") }, "\(along.reasons)")
        #expect(Gate(better + corrections.prefix(9), known: known).isPassed, "of which nothing can be said")
    }

    /// New labels cannot be right by luck, so they show it where known ones are too few to.
    @Test func newLabelsCountWhereKnownOnesMayBeLuck() {
        // As small as one's first data set is: eight gained, eight lost.
        let data =
            Self.images(.data, count: 20, champion: 0.4, challenger: 0.4)
            + Self.images(.data, count: 20, champion: 1, challenger: 1, label: "dog")
        let known = (0..<98).map { Self.correction("cat", "dog", $0 < 38 ? "cat" : "dog") }
        let new = (0..<56).map { Self.correction("bird", "cat", $0 < 39 ? "bird" : "dog") }
        let gate = Gate(data + known + new, known: self.known)
        #expect(gate.learning?.luck.isExcluded == false && gate.novelty?.luck.isExcluded == true)
        #expect(gate.isPassed, "\(gate.reasons)")
        let alone = Gate(data + known, known: self.known)
        #expect(alone.reasons.count == 1 && alone.reasons[0].contains("may be luck"), "\(alone.reasons)")
    }

    /// BetaBinomial(10, 2, 3), from its definition in exact fractions.
    @Test func theTailOfABetaBinomial() {
        #expect(abs(Learning.tail(0, of: 10, alpha: 2, beta: 3) - 1) < 1e-12)
        #expect(abs(Learning.tail(10, of: 10, alpha: 2, beta: 3) - 132.0 / 12012) < 1e-12)
        #expect(abs(Learning.tail(9, of: 10, alpha: 2, beta: 3) - (132.0 + 360) / 12012) < 1e-12)
    }

    @Test func newLabelsOfTheDataDoNotHideALossOnTheOthers() {
        let images =
            Self.images(.data, count: 1000, champion: 0.7, challenger: 0.62)
            + Self.images(.data, count: 400, champion: 0, challenger: 0.9, label: "bird")
        let gate = Gate(images, known: known)
        #expect(gate.all.isBetter && gate.parts[.data]?.isWorse == true && gate.parts[.newLabels]?.isBetter == true)
        #expect(gate.reasons.count == 1 && gate.reasons[0].contains("the data's images alone"), "\(gate.reasons)")
    }

    @Test func correctionsCannotBuyALossOnTheData() {
        let images =
            Self.images(.data, count: 1000, champion: 0.7, challenger: 0.62)
            + Self.images(.corrections, count: 400, champion: 0.1, challenger: 0.9)
        let gate = Gate(images, known: known)
        #expect(gate.all.isBetter)
        #expect(gate.reasons.contains { $0.contains("data's images alone") }, "\(gate.reasons)")
    }

    @Test func confidencesThatMeanLessAreRefused() {
        let images = Self.images(.data, count: 2000, champion: 0.6, challenger: 0.7, confidences: (0.6, 0.99))
        let gate = Gate(images, known: known)
        #expect(abs(gate.calibration.champion) < 1e-9 && abs(gate.calibration.challenger - 0.29) < 1e-9)
        #expect(gate.calibration.low > 0.2 && gate.calibration.high < 0.35)
        #expect(gate.reasons.count == 1 && gate.reasons[0].contains("confidences"), "\(gate.reasons)")
        // A point is nothing, however certain it is.
        let small = Gate(
            Self.images(.data, count: 5000, champion: 0.6, challenger: 0.7, confidences: (0.6, 0.705)), known: known)
        #expect(small.isPassed, "\(small.reasons)")
    }

    @Test func sureAndRightAreComparedByLabel() {
        let images =
            Self.images(.data, count: 100, champion: 0.6, challenger: 0.7, confidences: (0.6, 0.9))
            + Self.images(.data, count: 10, champion: 0.8, challenger: 0.5, label: "dog", confidences: (0.5, 0.5))
        let gaps = Gate(images, known: known).overconfidence
        #expect(Set(gaps.keys) == ["cat", "dog"])
        #expect(abs(gaps["cat"]!.champion) < 1e-9 && abs(gaps["cat"]!.challenger - 0.2) < 1e-9)
        #expect(abs(gaps["dog"]!.champion + 0.3) < 1e-9 && abs(gaps["dog"]!.challenger) < 1e-9)
    }

    @Test func aProtectedLabelMustNotGetWorseAtAll() {
        let images =
            Self.images(.data, count: 1000, champion: 0.6, challenger: 0.8)
            + Self.images(.data, count: 10, champion: 0.8, challenger: 0.7, label: "dog")
            + (0..<8).map { _ in Self.correction("dog", "cat", "dog") }
        #expect(Gate(images, known: known).isPassed)
        let gate = Gate(images, known: known, protected: ["cat", "dog", "bird"])
        #expect(gate.reasons.count == 2, "\(gate.reasons)")
        #expect(gate.reasons[0].contains("'dog' got worse on the data's images") && gate.reasons[1].contains("'bird'"))
        #expect(gate.classes["dog"]?.images == 18)
    }
}
