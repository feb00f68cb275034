import FoveaControl
import FoveaModels
import FoveaRetraining
import SystemPackage

/// A model that is compared: its place, and what it is called.
package struct ComparedModel {
    package let folder: FilePath
    package let configuration: ModelConfiguration
    package var name: String { "\(configuration.name)@\(configuration.version)" }

    /// - Parameter reference: NAME, NAME@VERSION, or a folder (with a `/` in it).
    package init(_ reference: String, _ configuration: Configuration) throws {
        let model = try configuration.model(reference)
        (folder, self.configuration) = (model.folder, model.configuration)
    }
}

/// Where the images of a comparison come from.
package protocol ComparedImages {
    /// What a person should know of them.
    var notes: [String] { get }

    /// What both models say of each image, and the images that one of them could not classify.
    func answers(
        of old: ComparedModel, and new: ComparedModel
    ) throws -> ([ModelComparison.Difference], [CorrectionProblem])

    /// A small PNG; nil where there is none.
    func thumbnail(of image: String, _ model: ComparedModel) throws -> [UInt8]?
}
