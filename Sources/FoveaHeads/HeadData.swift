/// What a head is fitted to: features of labelled images, divided into folds.
package struct HeadData: Sendable {
    /// images × features, of each image as the model will see the image.
    package let features: DenseMatrix
    /// Of each image, an index of a class.
    package let labels: [Int]
    package let classes: Int
    /// Of each image, 0 to `foldCount` − 1.
    package let folds: [Int]
    package let foldCount: Int

    /// Traps where the sizes do not fit.
    package init(features: DenseMatrix, labels: [Int], classes: Int, folds: [Int], foldCount: Int) {
        precondition(features.rows == labels.count && folds.count == labels.count && classes >= 2 && foldCount >= 2)
        precondition(
            labels.allSatisfy { (0..<classes).contains($0) } && folds.allSatisfy { (0..<foldCount).contains($0) })
        (self.features, self.labels, self.classes) = (features, labels, classes)
        (self.folds, self.foldCount) = (folds, foldCount)
    }

    /// The images of a fold.
    func members(of fold: Int) -> [Int] { labels.indices.filter { folds[$0] == fold } }

    /// What a fit without a fold learns; with nil, everything.
    func learnt(without fold: Int?) -> Learnt {
        let rows = labels.indices.filter { folds[$0] != fold }
        return Learnt(features: features.selecting(rows), labels: rows.map { labels[$0] }, classes: classes)
    }

    /// Rows that a fit learns.
    struct Learnt {
        let features: DenseMatrix
        let labels: [Int]
        let classes: Int
        /// Of each row; see `balanced`.
        let weights: [Double]

        init(features: DenseMatrix, labels: [Int], classes: Int) {
            (self.features, self.labels, self.classes) = (features, labels, classes)
            weights = HeadData.balanced(labels, classes: classes)
        }
    }

    /// Weights by which every class counts the same, 1 on average.
    package static func balanced(_ labels: [Int], classes: Int) -> [Double] {
        var counts = [Double](repeating: 0, count: classes)
        for label in labels { counts[label] += 1 }
        let present = Double(counts.filter { $0 > 0 }.count)
        return labels.map { Double(labels.count) / (present * counts[$0]) }
    }
}
