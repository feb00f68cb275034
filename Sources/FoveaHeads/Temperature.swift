import Glibc

/// The temperature that makes confidences mean what they say (Guo et al. 2017, "On Calibration of Modern Neural Networks"), as far
/// as the images can tell.
///
/// A handful of images that are all right would ask for endless confidence. So the logarithm of the temperature has a normal prior
/// of mean 0 and deviation ½, which counts as much as one image or two, and bounds that no data break.
package enum Temperature {
    package static let bounds = 0.2...5.0
    static let deviation = 0.5

    /// Minus the logarithm of the prior, without its constant: what `fit` adds to the images' losses.
    package static func penalty(logarithm: Double) -> Double { logarithm * logarithm / (2 * deviation * deviation) }

    /// The temperature with the least loss on `logits` and the prior.
    ///
    /// - Parameters:
    ///   - logits: images × classes, of images that were not learnt.
    ///   - labels: of each image.
    ///   - weights: of each image; nil is 1 each.
    package static func fit(_ logits: DenseMatrix, labels: [Int], weights: [Double]? = nil) -> Double {
        func objective(_ logarithm: Double) -> Double {
            penalty(logarithm: logarithm)
                + loss(logits, labels: labels, weights: weights, temperature: exp(logarithm)) * Double(labels.count)
        }
        return exp(minimum(of: objective, log(bounds.lowerBound), log(bounds.upperBound)))
    }

    /// Mean cross-entropy at a temperature.
    package static func loss(
        _ logits: DenseMatrix, labels: [Int], weights: [Double]? = nil, temperature: Double
    ) -> Double {
        losses(logits, labels: labels, weights: weights, temperature: temperature).reduce(0, +)
            / Double(max(1, labels.count))
    }

    /// Cross-entropy of each image at a temperature, times the weight of the image.
    static func losses(
        _ logits: DenseMatrix, labels: [Int], weights: [Double]? = nil, temperature: Double
    ) -> [Double] {
        labels.enumerated().map { i, label in
            let row = logits[row: i]
            let top = row.max() ?? 0
            let total = row.reduce(0) { $0 + exp(($1 - top) / temperature) }
            return (weights?[i] ?? 1) * (log(total) - (logits[i, label] - top) / temperature)
        }
    }

    /// Golden-section search for the least of a function with one minimum.
    package static func minimum(of f: (Double) -> Double, _ low: Double, _ high: Double) -> Double {
        var (low, high) = (low, high)
        let ratio = (5.0.squareRoot() - 1) / 2
        var (a, b) = (high - ratio * (high - low), low + ratio * (high - low))
        var (valueA, valueB) = (f(a), f(b))
        while high - low > 1e-3 {
            if valueA < valueB {
                (high, b, valueB) = (b, a, valueA)
                a = high - ratio * (high - low)
                valueA = f(a)
            } else {
                (low, a, valueA) = (a, b, valueB)
                b = low + ratio * (high - low)
                valueB = f(b)
            }
        }
        return (low + high) / 2
    }
}
