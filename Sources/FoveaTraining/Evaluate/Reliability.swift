/// How true a model's confidences are (Guo et al. 2017, "On Calibration of Modern Neural Networks"): outcomes in 15 bins of
/// equal width by the confidence of their answer.
package struct Reliability: Sendable {
    package struct Bin: Sendable {
        package var images = 0
        package var right = 0
        /// Sum over the images.
        package var confidence = 0.0

        /// Share of right answers; 0 where there are no images.
        package var accuracy: Double { Double(right) / Double(max(1, images)) }
    }

    package private(set) var bins = [Bin](repeating: Bin(), count: 15)

    package init(_ outcomes: [Outcome]) {
        for outcome in outcomes {
            let confidence = Double(outcome.top[0].probability)
            let bin = min(bins.count - 1, Int(confidence * Double(bins.count)))
            bins[bin].images += 1
            bins[bin].right += outcome.isRight ? 1 : 0
            bins[bin].confidence += confidence
        }
    }

    /// Expected calibration error: how far confidence and accuracy lie apart, weighted by the images of a bin.
    package var expectedError: Double {
        let images = bins.reduce(0) { $0 + $1.images }
        return bins.reduce(0) { $0 + abs(Double($1.right) - $1.confidence) } / Double(max(1, images))
    }
}
