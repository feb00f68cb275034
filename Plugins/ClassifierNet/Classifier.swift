import CFoveaPlugin
import CKernels
import FoveaModels
import FoveaNN
import FoveaSystem
import SystemPackage

// `classifier-net`: runs a network that Fovea trained.
//
// It takes no parameters: what the network is stands under `network` in the model's config.json, so a new network needs
// no new plugin. Everything is read and checked in `create`, while files can be opened.

/// What `create` refuses, with the status that the host is told.
struct Refusal: Error {
    let status: fovea_status
    let text: String
}

/// An instance: a network with its weights, on the calling thread alone.
final class Classifier {
    /// Images in one pass of the network. Batches of any size are cut into these, which stay in the cache.
    private static let block = 16

    private let network: Network
    /// JSON.
    let description: String

    init(arguments: fovea_create_args) throws(Refusal) {
        try Self.checkParameters(arguments)
        guard let directory = arguments.model_directory else {
            throw Refusal(status: FOVEA_ERROR_MODEL, text: "needs a model's folder, none was given")
        }
        let folder = FilePath(platformString: directory)
        do {
            network = try Self.load(folder, arguments)
        } catch let refusal as Refusal {
            throw refusal
        } catch let error as ShapeError {
            throw Refusal(status: FOVEA_ERROR_SHAPE, text: "\(error)")
        } catch {
            throw Refusal(status: FOVEA_ERROR_MODEL, text: "\(error)")
        }
        description =
            JSONValue.object([
                "architecture": .string(network.definition.architecture),
                "parameters": .int(network.parameterCount),
                "bytes": .int(network.bytes),
                "instructions": .string(String(cString: ck_isa())),
            ]).text
    }

    /// Probabilities, count × classes, of float images, count × height × width × channels.
    func process(_ images: UnsafePointer<Float>, count: Int, _ probabilities: UnsafeMutablePointer<Float>) {
        network.predict(images, count: count, probabilities: probabilities)
    }

    /// Touches all memory and whatever the matrix library makes on first use.
    func warmUp() {
        let images = [Float](repeating: 0.5, count: Self.block * network.input.count)
        var scores = [Float](repeating: 0, count: Self.block * network.classes)
        network.predict(images, count: Self.block, probabilities: &scores)
    }

    private static func checkParameters(_ arguments: fovea_create_args) throws(Refusal) {
        let text = arguments.parameters.map { String(cString: $0) } ?? "{}"
        let value: JSONValue
        do throws(StrictJSON.Failure) {
            value = try StrictJSON.parse(Array(text.utf8), depth: 8)
        } catch {
            throw Refusal(status: FOVEA_ERROR_PARAMETERS, text: "\(error)")
        }
        guard case .object(let members) = value else {
            throw Refusal(status: FOVEA_ERROR_PARAMETERS, text: "the parameters must be an object")
        }
        if let name = members.keys.sorted().first {
            throw Refusal(
                status: FOVEA_ERROR_PARAMETERS,
                text: "unknown parameter \"\(name)\"; there are none: the network stands in config.json")
        }
    }

    private static func load(_ folder: FilePath, _ arguments: fovea_create_args) throws -> Network {
        let path = folder.appending(ModelFolder.configurationName)
        let configuration = try ModelConfiguration(
            bytes: ModelFolder.read(path, limit: ModelFolder.textLimit), subject: path.escaped)
        guard let description = configuration.network else {
            throw Refusal(status: FOVEA_ERROR_MODEL, text: "\(path.escaped): network: missing")
        }
        let definition: NetworkDefinition = try description.decode()
        let given = Shape(
            height: Int(arguments.height), width: Int(arguments.width), channels: Int(arguments.channels))
        guard definition.input == given else {
            throw Refusal(
                status: FOVEA_ERROR_SHAPE, text: "the network takes \(definition.input), the chain gives \(given)")
        }
        guard definition.classes == Int(arguments.classes), definition.classes == configuration.labels.count else {
            throw Refusal(
                status: FOVEA_ERROR_MODEL,
                text: "the network has \(definition.classes) classes, the model \(configuration.labels.count) labels, "
                    + "the chain \(arguments.classes)")
        }
        let network = try Network(
            definition, maxBatch: min(block, max(1, Int(arguments.max_count))), mode: .inference, threads: 1)
        try Weights.load(folder.appending(ModelFolder.weightsName), into: network)
        return network
    }
}

/// The weights' file against the network.
enum Weights {
    /// Exactly the network's tensors, each F32 or F16 and of its shape.
    static func load(_ path: FilePath, into network: Network) throws {
        let file = try SafetensorsFile(path: path)
        let expected = Set(network.tensors.map(\.name))
        if let foreign = file.entries.first(where: { !expected.contains($0.name) }) {
            throw ModelError(
                .damaged, path.escaped,
                "tensor '\(foreign.name)' does not belong to the network '\(network.definition.architecture)'")
        }
        for tensor in network.tensors {
            let entry = try file.entry(tensor.name)
            guard entry.shape == tensor.shape else {
                throw ModelError(
                    .damaged, path.escaped,
                    "tensor '\(tensor.name)' is \(entry.shape), the network needs \(tensor.shape)")
            }
            try network.write(tensor.name, file.floats(tensor.name))
        }
    }
}
