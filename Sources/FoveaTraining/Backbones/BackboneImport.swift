// A backbone becomes a model:
//
//     wheel ─ .pth ─ state dictionary ─ renamed, transposed, rounded ─▶ network ─▶ whole chain ─▶ golden set ─▶ store
//     wheel ─ names of the classes ──────────────────────────────────▶ labels

import FoveaCLI
import FoveaControl
import FoveaExchange
import FoveaModels
import FoveaNN
import FoveaPipeline
import FoveaSystem
import FoveaTorch
import Glibc
import SystemPackage

/// Makes a model of a backbone's published weights.
package struct BackboneImport {
    private let source: BackboneSource
    /// Of the model.
    private let name: String
    /// How parameters are stored.
    private let type: TensorType
    private let store: ModelStore
    private let search: PluginSearch
    private let console: Console

    package init(
        _ source: BackboneSource, name: String, weights type: TensorType, store: ModelStore, search: PluginSearch,
        console: Console
    ) {
        (self.source, self.name, self.type) = (source, name, type)
        (self.store, self.search, self.console) = (store, search, console)
    }

    private var backbone: Backbone { source.backbone }

    /// - Returns: the model in the store, and whether it was there before.
    /// - Throws: `.exists` where another model has the name; what the source throws.
    package func run() throws -> (model: ModelStore.Model, wasThere: Bool) {
        if let there = try store.list().last(where: { $0.identifier.name == name }) {
            // Nothing is fetched for a model that serves already; a damaged one says so here.
            let verified = try ModelFolder.verify(there.folder)
            let sha256 = verified.configuration.training?.imported?.sha256
            guard let sha256 else {
                throw ModelError(
                    .exists, "\(there.identifier)",
                    "there is a model of that name that was not made of \(backbone.name): give another --name")
            }
            // Weights from a file are compared; without one, any import of that name is what was asked for.
            if let file = source.file, try source.weights(console).sha256 != sha256 {
                throw ModelError(
                    .exists, "\(there.identifier)",
                    "is there already and was made of another file than \(file.escaped): give another --name")
            }
            return (there, true)
        }
        // What would fail at the end fails before the download.
        _ = try search.find("classifier-net")
        let weights = try source.weights(console)
        if !weights.isPublished {
            console.note(
                "\(weights.subject) is not the published \(backbone.name) (its SHA-256 is \(weights.sha256)): taken as weights of "
                    + "your own")
        }
        let file: TorchFile
        do throws(TorchError) { file = try TorchFile(bytes: weights.bytes, subject: weights.subject) } catch {
            throw ModelError(.damaged, error.subject, error.problem)
        }
        guard let classes = file.tensor("_fc.bias")?.shape.first, (2...Labels.most).contains(classes) else {
            throw ModelError(
                .damaged, weights.subject,
                "has no tensor '_fc.bias' of 2 to \(Labels.most) scores: not \(backbone.name)")
        }
        let labels = try source.labels(count: classes, console)
        return (try add(file, weights, labels: labels), false)
    }

    // MARK: - The model

    private func add(
        _ file: TorchFile, _ weights: BackboneSource.Weights, labels: [String]
    ) throws -> ModelStore.Model {
        let definition = NetworkDefinition(
            architecture: backbone.name, input: Shape(height: backbone.side, width: backbone.side, channels: 3),
            classes: labels.count)
        let network = try Network(definition, maxBatch: 1, mode: .inference, threads: 1)
        let values = try TorchNames.tensors(
            network.tensors.map { .init(name: $0.name, shape: $0.shape) }, from: file, subject: weights.subject)
        var writer = SafetensorsWriter()
        writer.metadata = ["format": "fovea", "layout": "NHWC"]
        for tensor in network.tensors {
            // Running statistics have the range of the data, which half precision may not hold.
            try writer.add(
                tensor.name, shape: tensor.shape, floats: values[tensor.name]!,
                as: tensor.kind == .parameter ? type : .float32)
        }
        let model = try configuration(definition, weights, labels: labels)
        let bytes = writer.encode()
        let golden = try goldenSet(model, weights: bytes)
        let files = try ModelFolder.files(configuration: model, weights: bytes, golden: golden)
        let card = BackboneCard(
            model, backbone: backbone, weights: weights, parameters: network.parameterCount,
            hashes: files.mapValues { hexadecimal(Digest.sha256($0)) })
        var training = ["README.md": Array(card.text.utf8)]
        training["LICENSE"] = weights.licence
        return try store.add(configuration: model, weights: bytes, golden: golden, training: training)
    }

    private func configuration(
        _ definition: NetworkDefinition, _ weights: BackboneSource.Weights, labels: [String]
    ) throws -> ModelConfiguration {
        // (pixel − 127) / 128, in the units of `normalize`, 0 to 1.
        let channels = { (value: Double) in JSONValue.array([JSONValue](repeating: .number(value / 255), count: 3)) }
        let package = backbone.package
        return ModelConfiguration(
            name: name, version: try store.nextVersion(of: name),
            description: weights.isPublished
                ? "\(backbone.name) for photographs, trained on ImageNet by Google"
                : "\(backbone.name) with weights from \(weights.subject)",
            labels: labels,
            input: .init(
                height: backbone.side, width: backbone.side, framing: .crop(share: Framing.usualShare),
                resample: .bicubic),
            chain: [
                StageConfiguration(
                    plugin: "normalize", parameters: .object(["mean": channels(127), "std": channels(128)])),
                StageConfiguration(plugin: "classifier-net"),
            ],
            network: try JSONValue(encoding: definition), weights: .init(dtype: type),
            training: Provenance(
                weights.isPublished
                    ? .init(
                        origin: "\(package.name) \(package.version), \(package.origin)", licence: package.licence,
                        sha256: weights.sha256, trainedOn: "ImageNet-1k")
                    : .init(origin: weights.subject, licence: "unknown", sha256: weights.sha256)))
    }

    /// Scores by the whole chain, of the weights as they are stored.
    private func goldenSet(_ model: ModelConfiguration, weights: [UInt8]) throws -> GoldenSet {
        // The store clears away what a process that was killed leaves under such a name.
        let folder = store.trained.appending(".staging-\(getpid())-golden")
        try Files.makeDirectories(folder)
        defer { try? Files.removeTree(folder) }
        try Files.replace(folder.appending(ModelFolder.configurationName), with: model.encode() as [UInt8])
        try Files.replace(folder.appending(ModelFolder.weightsName), with: weights)
        // Fewer than other models have: a start checks them all, and these images are large.
        let count = 4
        let inputs = SyntheticImages.make(count: count, height: model.input.height, width: model.input.width, seed: 1)
        let chain = try Chain(
            model.chain, shape: ImageShape(height: model.input.height, width: model.input.width),
            classes: model.labels.count, maxCount: count, search: search, modelDirectory: folder)
        return try GoldenSet(
            count: count, height: model.input.height, width: model.input.width, classes: model.labels.count,
            inputs: inputs, scores: try chain.process(inputs))
    }
}
