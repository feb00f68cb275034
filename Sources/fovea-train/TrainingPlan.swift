import FoveaData
import FoveaModels
import FoveaNN
import FoveaSystem
import SystemPackage

/// All that decides one training, whoever asked for it: `train` from its options, `retrain` from the champion.
struct TrainingPlan {
    /// The model's.
    var name: String
    var description: String
    /// nil is the next whole number of the store.
    var version: (() throws -> String)?
    var data: Dataset
    /// Indices into the training images; one may be there several times, and is then seen as often in an epoch.
    var train: [Int]
    /// Of the same images, those that are held back: for the figures of each epoch and for the temperature.
    var development: [Int]
    /// What the finished model is measured on, instead of the development images.
    var heldBack: LabelledImages?
    /// The epoch that is best on the development images is the model; otherwise the last one.
    var keepsBest = true
    var network: NetworkDefinition
    /// Tensors to begin with, by name; the others begin as the architecture says.
    var start: [String: [Float]] = [:]
    /// Stages in order, the classifier last.
    var chain: [StageConfiguration]
    var settings: TrainingSettings
    /// The settings for as many epochs as fit a time.
    var budget: Budget?
    /// The development accuracy after which nothing more needs to be learned, a fraction.
    var target: Double?
    var weights = TensorType.float16
    var averaging = TestTimeAugmentation.none
    /// nil fits it to the development images.
    var temperature: Double?
    /// The finished model is measured on the test images.
    var measuresTest = false
    var checkpoint: FilePath
    /// The longest time between two checkpoints, in seconds.
    var checkpointEvery = 600.0
    /// The checkpoint to go on from.
    var resumes: FilePath?
    /// How to go on when the training was stopped, a clause.
    var goOn: String
    /// When to stop for this time, whatever is done: seconds from the start of `TrainingRun.run`.
    var deadline = Double.infinity
    /// What stands beside the figures under `training` in the model's configuration.
    var provenance: [String: JSONValue] = [:]
    /// Further files for the model's folder `training`, by name.
    var files: () throws -> [String: [UInt8]] = { [:] }

    /// How many epochs there are is found out by the machine's speed.
    struct Budget {
        let seconds: Double
        /// The settings for so many epochs.
        let settings: (Int) throws -> TrainingSettings
        /// No more than these, however much time there is.
        var most = 100_000
    }
}
