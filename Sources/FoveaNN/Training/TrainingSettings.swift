/// Everything that decides a training, beside the network and the images. Stored with the model.
package struct TrainingSettings: Codable, Sendable, Equatable {
    package var epochs = 30
    package var batch = 128
    package var optimizer = OptimizerKind.adam
    /// With Muon of all but the filters.
    package var learningRate = 1e-3
    /// Nesterov's; with Muon of all but the filters.
    package var momentum = 0.9
    /// With Muon: of the filters.
    package var muonLearningRate = 0.18
    package var muonMomentum = 0.6
    package var schedule = Schedule.cosine
    /// Epochs of linear warm-up; may be a fraction.
    package var warmup = 1.0
    /// With Adam decoupled: per step, weights × learning rate × this. Otherwise added to the gradient.
    package var weightDecay = 0.0
    package var labelSmoothing = 0.0
    /// What the superclass's cross-entropy counts at first; it falls evenly to 0.
    package var hierarchy = 0.0
    /// The largest global norm of the gradients; 0: no limit. Not with Muon.
    package var clip = 100.0
    package var seed: UInt64 = 1
    package var threads = 1
    package var augmentation = Augmentation()
    package var averaging = WeightAveraging.none
    /// Epochs without a better development accuracy after which training stops; 0: never.
    package var patience = 0

    /// Sides of the images, ascending; each is used until that share of the steps is done, and after the last the images'
    /// own size. Empty: that from the start.
    package var sizes: [Size] = []

    package struct Size: Codable, Sendable, Equatable {
        package var side: Int
        package var until: Double
        package init(side: Int, until: Double) { (self.side, self.until) = (side, until) }
    }

    package enum OptimizerKind: String, Codable, Sendable, CaseIterable {
        case adam, sgd
        /// Muon for the filters of convolutions, Nesterov's momentum for the rest.
        case muon
        /// Muon for the filters of convolutions, Adam for the rest.
        case muonAdam = "muon-adam"

        /// Whether Muon moves the filters.
        package var usesMuon: Bool { self == .muon || self == .muonAdam }
    }

    /// Mirroring left to right: never, by a throw of the dice, or every other time that an image comes.
    package enum Flip: String, Codable, Sendable { case none, random, alternating }

    /// What is done to training images: CutMix here, the rest by the source; FoveaNN only carries that.
    package struct Augmentation: Codable, Sendable, Equatable {
        package var flip = Flip.random
        /// Largest shift in pixels, each way.
        package var crop = 4
        /// Side of a grey square; 0: none.
        package var cutout = 0
        /// Share of the images that are blurred.
        package var blur = 0.0
        /// Share of the images into which a part of another one is pasted (CutMix).
        package var cutMix = 0.0
        /// Instead of all that: the augmentation of the student project that Fovea comes from.
        package var seed = false

        package init(
            flip: Flip = .random, crop: Int = 4, cutout: Int = 0, blur: Double = 0, cutMix: Double = 0,
            seed: Bool = false
        ) {
            (self.flip, self.crop, self.cutout, self.blur) = (flip, crop, cutout, blur)
            (self.cutMix, self.seed) = (cutMix, seed)
        }
    }

    package init() {}

    /// Steps of an epoch. A short last batch would give batch norm poor statistics: it is left out unless it is the only one.
    ///
    /// - Parameter images: that are trained on.
    package func stepsPerEpoch(images: Int) -> Int { max(1, images / batch) }

    /// A setting that cannot be trained with, and the rule that it breaks.
    package struct Problem: Sendable, Equatable, CustomStringConvertible {
        /// As in the settings' JSON, such as `learningRate` or `augmentation.crop`.
        package let setting: String
        /// Follows the setting, such as `must be above 0`.
        package let rule: String

        package var description: String { "\(setting) \(rule)" }
    }

    /// The first setting that cannot be trained with; nil where all can.
    ///
    /// - Parameter side: of the images, the shorter one; nil where that is not known yet.
    package func problem(side: Int?) -> Problem? {
        func isPositive(_ value: Double) -> Bool { value > 0 && value.isFinite }
        func isShare(_ value: Double) -> Bool { (0...1).contains(value) }
        let most = side ?? .max
        let rules: [(String, Bool, String)] = [
            ("epochs", (1...100_000).contains(epochs), "must be from 1 to 100000"),
            ("batch", (2...65536).contains(batch), "must be from 2 to 65536"),
            ("learningRate", isPositive(learningRate), "must be above 0"),
            ("muonLearningRate", isPositive(muonLearningRate), "must be above 0"),
            ("momentum", (0..<1).contains(momentum), "must be at least 0 and below 1"),
            ("muonMomentum", (0..<1).contains(muonMomentum), "must be at least 0 and below 1"),
            ("warmup", warmup >= 0 && warmup <= Double(epochs), "must be from 0 to the number of epochs"),
            ("weightDecay", weightDecay >= 0 && weightDecay.isFinite, "must not be negative"),
            ("labelSmoothing", (0..<1).contains(labelSmoothing), "must be at least 0 and below 1"),
            ("hierarchy", hierarchy >= 0 && hierarchy.isFinite, "must not be negative"),
            ("clip", clip >= 0 && clip.isFinite, "must be 0, which is no limit, or more"),
            ("patience", patience >= 0, "must not be negative"),
            ("augmentation.crop", (0..<most).contains(augmentation.crop), "must be from 0 to below \(most)"),
            ("augmentation.cutout", augmentation.cutout >= 0, "must not be negative"),
            ("augmentation.blur", isShare(augmentation.blur), "must be from 0 to 1"),
            ("augmentation.cutMix", isShare(augmentation.cutMix), "must be from 0 to 1"),
            (
                "sizes", sizes.allSatisfy { (1...most).contains($0.side) && isShare($0.until) },
                "must have from 1 to \(most) pixels a side and shares from 0 to 1"
            ),
        ]
        return rules.first { !$0.1 }.map { Problem(setting: $0.0, rule: $0.2) }
    }
}
