/// What a model has learnt of a data set: stands under `training.sets` in its configuration. It is for models without
/// digests of their images, and says in words what those say by image.
package struct TrainedSet: Codable, Sendable, Equatable {
    package let name: String
    /// Of the training images with their labels.
    package let sha256: String
    /// Images of each class that were held back, as for `Dataset.split(development:)`.
    package let perClass: Int?
    /// Nothing is known to have been held back.
    package let isLearntWhole: Bool

    package init(name: String, sha256: String, perClass: Int?, isLearntWhole: Bool) {
        (self.name, self.sha256, self.perClass, self.isLearntWhole) = (name, sha256, perClass, isLearntWhole)
    }
}
