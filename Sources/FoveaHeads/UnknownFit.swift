/// When a picture belongs to no class: its distance from the pictures that were learnt.
///
/// The distance is 1 − cosine between the features of the picture and those of its third nearest learnt picture (deep nearest
/// neighbours; Sun et al. 2022, "Out-of-Distribution Detection with Deep Nearest Neighbors"). The features are as the backbone gives
/// them, not standardised: a picture of another kind lights up other features, which standardisation would drown.
package struct UnknownFit: Sendable {
    /// The neighbour that counts; fewer where fewer were learnt.
    package let neighbours: Int
    /// The distance that 95 % of the learnt pictures keep, each measured from the other folds.
    package let threshold: Double
    /// kept × features, each of length 1.
    package let known: DenseMatrix
    /// Of each image its out-of-fold distance.
    package let distances: [Double]

    /// Share of known pictures that stay known.
    package static let kept = 0.95
    static let usualNeighbours = 3
    /// Pictures that a model keeps at most: 5 MB as half precision with 1,280 features.
    static let most = 2000

    package init(_ data: HeadData, _ algebra: LinearAlgebra) {
        let unit = Self.normalised(data.features)
        let smallest = (0..<data.foldCount).map { fold in data.folds.filter { $0 != fold }.count }.min() ?? 1
        neighbours = max(1, min(Self.usualNeighbours, smallest))
        var distances = [Double](repeating: 0, count: unit.rows)
        for fold in 0..<data.foldCount {
            let held = data.members(of: fold)
            let others = data.labels.indices.filter { data.folds[$0] != fold }
            let found = Self.distances(
                unit.selecting(held), to: unit.selecting(Self.spread(others, Self.most)), neighbours, algebra)
            for (image, distance) in zip(held, found) { distances[image] = distance }
        }
        self.distances = distances
        let sorted = distances.sorted()
        let place = min(sorted.count - 1, Int((Self.kept * Double(sorted.count)).rounded(.up)))
        threshold = max(1e-6, sorted[max(0, place)])
        known = unit.selecting(Self.spread(Array(data.labels.indices), Self.most))
    }

    /// At most `most` of `indices`, evenly spread.
    private static func spread(_ indices: [Int], _ most: Int) -> [Int] {
        guard indices.count > most else { return indices }
        return (0..<most).map { indices[$0 * indices.count / most] }
    }

    /// Rows of length 1; a row of zeros stays.
    static func normalised(_ features: DenseMatrix) -> DenseMatrix {
        var result = features
        for row in 0..<features.rows {
            let length = features[row: row].reduce(0) { $0 + $1 * $1 }.squareRoot()
            if length > 0 { for f in 0..<features.columns { result[row, f] /= length } }
        }
        return result
    }

    /// 1 − cosine of each row to its nth nearest known row.
    ///
    /// - Parameters:
    ///   - rows, known: of length 1.
    static func distances(
        _ rows: DenseMatrix, to known: DenseMatrix, _ nth: Int, _ algebra: LinearAlgebra
    ) -> [Double] {
        let cosines = algebra.product(rows, known, transposingSecond: true)
        return (0..<rows.rows).map { row in
            1 - cosines[row: row].sorted(by: >)[min(nth, known.rows) - 1]
        }
    }
}
