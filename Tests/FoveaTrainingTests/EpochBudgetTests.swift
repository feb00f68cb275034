import FoveaNN
import FoveaTraining
import Testing

/// How many epochs fit a time.
@Suite struct EpochBudgetTests {
    private func budget(_ seconds: Double, most: Int = 100) -> TrainingPlan.Budget {
        .init(seconds: seconds, settings: { _ in TrainingSettings() }, most: most)
    }

    @Test(arguments: [
        // A twentieth is kept for checkpoints and measuring.
        (100.0, 10.0, 9), (100, 9.5, 10), (100, 95.0, 1),
        // One at least, though it takes longer; and never more than the most.
        (100, 1000.0, 1), (0, 1.0, 1), (100, 0.01, 100), (100, 0, 100),
    ])
    func epochsThatFit(_ seconds: Double, _ epoch: Double, _ epochs: Int) {
        #expect(budget(seconds).epochs(of: epoch) == epochs)
    }
}
