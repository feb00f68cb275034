/// What a model says of an image.
package struct Prediction: Codable, Sendable, Equatable {
    package let label: String
    package let confidence: Double

    package init(label: String, confidence: Double) {
        (self.label, self.confidence) = (label, confidence)
    }
}
