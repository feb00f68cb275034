import FoveaControl

/// Whether labels that the champion does not have have been learnt. The champion is wrong on all their images, so that a challenger
/// gains on them even by guessing. What guessing gives is seen on images of other labels: how often each new label is answered
/// there, among the data's images or among the other new labels' corrections, whichever is more often.
package struct Novelty: Codable, Sendable, Equatable {
    /// Held-back corrections to new labels.
    package let images: Int
    /// The share that the challenger gets right.
    package let right: Double
    /// The share that it would by guessing.
    package let expected: Double
    /// The probability that guessing gets as many right: a binomial tail.
    package let p: Double

    /// nil where there are no corrections to new labels.
    init?(_ images: [Gate.Image], known: Set<String>) {
        let new = images.filter { $0.origin == .corrections && !known.contains($0.label) }
        guard !new.isEmpty else { return nil }
        let pools = [new, images.filter { $0.origin == .data }].map { pool in
            (
                count: pool.count, truths: Self.counts(pool.map(\.label)),
                answers: Self.counts(pool.map(\.challenger.label)),
                hits: Self.counts(pool.filter { $0.challenger.label == $0.label }.map(\.label))
            )
        }
        // By Laplace's rule: what was never seen is not impossible.
        func chance(_ label: String) -> Double {
            pools.compactMap { pool in
                let others = pool.count - pool.truths[label, default: 0]
                let answered = pool.answers[label, default: 0] - pool.hits[label, default: 0]
                return others > 0 ? Double(answered + 1) / Double(others + 2) : nil
            }.max() ?? 0.5
        }
        let (count, hits) = (new.count, pools[0].hits.values.reduce(0, +))
        let expected =
            pools[0].truths.reduce(0) { $0 + Double($1.value) * chance($1.key) } / Double(count)
        self.images = count
        self.expected = expected
        right = Double(hits) / Double(count)
        p = (hits...count).reduce(0) { $0 + Binomial.probability($1, of: count, each: expected) }
    }

    private static func counts(_ labels: [String]) -> [String: Int] {
        Dictionary(labels.map { ($0, 1) }, uniquingKeysWith: +)
    }

    package var isBeyondChance: Bool { p < 0.025 }

    var words: String {
        "new labels: \(Figures.percent(right)) of the \(Figures.grouped(images)) held back, where guessing would get "
            + Figures.percent(expected)
    }
}
