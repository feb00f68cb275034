import FoveaTraining

/// Which held-out images a picture shows: the most confident mistakes, and right answers for comparison.
package struct ExampleGrid: Sendable {
    package static let columns = 8
    package static let rows = 5

    /// Indices of the outcomes, mistakes first.
    package let places: [Int]
    /// How many of `places` are mistakes.
    package let mistakes: Int

    /// Three rows of mistakes, the most confident first, and two of right answers, evenly over the images; where there are
    /// fewer of one kind, more of the other.
    package init(_ outcomes: [Outcome]) {
        let all = Self.columns * Self.rows
        let wrong = outcomes.indices.filter { !outcomes[$0].isRight }
            .sorted { (outcomes[$0].top[0].probability, $1) > (outcomes[$1].top[0].probability, $0) }
        let right = outcomes.indices.filter { outcomes[$0].isRight }
        mistakes = min(wrong.count, max(3 * Self.columns, all - right.count))
        let spread = min(right.count, all - mistakes)
        places = wrong.prefix(mistakes) + (0..<spread).map { right[$0 * right.count / spread] }
    }
}
