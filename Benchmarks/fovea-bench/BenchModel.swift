import FoveaImage
import FoveaModels
import FoveaNN
import FoveaPipeline
import FoveaSystem
import SystemPackage

/// A model to measure with.
struct BenchModel: Sendable {
    let folder: FilePath
    let configuration: ModelConfiguration
    let sha256: String

    var identifier: String { "\(configuration.name)@\(configuration.version)" }

    init(_ folder: FilePath) throws {
        let verified = try ModelFolder.verify(folder)
        (self.folder, configuration, sha256) = (folder, verified.configuration, verified.sha256)
    }

    /// Makes a network that has learnt nothing: as fast as a trained one.
    ///
    /// - Parameters:
    ///   - models: the folder of models that gets it, as `<models>/<name>/1`.
    ///   - like: whose labels and size of images it takes.
    static func untrained(
        _ name: String, in models: FilePath, seed: UInt64, like: ModelConfiguration? = nil
    ) throws -> BenchModel {
        let input = like?.input ?? .init(height: 32, width: 32)
        let labels = like?.labels ?? (0..<100).map { "class-\($0)" }
        let definition = NetworkDefinition(
            architecture: "vanilla", input: Shape(height: input.height, width: input.width, channels: 3),
            classes: labels.count, settings: .object(["hidden": .array([.int(512), .int(512)])]))
        let network = try Network(definition, maxBatch: 1, mode: .inference, threads: 1)
        network.initialize(seed: seed)
        var weights = SafetensorsWriter()
        for tensor in network.tensors {
            try weights.add(
                tensor.name, shape: tensor.shape, floats: network.read(tensor.name),
                as: tensor.kind == .parameter ? .float16 : .float32)
        }
        let configuration = ModelConfiguration(
            name: name, version: "1", description: "Untrained, for measurements.", labels: labels, input: input,
            chain: [
                StageConfiguration(plugin: "sharpen", parameters: .object(["amount": .int(1)])),
                StageConfiguration(plugin: "normalize", parameters: .object(["mode": .string("signed")])),
                StageConfiguration(plugin: "classifier-net"),
            ], network: try JSONValue(encoding: definition), weights: .init(dtype: .float16))

        let folder = models.appending(name).appending("1")
        try Files.makeDirectories(folder)
        let bytes = weights.encode()
        // The classifier reads these two; the golden set is what it says.
        try Files.replace(folder.appending(ModelFolder.configurationName), with: configuration.encode() as [UInt8])
        try Files.replace(folder.appending(ModelFolder.weightsName), with: bytes)
        let count = 4
        let inputs = (0..<count).flatMap {
            Pictures.make(width: input.width, height: input.height, seed: UInt64($0) + 1000)
        }
        let chain = try Chain(
            configuration.chain, shape: ImageShape(height: input.height, width: input.width), classes: labels.count,
            maxCount: count, search: PluginSearch(), modelDirectory: folder)
        let golden = try GoldenSet(
            count: count, height: input.height, width: input.width, classes: labels.count, inputs: inputs,
            scores: try chain.process(inputs))
        try ModelFolder.write(folder, configuration: configuration, weights: bytes, golden: golden)
        return try BenchModel(folder)
    }

    /// Copies a model into another folder of models.
    func copied(to models: FilePath) throws -> BenchModel {
        let target = models.appending(configuration.name).appending(configuration.version)
        try Files.makeDirectories(target)
        for name in [
            ModelFolder.configurationName, ModelFolder.weightsName, ModelFolder.goldenName, ModelFolder.manifestName,
        ] {
            let source = folder.appending(name)
            guard try Files.statusIfPresent(source) != nil else { continue }
            try Files.replace(target.appending(name), with: Files.read(source))
        }
        return try BenchModel(target)
    }
}
