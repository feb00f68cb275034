/// Ridge regression on the classes' indicators (Hoerl & Kennard 1970): one factorisation for each penalty.
enum RidgeHead {
    /// Scores of a regression lie between 0 and 1, which as logits would say nothing: a softmax needs them this much larger.
    static let gain = 10.0

    /// Minimises Σ weight · ‖x·w + b − y‖² + penalty · ‖w‖² for each penalty.
    ///
    /// - Parameter penalties: on standardised features.
    /// - Returns: one head for each penalty, in their order; nil where the system has no solution.
    static func fit(_ system: HeadSystem, penalties: [Double], _ algebra: LinearAlgebra) -> [LinearHead?] {
        let (n, m, k) = (system.coordinates.rows, system.coordinates.columns, system.classes)
        let total = system.weights.reduce(0, +)
        // Weighted features have mean 0, so the bias is the weighted mean of the indicators.
        var bias = [Double](repeating: 0, count: k)
        for i in 0..<n { bias[system.labels[i]] += system.weights[i] / total }
        var weighted = system.coordinates
        var targets = DenseMatrix(rows: n, columns: k)
        for i in 0..<n {
            let root = system.weights[i].squareRoot()
            for c in 0..<m { weighted[i, c] *= root }
            for c in 0..<k { targets[i, c] = root * ((c == system.labels[i] ? 1 : 0) - bias[c]) }
        }
        let square = algebra.product(weighted, weighted, transposingFirst: true)
        let right = algebra.product(weighted, targets, transposingFirst: true)
        return penalties.map { penalty in
            var matrix = square
            for i in 0..<m { matrix[i, i] += penalty }
            guard let factor = try? algebra.factorize(matrix) else { return nil }
            return system.head(algebra.solve(factor, right), bias: bias).scaled(by: gain)
        }
    }
}
