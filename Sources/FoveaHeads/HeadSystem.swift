/// The rows of one fit in coordinates that are as few as possible.
///
/// A head with a quadratic penalty is a combination of the rows it learns from (the representer theorem; Schölkopf, Herbrich & Smola
/// 2001). With fewer rows than features, K = Z·Zᵀ = L·Lᵀ gives n coordinates, the rows of L, whose products and norms are those of
/// the standardised features Z. A weight v in these coordinates is Zᵀ·K⁻¹·L·v in the features.
package struct HeadSystem {
    package let standard: Standardisation
    let labels: [Int]
    let weights: [Double]
    let classes: Int
    /// rows × coordinates.
    let coordinates: DenseMatrix
    /// Standardised features, rows × features.
    private let features: DenseMatrix
    /// Of K; nil where the coordinates are the features.
    private let factor: LinearAlgebra.Factor?
    private let algebra: LinearAlgebra

    package init(_ learnt: HeadData.Learnt, _ algebra: LinearAlgebra) {
        self.algebra = algebra
        (labels, weights, classes) = (learnt.labels, learnt.weights, learnt.classes)
        standard = Standardisation(learnt.features, weights: learnt.weights)
        features = standard.apply(learnt.features)
        if features.rows < features.columns {
            var kernel = algebra.product(features, features, transposingSecond: true)
            // Copies of a row would make K singular: a millionth of its mean diagonal keeps it positive.
            let trace = (0..<kernel.rows).reduce(0) { $0 + kernel[$1, $1] }
            let ridge = max(1e-12, 1e-6 * trace / Double(max(1, kernel.rows)))
            for i in 0..<kernel.rows { kernel[i, i] += ridge }
            if let factor = try? algebra.factorize(kernel) {
                self.factor = factor
                coordinates = factor.triangle
                return
            }
        }
        factor = nil
        coordinates = features
    }

    /// A head in coordinates as a head on features that are not standardised.
    func head(_ weights: DenseMatrix, bias: [Double]) -> LinearHead {
        var inFeatures = weights
        if let factor {
            let images = algebra.solve(factor, algebra.product(coordinates, weights))
            inFeatures = algebra.product(features, images, transposingFirst: true)
        }
        return LinearHead(weights: inFeatures, bias: bias).unstandardised(standard)
    }
}
