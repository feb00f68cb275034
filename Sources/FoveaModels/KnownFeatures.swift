import FoveaSystem

/// How a model stores what it needs to tell that an image belongs to none of its classes: the features of images that it has learnt,
/// as a further tensor of model.safetensors, and a parameter of `classifier-net` that says how far from them is too far.
package struct KnownFeatures: Codable, Sendable, Equatable {
    /// images × features, each of length 1.
    package static let tensor = "unknown.known"
    /// Of the stage `classifier-net`.
    package static let parameter = "unknown"

    /// The distance counts to the nth nearest of the known images.
    package let neighbours: Int
    /// 1 − cosine from which an image is unknown.
    package let threshold: Double

    package init(neighbours: Int, threshold: Double) { (self.neighbours, self.threshold) = (neighbours, threshold) }

    package init(from decoder: any Decoder) throws {
        let keys = try StrictKeys(decoder, allowed: ["neighbours", "threshold"], what: "parameter \(Self.parameter)")
        neighbours = try keys.required("neighbours")
        threshold = try keys.required("threshold")
        guard (1...1000).contains(neighbours) else { throw keys.invalid("neighbours", "must be from 1 to 1000") }
        guard threshold > 0, threshold <= 2 else { throw keys.invalid("threshold", "must be above 0 and at most 2") }
    }
}
