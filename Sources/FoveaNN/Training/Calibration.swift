import Glibc

extension Network {
    /// The temperature that makes confidences mean what they say (Guo et al. 2017, "On Calibration of Modern Neural
    /// Networks"): logits are divided by it, which changes no answer. The one with the least loss on images that were not
    /// trained on, from 1/20 to 20.
    package func fittedTemperature(_ source: any TrainingSource) throws -> Double {
        precondition(temperature == 1)
        var rows: [(probabilities: [Float], label: Int)] = []
        rows.reserveCapacity(source.count)
        try eachPrediction(source) { probabilities, label in rows.append((Array(probabilities), label)) }
        /// Of p, softmax at temperature t is p^(1/t) over its sum.
        func loss(_ logarithm: Double) -> Double {
            let power = exp(-logarithm)
            return rows.reduce(0) { sum, row in
                let logs = row.probabilities.map { power * log(max(1e-30, Double($0))) }
                let top = logs.max() ?? 0
                return sum + top + log(logs.reduce(0) { $0 + exp($1 - top) }) - logs[row.label]
            }
        }
        // Golden section: the loss has one minimum in 1/t.
        var (low, high) = (-log(20.0), log(20.0))
        let ratio = (5.0.squareRoot() - 1) / 2
        var (a, b) = (high - ratio * (high - low), low + ratio * (high - low))
        var (lossA, lossB) = (loss(a), loss(b))
        while high - low > 1e-3 {
            if lossA < lossB {
                (high, b, lossB) = (b, a, lossA)
                a = high - ratio * (high - low)
                lossA = loss(a)
            } else {
                (low, a, lossA) = (a, b, lossB)
                b = low + ratio * (high - low)
                lossB = loss(b)
            }
        }
        return exp((low + high) / 2)
    }
}
