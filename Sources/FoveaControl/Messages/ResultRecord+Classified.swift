extension ResultRecord.Candidate {
    /// The indices of the largest probabilities, the largest first; of equal ones the first index comes first.
    ///
    /// - Parameter count: at most so many.
    package static func indices(of probabilities: [Float], count: Int = 5) -> [Int] {
        var best: [Int] = []
        for index in probabilities.indices {
            if best.count == count, probabilities[index] <= probabilities[best[count - 1]] { continue }
            let place = best.firstIndex { probabilities[$0] < probabilities[index] } ?? best.count
            best.insert(index, at: place)
            if best.count > count { best.removeLast() }
        }
        return best
    }

    /// The best labels, the best first; of equal ones the first label comes first.
    ///
    /// - Parameters:
    ///   - probabilities: one for each label.
    ///   - count: at most so many.
    package static func best(of probabilities: [Float], labels: [String], count: Int = 5) -> [Self] {
        precondition(probabilities.count == labels.count, "\(probabilities.count) scores for \(labels.count) labels")
        return indices(of: probabilities, count: count).map { Self(label: labels[$0], confidence: probabilities[$0]) }
    }
}

extension ResultRecord {
    /// A file of an image, as a result tells of it.
    package struct File: Sendable, Equatable {
        package var name: String
        /// Hexadecimal.
        package var sha256: String
        package var bytes: Int
        /// Pixels of the image as it is looked at.
        package var width: Int
        package var height: Int

        package init(name: String, sha256: String, bytes: Int, width: Int, height: Int) {
            (self.name, self.sha256, self.bytes, self.width, self.height) = (name, sha256, bytes, width, height)
        }
    }

    /// The labels of a model, with the groups that they may belong to.
    package struct Classes: Sendable, Equatable {
        package var labels: [String]
        /// For each label the index of its superclass, and the superclasses; both or none.
        package var superclassOf: [Int]?
        package var superclasses: [String]?

        package init(labels: [String], superclassOf: [Int]?, superclasses: [String]?) {
            (self.labels, self.superclassOf, self.superclasses) = (labels, superclassOf, superclasses)
        }

        func superclass(of label: Int) -> String? {
            guard let superclassOf, let superclasses else { return nil }
            return superclasses[superclassOf[label]]
        }
    }

    /// The result of a classified image, as the daemon and `classify` without it make it, and where it belongs.
    ///
    /// - Parameters:
    ///   - probabilities: one for each label of `classes`.
    ///   - unknownness: nil where the model cannot tell.
    ///   - timings: milliseconds by step.
    package static func classified(
        id: String, file: File, probabilities: [Float], unknownness: Float?, classes: Classes, thresholds: Thresholds,
        model: ModelIdentity, chain: ChainDescription, received: Timestamp, timings: [String: Double]
    ) -> (record: ResultRecord, verdict: Verdict) {
        let top = Candidate.best(of: probabilities, labels: classes.labels)
        let best = Candidate.indices(of: probabilities, count: 1)[0]
        let verdict = Verdict(
            label: top[0].label, confidence: top[0].confidence, unknownness: unknownness, thresholds: thresholds)
        let record = ResultRecord(
            id: id, file: file.name, sha256: file.sha256, bytes: file.bytes, width: file.width, height: file.height,
            label: top[0].label, confidence: top[0].confidence, top: top, superclass: classes.superclass(of: best),
            unknown: unknownness, status: verdict.status, model: model, chain: chain, received: received,
            published: .now(), timings: timings)
        return (record, verdict)
    }
}
