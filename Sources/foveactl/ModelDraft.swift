import FoveaCLI
import FoveaModels
import FoveaPipeline
import FoveaSystem
import Glibc
import SystemPackage

/// A model with another chain than the one it begins with, before it has a golden set.
struct ModelDraft {
    private let base: VerifiedModel
    private let configuration: ModelConfiguration

    /// - Parameter labels: nil are those of `base`.
    init(
        _ base: VerifiedModel, stages: [StageConfiguration], name: String, version: String, description: String?,
        labels: [String]?
    ) throws {
        self.base = base
        var model = base.configuration
        let isNetwork = stages.last?.plugin == "classifier-net"
        if isNetwork, !model.usesNetwork {
            throw Failure.usage(
                "\(try base.identifier) has no network for classifier-net: begin with a model that was trained by Fovea"
            )
        }
        if let labels, labels != model.labels {
            if isNetwork, labels.count != model.labels.count {
                throw Failure.usage(
                    "--labels: the network has \(model.labels.count) scores, and \(labels.count) labels are given")
            }
            do throws(LabelError) { try Labels.check(labels) } catch { throw Failure.usage(safe("--labels: \(error)")) }
            model.labels = labels
            (model.superclasses, model.superclassOf) = (nil, nil)
        }
        let chain = stages.map(\.plugin).joined(separator: ", ")
        model.name = name
        model.version = version
        let original = try base.identifier
        model.description = description ?? "\(original) with the chain \(chain)"
        model.chain = stages
        // What was measured was another chain's.
        model.metrics = nil
        if !isNetwork { (model.network, model.weights, model.training) = (nil, nil, nil) }
        configuration = model
    }

    /// Runs the chain on the golden images of the model it begins with, and stores the new model.
    func add(to store: ModelStore, plugins: [FilePath]) throws -> ModelStore.Model {
        let weights =
            configuration.usesNetwork
            ? try ModelFolder.read(base.folder.appending(ModelFolder.weightsName), limit: ModelFolder.weightsLimit)
            : nil
        try Files.makeDirectories(store.trained)
        // The store clears away what a process that was killed leaves under such a name.
        let folder = store.trained.appending(".staging-\(getpid())-chain")
        try Files.makeDirectories(folder)
        defer { try? Files.removeTree(folder) }
        try Files.replace(folder.appending(ModelFolder.configurationName), with: configuration.encode() as [UInt8])
        if let weights { try Files.replace(folder.appending(ModelFolder.weightsName), with: weights) }
        let golden = base.golden
        let scores = try ChainTrial(folder, plugins: plugins).scores(
            golden.inputs, count: golden.count * configuration.labels.count)
        return try store.add(
            configuration: configuration, weights: weights,
            golden: try GoldenSet(
                count: golden.count, height: golden.height, width: golden.width, classes: configuration.labels.count,
                inputs: golden.inputs, scores: scores))
    }
}
