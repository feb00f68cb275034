import FoveaNN
import FoveaSystem

/// A recipe by name: everything that `train` needs to know but the data.
struct Preset {
    let architecture: String
    var network: JSONValue = .object([:])
    let settings: TrainingSettings
    /// Share of the epochs in which the learning rate rises.
    let warmup: Double
    let chain: Chain

    /// What is done to the pixels before the network.
    enum Chain {
        /// The seed's: sharpened, to [−1, 1].
        case sharpened
        /// To mean 0 and deviation 1 over CIFAR-100's training images.
        case standardised
    }

    static let all: [String: Preset] = ["fast": fast]
    static var names: String { all.keys.sorted().joined(separator: ", ") }

    /// NAVIER-STOKED's recipe (github.com/AIDDA-Institute/CIFAR-100-speedrun).
    private static var fast: Preset {
        var settings = TrainingSettings()
        settings.epochs = 5
        settings.batch = 1024
        settings.optimizer = .muon
        settings.learningRate = 1.38
        settings.momentum = 0.9
        settings.muonLearningRate = 0.18
        settings.muonMomentum = 0.6
        settings.weightDecay = 5e-4
        settings.schedule = .linear
        settings.labelSmoothing = 0.25
        settings.clip = 0
        settings.augmentation = .init(flip: .alternating, crop: 2)
        settings.sizes = [.init(side: 20, until: 0.15), .init(side: 24, until: 0.5)]
        return Preset(architecture: "foveanet", settings: settings, warmup: 0.25, chain: .standardised)
    }
}
