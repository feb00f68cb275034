import FoveaData
import FoveaModels
import FoveaNN
import FoveaSystem
import SystemPackage

/// All that decides one training, whoever asked for it: `train` from its options, `retrain` from the champion.
package struct TrainingPlan {
    /// The model's.
    package var name: String
    package var description: String
    /// nil is the next whole number of the store.
    package var version: (() throws -> String)?
    package var data: Dataset
    /// Indices into the training images; one may be there several times, and is then seen as often in an epoch.
    package var train: [Int]
    /// Of the same images, those that are held back: for the figures of each epoch and for the temperature.
    package var development: [Int]
    /// What the finished model is measured on, instead of the development images.
    package var heldBack: LabelledImages?
    /// The epoch that is best on the development images is the model; otherwise the last one.
    package var keepsBest = true
    package var network: NetworkDefinition
    /// Tensors to begin with, by name; the others begin as the architecture says.
    package var start: [String: [Float]] = [:]
    /// Stages in order, the classifier last.
    package var chain: [StageConfiguration]
    package var settings: TrainingSettings
    /// The settings for as many epochs as fit a time.
    package var budget: Budget?
    /// The development accuracy after which nothing more needs to be learned, a fraction.
    package var target: Double?
    package var weights = TensorType.float16
    package var averaging = TestTimeAugmentation.none
    /// nil fits it to the development images.
    package var temperature: Double?
    /// The finished model is measured on the test images.
    package var measuresTest = false
    package var checkpoint: FilePath
    /// The longest time between two checkpoints, in seconds.
    package var checkpointEvery = 600.0
    /// The checkpoint to go on from.
    package var resumes: FilePath?
    /// How to go on when the training was stopped, a clause.
    package var goOn: String
    /// When to stop for this time, whatever is done: seconds from the start of `TrainingRun.run`.
    package var deadline = Double.infinity
    /// Data sets of which the model will have learnt images, with those of the model that it begins with.
    package var sets: [TrainedSet] = []
    /// The model whose weights `start` has.
    package var base: Provenance.Base?
    /// With a base, the settings at the beginning of its line.
    package var recipe: JSONValue?
    /// Where the model is the challenger of a retraining.
    package var retraining: Provenance.Retraining?
    /// Further files for the model's folder `training`, by name.
    package var files: () throws -> [String: [UInt8]] = { [:] }

    /// The epoch count is computed from the measured speed of the machine.
    package struct Budget {
        package let seconds: Double
        /// The settings for so many epochs.
        package let settings: (Int) throws -> TrainingSettings
        /// No more than these, however much time there is.
        package let most: Int

        package init(seconds: Double, settings: @escaping (Int) throws -> TrainingSettings, most: Int = 100_000) {
            (self.seconds, self.settings, self.most) = (seconds, settings, most)
        }
    }

    /// What every training needs; the rest has defaults.
    package init(
        name: String, description: String, data: Dataset, train: [Int], development: [Int],
        network: NetworkDefinition, chain: [StageConfiguration], settings: TrainingSettings, checkpoint: FilePath,
        goOn: String
    ) {
        (self.name, self.description, self.data) = (name, description, data)
        (self.train, self.development) = (train, development)
        (self.network, self.chain, self.settings) = (network, chain, settings)
        (self.checkpoint, self.goOn) = (checkpoint, goOn)
    }
}
