import FoveaCLI
import FoveaModels
import FoveaNN
import FoveaSystem

extension ONNXModel {
    /// A model as ONNX: its chain's filters and normalizer, its network with averaging and temperature, its labels.
    ///
    /// - Throws: `Failure` for what ONNX cannot say: a plugin that is not Fovea's own.
    package init(_ model: VerifiedModel) throws {
        let configuration = model.configuration
        let identifier = try model.identifier
        guard configuration.usesNetwork else {
            throw Failure.data(
                "\(identifier): its classifier is '\(configuration.chain.last?.plugin ?? "")'. ONNX takes networks of "
                    + "classifier-net; `foveactl model export` has --format folder and tar for all models.")
        }
        let network = try model.reading { try Network($0, maxBatch: 1, mode: .inference, threads: 1) }
        let weights = try SafetensorsFile(path: model.folder.appending(ModelFolder.weightsName))
        // The graph answers with probabilities alone: what tells the unknown stays with Fovea.
        try weights.check(
            against: network.tensors.map { ($0.name, $0.shape) }, of: network.definition.architecture,
            beside: [KnownFeatures.tensor])
        for tensor in network.tensors { try network.write(tensor.name, weights.floats(tensor.name)) }
        network.temperature = Float(configuration.temperature)

        var graph = ONNXGraph()
        var pixels = graph.pixels()
        let size = network.input
        for (index, stage) in configuration.chain.dropLast().enumerated() {
            let name = "chain\(index + 1).\(stage.plugin)"
            switch PixelStage(stage) {
            case .unsharp(let amount)?: pixels = graph.unsharp(pixels, amount: amount, size: size, name: name)
            case .filter(let kernel, let side)?:
                pixels = graph.filtered(pixels, kernel: kernel, side: side, size: size, name: name)
            case .normalize(let mean, let std)?: pixels = graph.normalized(pixels, mean: mean, std: std, name: name)
            case nil:
                throw Failure.data(
                    "\(identifier): stage \(index + 1) of its chain is \(stage.plugin) \(stage.parameters.text). ONNX takes "
                        + "sharpen and normalize; `foveactl model export` has --format folder and tar for all models.")
            }
        }
        network.describe(pixels, views: configuration.tta.copies, in: &graph)
        guard graph.bytes <= Self.bytesLimit else {
            throw Failure.data(
                "\(identifier): \(graph.bytes >> 20) MiB of weights, and an ONNX file has 2 GiB at most.")
        }
        self.init(name: configuration.name, input: size, classes: network.classes, graph: graph)
        version = Int(configuration.version) ?? 0
        self.description = configuration.description
        metadata = [
            "name": configuration.name, "version": configuration.version, "sha256": model.sha256,
            "framing": "\(configuration.input.target)",
            "labels": JSONValue.array(configuration.labels.map { .string($0) }).text,
        ]
    }
}
