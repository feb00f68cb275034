import FoveaReport
import FoveaTraining
import Testing

@Suite struct ExampleGridTests {
    private let all = ExampleGrid.columns * ExampleGrid.rows

    @Test func theMostConfidentMistakesComeFirst() {
        let outcomes = Sample.outcomes(300, classes: 10)
        let grid = ExampleGrid(outcomes)
        #expect(grid.places.count == all && grid.mistakes == 24)
        let mistakes = grid.places.prefix(grid.mistakes)
        #expect(mistakes.allSatisfy { !outcomes[$0].isRight })
        // The sample's confidences rise.
        #expect(Array(mistakes) == outcomes.indices.filter { !outcomes[$0].isRight }.suffix(24).reversed())
        let right = grid.places.dropFirst(grid.mistakes)
        #expect(right.allSatisfy { outcomes[$0].isRight } && Set(right).count == 16)
        #expect(right.first == 0 && right.last! > 200, "from all over the images")
    }

    /// Where one kind is rare, the other fills the picture; where images are few, all are shown once.
    @Test func fewOfAKind() {
        for (wrong, right, mistakes, shown) in [
            (3, 100, 3, 40), (100, 3, 37, 40), (0, 50, 0, 40), (5, 4, 5, 9), (0, 1, 0, 1),
        ] {
            let outcomes = (0..<wrong + right).map { index -> Outcome in
                let scores: [Float] = index < wrong ? [0.25, 0.75] : [0.75, 0.25]
                return scores.withUnsafeBufferPointer { Outcome(label: 0, scores: $0) }
            }
            let grid = ExampleGrid(outcomes)
            #expect(grid.mistakes == mistakes && grid.places.count == shown, "\(wrong) wrong, \(right) right")
            #expect(Set(grid.places).count == shown)
        }
    }

    @Test func binsOfConfidence() {
        let outcomes = Sample.outcomes(300, classes: 2)
        let reliability = Reliability(outcomes)
        #expect(reliability.bins.count == 15)
        #expect(reliability.bins.map(\.images).reduce(0, +) == 300)
        #expect(reliability.bins.map(\.right).reduce(0, +) == 200)
        #expect(reliability.bins.prefix(7).allSatisfy { $0.images == 0 && $0.accuracy == 0 })
        // Two of three are right in every bin; mean confidence is 0.745.
        #expect(abs(reliability.expectedError - abs(0.745 - 2.0 / 3)) < 0.06)
        #expect(Reliability([]).expectedError == 0)
    }
}
