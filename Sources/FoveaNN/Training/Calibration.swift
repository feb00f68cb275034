import Glibc

extension Network {
    /// The temperature that makes confidences mean what they say (Guo et al. 2017, "On Calibration of Modern Neural
    /// Networks"): logits are divided by it, which without averaging changes no answer. The one with the least loss on images
    /// that were not trained on, and with a prior: a handful of images that are all right would ask for endless confidence. The
    /// logarithm of the temperature has a normal prior of mean 0 and deviation ½, which counts as much as one image or two. From 1/20
    /// to 20.
    ///
    /// - Parameter views: what answers will be averaged over; each view's logits are divided.
    package func fittedTemperature(
        _ source: any TrainingSource, views: [AveragedNetwork.View] = [.init()]
    ) throws -> Double {
        precondition(temperature == 1)
        // Of p, softmax at temperature t is p^(1/t) over its sum: the views' probabilities are enough.
        var images: [(logs: [[Double]], label: Int)] = []
        try eachPrediction(source, views: views) { probabilities, label in
            let rows = stride(from: 0, to: probabilities.count, by: classes).map { start in
                probabilities[start..<start + classes].map { crossEntropyLog($0) }
            }
            images.append((rows, label))
        }
        func loss(_ logarithm: Double) -> Double {
            let power = exp(-logarithm)
            return images.reduce(2 * logarithm * logarithm) { sum, image in
                let share = zip(image.logs, views).reduce(0.0) { share, view in
                    let top = power * (view.0.max() ?? 0)
                    let all = view.0.reduce(0) { $0 + exp(power * $1 - top) }
                    return share + Double(view.1.weight) * exp(power * view.0[image.label] - top) / all
                }
                return sum - log(max(1e-30, share))
            }
        }
        // Golden section.
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
