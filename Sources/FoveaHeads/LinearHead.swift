/// A head on frozen features: logits = features · weights + bias.
package struct LinearHead: Sendable, Equatable {
    /// features × classes.
    package var weights: DenseMatrix
    /// One for each class.
    package var bias: [Double]

    package init(weights: DenseMatrix, bias: [Double]) {
        precondition(weights.columns == bias.count)
        (self.weights, self.bias) = (weights, bias)
    }

    package var classes: Int { bias.count }

    /// images × classes.
    ///
    /// - Parameter features: images × features, as the backbone gives them.
    package func logits(_ features: DenseMatrix, _ algebra: LinearAlgebra) -> DenseMatrix {
        var result = algebra.product(features, weights)
        for row in 0..<result.rows {
            for c in 0..<classes { result[row, c] += bias[c] }
        }
        return result
    }

    /// The same head for features that are not standardised: w / σ, and b − Σ w · μ / σ.
    package func unstandardised(_ standard: Standardisation) -> LinearHead {
        var result = self
        for f in 0..<weights.rows {
            for c in 0..<classes {
                let w = weights[f, c] / standard.deviation[f]
                result.weights[f, c] = w
                result.bias[c] -= w * standard.mean[f]
            }
        }
        return result
    }

    /// Logits times `factor`.
    package func scaled(by factor: Double) -> LinearHead {
        var result = self
        for i in result.weights.values.indices { result.weights.values[i] *= factor }
        for c in result.bias.indices { result.bias[c] *= factor }
        return result
    }
}

/// Mean and deviation of each feature over the images of a fit.
package struct Standardisation: Sendable, Equatable {
    package let mean: [Double]
    /// Above 0: a feature that hardly varies keeps a bounded factor.
    package let deviation: [Double]

    /// - Parameters:
    ///   - features: images × features.
    ///   - weights: of the images, their sum above 0.
    package init(_ features: DenseMatrix, weights: [Double]) {
        let total = weights.reduce(0, +)
        var mean = [Double](repeating: 0, count: features.columns)
        var square = mean
        for (row, weight) in weights.enumerated() {
            for (f, value) in features[row: row].enumerated() {
                mean[f] += weight * value / total
                square[f] += weight * value * value / total
            }
        }
        let deviations = zip(mean, square).map { max(0, $1 - $0 * $0).squareRoot() }
        // A tenth of the usual deviation is the floor: noise of a dead feature must not become a signal.
        let usual = deviations.reduce(0, +) / Double(max(1, deviations.count))
        self.mean = mean
        deviation = deviations.map { max($0, 0.1 * usual, 1e-12) }
    }

    package func apply(_ features: DenseMatrix) -> DenseMatrix {
        var result = features
        for row in 0..<features.rows {
            for f in 0..<features.columns {
                result[row, f] = (features[row, f] - mean[f]) / deviation[f]
            }
        }
        return result
    }
}
