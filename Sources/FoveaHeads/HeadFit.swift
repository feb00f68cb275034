/// A head with its penalty chosen on folds, and what the folds say about the head.
package struct HeadFit: Sendable {
    /// How a head is fitted.
    package enum Method: String, Sendable, Codable { case logistic, ridge }

    package let method: Method
    package let penalty: Double
    /// Fitted to all images.
    package let head: LinearHead
    /// images × classes: each image's logits by a head that has not learnt the image's fold.
    package let outOfFold: DenseMatrix
    package let temperature: Double
    /// Mean out-of-fold loss of each candidate at its own temperature, every class weighing the same.
    package let candidates: [Candidate]

    package struct Candidate: Sendable, Equatable {
        package let method: Method
        package let penalty: Double
        package let loss: Double
        /// Out-of-fold answers that are right.
        package let right: Int
    }

    /// Penalties of the logistic head; those of scikit-learn are 1 / C.
    package static let logisticPenalties = [10_000.0, 3_000, 1_000, 300, 100, 30]
    package static let ridgePenalties = [30_000.0, 10_000, 3_000, 1_000, 300, 100]
    /// Rows × classes above which only the ridge head is fitted: it needs no passes over the rows.
    static let mostLogistic = 4_000_000

    /// Fits all candidates on all folds, chooses the one with the least out-of-fold loss, and fits that one to all images.
    ///
    /// - Parameter progress: called after each fold with the number of fits that are done, and of all.
    package static func choose(
        _ data: HeadData, _ algebra: LinearAlgebra, progress: (Int, Int) -> Void = { _, _ in }
    ) -> HeadFit {
        var candidates = ridgePenalties.map { (method: Method.ridge, penalty: $0) }
        if data.labels.count * data.classes <= mostLogistic {
            candidates += logisticPenalties.map { (.logistic, $0) }
        }
        var logits = [DenseMatrix](
            repeating: DenseMatrix(rows: data.labels.count, columns: data.classes), count: candidates.count)
        var isUsable = [Bool](repeating: true, count: candidates.count)
        for fold in 0..<data.foldCount {
            let held = data.members(of: fold)
            let features = data.features.selecting(held)
            for (index, head) in fit(candidates, HeadSystem(data.learnt(without: fold), algebra), algebra).enumerated()
            {
                guard let head else {
                    isUsable[index] = false
                    continue
                }
                let answers = head.logits(features, algebra)
                for (row, image) in held.enumerated() {
                    for c in 0..<data.classes { logits[index][image, c] = answers[row, c] }
                }
            }
            progress(fold + 1, data.foldCount + 1)
        }
        let weights = HeadData.balanced(data.labels, classes: data.classes)
        var scored: [(index: Int, temperature: Double, candidate: Candidate)] = []
        for index in candidates.indices where isUsable[index] {
            let temperature = Temperature.fit(logits[index], labels: data.labels, weights: weights)
            let loss = Temperature.loss(
                logits[index], labels: data.labels, weights: weights, temperature: temperature)
            let candidate = Candidate(
                method: candidates[index].method, penalty: candidates[index].penalty, loss: loss,
                right: right(logits[index], data.labels))
            scored.append((index, temperature, candidate))
        }
        guard let best = scored.min(by: { $0.candidate.loss < $1.candidate.loss }) else {
            preconditionFailure("a ridge with a positive penalty has a solution")
        }
        let chosen = candidates[best.index]
        let head = fit([chosen], HeadSystem(data.learnt(without: nil), algebra), algebra)[0]
        progress(data.foldCount + 1, data.foldCount + 1)
        return HeadFit(
            method: chosen.method, penalty: chosen.penalty, head: head!, outOfFold: logits[best.index],
            temperature: best.temperature, candidates: scored.map(\.candidate))
    }

    private static func fit(
        _ candidates: [(method: Method, penalty: Double)], _ system: HeadSystem, _ algebra: LinearAlgebra
    ) -> [LinearHead?] {
        var heads = [LinearHead?](repeating: nil, count: candidates.count)
        for method in [Method.ridge, .logistic] {
            let places = candidates.indices.filter { candidates[$0].method == method }
            let penalties = places.map { candidates[$0].penalty }
            if penalties.isEmpty { continue }
            let fitted =
                method == .ridge
                ? RidgeHead.fit(system, penalties: penalties, algebra)
                : LogisticHead.fit(system, penalties: penalties, algebra).map { $0 }
            for (place, head) in zip(places, fitted) { heads[place] = head }
        }
        return heads
    }

    /// Rows whose largest value is the label's; of equal ones the first counts.
    package static func right(_ logits: DenseMatrix, _ labels: [Int]) -> Int {
        labels.indices.filter { i in
            let row = logits[row: i]
            return row.indices.max { row[$0] < row[$1] || (row[$0] == row[$1] && $0 > $1) }! - row.startIndex
                == labels[i]
        }.count
    }
}
