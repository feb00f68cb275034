/// Everything that decides a training, beside the network and the images. Stored with the model.
package struct TrainingSettings: Codable, Sendable, Equatable {
    package var epochs = 30
    package var batch = 128
    package var learningRate = 1e-3
    package var schedule = Schedule.cosine
    /// Epochs of linear warm-up; may be a fraction.
    package var warmup = 1.0
    /// Decoupled: per step, weights × learning rate × this.
    package var weightDecay = 0.0
    package var labelSmoothing = 0.0
    /// The largest global norm of the gradients; 0: no limit.
    package var clip = 100.0
    package var seed: UInt64 = 1
    package var threads = 1
    package var augmentation = Augmentation()
    /// Epochs without a better development accuracy after which training stops; 0: never.
    package var patience = 0

    /// What the source does to training images; FoveaNN only carries it.
    package struct Augmentation: Codable, Sendable, Equatable {
        package var flip = true
        /// Largest shift in pixels, each way.
        package var crop = 4
        package init(flip: Bool = true, crop: Int = 4) { (self.flip, self.crop) = (flip, crop) }
    }

    package init() {}
}
