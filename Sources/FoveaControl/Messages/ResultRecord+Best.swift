extension ResultRecord.Candidate {
    /// The best labels, the best first; of equal ones the first label comes first.
    ///
    /// - Parameters:
    ///   - probabilities: one for each label.
    ///   - count: at most so many.
    package static func best(of probabilities: [Float], labels: [String], count: Int = 5) -> [Self] {
        precondition(probabilities.count == labels.count, "\(probabilities.count) scores for \(labels.count) labels")
        var best: [Int] = []
        for index in probabilities.indices {
            if best.count == count, probabilities[index] <= probabilities[best[count - 1]] { continue }
            let place = best.firstIndex { probabilities[$0] < probabilities[index] } ?? best.count
            best.insert(index, at: place)
            if best.count > count { best.removeLast() }
        }
        return best.map { Self(label: labels[$0], confidence: probabilities[$0]) }
    }
}
