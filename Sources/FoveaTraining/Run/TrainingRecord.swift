import FoveaControl
import FoveaData
import FoveaModels
import FoveaNN

/// A finished training and what its model said about images that it was not trained on: all that a report is made of.
package struct TrainingRecord: Sendable {
    /// With metrics and training.
    package var configuration: ModelConfiguration
    package var settings: TrainingSettings
    /// Images that were trained on, and how many an epoch has: some may come more than once.
    package var images: Int
    package var perEpoch: Int
    package var epochs: [EpochReport]
    /// The epoch whose weights the model has; 0 where none was finished.
    package var keptEpoch: Int
    /// nil where none were measured.
    package var heldOut: HeldOut?
    /// SHA-256 of the model's files, by name.
    package var hashes: [String: String]
    /// When the training ended, in seconds since 1970.
    package var finished: Double

    /// Images that the model was not trained on, and its answers.
    package struct HeldOut: Sendable {
        package enum Part: String, Sendable {
            case development, test
            /// What a retraining is judged by.
            case heldBack = "held-back"
        }

        package let part: Part
        package let images: LabelledImages
        /// In the order of the images.
        package let outcomes: [Outcome]

        package init(_ part: Part, images: LabelledImages, outcomes: [Outcome]) {
            precondition(images.count == outcomes.count)
            (self.part, self.images, self.outcomes) = (part, images, outcomes)
        }

        /// Such as `1,000 development images`.
        package var words: String { "\(Figures.grouped(outcomes.count)) \(part.rawValue) images" }

        package func score(_ model: ModelConfiguration) -> Score {
            Score(outcomes, labels: model.labels, superclassOf: model.superclassOf)
        }
    }

    /// - Parameter perEpoch: nil where each image comes once in an epoch.
    package init(
        configuration: ModelConfiguration, settings: TrainingSettings, images: Int, perEpoch: Int? = nil,
        epochs: [EpochReport],
        keptEpoch: Int, heldOut: HeldOut?, hashes: [String: String], finished: Double
    ) {
        (self.configuration, self.settings, self.images, self.epochs) = (configuration, settings, images, epochs)
        self.perEpoch = perEpoch ?? images
        (self.keptEpoch, self.heldOut, self.hashes, self.finished) = (keptEpoch, heldOut, hashes, finished)
    }

    /// The model's name and version.
    package var title: String { "\(configuration.name)@\(configuration.version)" }
}
