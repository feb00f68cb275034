import Glibc

/// Multinomial logistic regression with a quadratic penalty on the weights, not on the bias.
package enum LogisticHead {
    /// Minimises Σ weight · cross-entropy + penalty / 2 · ‖w‖² for each penalty, from the strongest on; each fit begins with the
    /// one before.
    ///
    /// - Parameter penalties: on standardised features.
    /// - Returns: one head for each penalty, in their order.
    package static func fit(_ system: HeadSystem, penalties: [Double], _ algebra: LinearAlgebra) -> [LinearHead] {
        let (n, m, k) = (system.coordinates.rows, system.coordinates.columns, system.classes)
        // Weights m × k, then the biases.
        var point = [Double](repeating: 0, count: m * k + k)
        var heads: [Int: LinearHead] = [:]
        for index in penalties.indices.sorted(by: { penalties[$0] > penalties[$1] }) {
            let penalty = penalties[index]
            point = LBFGS().minimise(point) { point, gradient in
                let weights = DenseMatrix(rows: m, columns: k, values: Array(point[0..<m * k]))
                var errors = algebra.product(system.coordinates, weights)
                var value = 0.0
                for c in 0..<k { gradient[m * k + c] = 0 }
                for i in 0..<n {
                    var top = -Double.infinity
                    for c in 0..<k {
                        errors[i, c] += point[m * k + c]
                        top = max(top, errors[i, c])
                    }
                    let right = errors[i, system.labels[i]]
                    var sum = 0.0
                    for c in 0..<k {
                        errors[i, c] = exp(errors[i, c] - top)
                        sum += errors[i, c]
                    }
                    value += system.weights[i] * (log(sum) + top - right)
                    for c in 0..<k {
                        let error = system.weights[i] * (errors[i, c] / sum - (c == system.labels[i] ? 1 : 0))
                        errors[i, c] = error
                        gradient[m * k + c] += error
                    }
                }
                let slopes = algebra.product(system.coordinates, errors, transposingFirst: true)
                for i in 0..<m * k {
                    gradient[i] = slopes.values[i] + penalty * point[i]
                    value += 0.5 * penalty * point[i] * point[i]
                }
                return value
            }
            heads[index] = system.head(
                DenseMatrix(rows: m, columns: k, values: Array(point[0..<m * k])), bias: Array(point[(m * k)...]))
        }
        return penalties.indices.map { heads[$0]! }
    }
}
