import CFoveaPlugin
import CKernels
import FoveaModels
import FoveaNN
import FoveaPluginKit
import FoveaSystem
import SystemPackage

// `classifier-net`: runs a network that Fovea trained.
//
// What the network is stands under `network` in the model's config.json, so a new network needs no new plugin. Everything is
// read and checked in `create`, while files can be opened. Three parameters: "tta", test-time augmentation; "temperature", which
// divides the logits so that confidences mean what they say; and "unknown", how far from all known images is too far.

/// An instance: a network with its weights, on the calling thread alone.
final class Classifier: PluginInstance {
    /// Images in one pass of the network. Batches of any size are cut into these, which stay in the cache.
    private static let block = 16

    private let network: Network
    /// Where the answer is averaged over several views.
    private let averaged: AveragedNetwork?
    /// nil where the model cannot tell.
    private let unknown: Unknownness?
    /// JSON.
    let description: String

    init(_ arguments: fovea_create_args) throws(PluginRefusal) {
        let parameters = try Parameters(arguments)
        guard let directory = arguments.model_directory else {
            throw PluginRefusal("needs a model's folder, none was given", FOVEA_ERROR_MODEL)
        }
        let folder = FilePath(platformString: directory)
        do {
            let weights = try SafetensorsFile(path: folder.appending(ModelFolder.weightsName))
            let loaded = try Self.load(folder, weights, arguments)
            network = loaded
            unknown = try parameters.unknown.map { try Self.unknownness($0, weights, loaded, arguments) }
        } catch let refusal as PluginRefusal {
            throw refusal
        } catch let error as ShapeError {
            throw PluginRefusal("\(error)", FOVEA_ERROR_SHAPE)
        } catch {
            throw PluginRefusal("\(error)", FOVEA_ERROR_MODEL)
        }
        network.temperature = parameters.temperature
        let tta = parameters.tta
        let views = tta == .none ? nil : AveragedNetwork.View.named(tta.rawValue)
        if let views {
            averaged = AveragedNetwork(network, views: views, block: Self.block / 2)
        } else {
            averaged = nil
        }
        description =
            JSONValue.object([
                "architecture": .string(network.definition.architecture),
                "parameters": .int(network.parameterCount),
                "bytes": .int(network.bytes),
                "instructionSet": .string(String(cString: ck_isa())),
            ]).text
    }

    /// Float images, count × height × width × channels, to probabilities, count × classes.
    func process(_ shape: fovea_shape, _ input: UnsafeRawPointer, _ output: UnsafeMutableRawPointer) {
        let (images, count) = (input.assumingMemoryBound(to: Float.self), Int(shape.count))
        let probabilities = output.assumingMemoryBound(to: Float.self)
        guard let unknown else {
            if let averaged { return averaged.predict(images, count: count, probabilities: probabilities) }
            return network.predict(images, count: count, probabilities: probabilities)
        }
        unknown.withFeatures { features in
            if let averaged {
                averaged.predict(images, count: count, probabilities: probabilities)
                // Of the image itself, whatever views answer.
                network.features(images, count: count, into: features)
            } else {
                network.predict(images, count: count, probabilities: probabilities, features: features)
            }
        }
    }

    func unknownness(count: Int, into output: UnsafeMutablePointer<Float>) -> Bool {
        guard let unknown else { return false }
        unknown.measure(count: count, into: output)
        return true
    }

    /// Touches all memory.
    func warmUp() {
        let images = [Float](repeating: 0.5, count: Self.block * network.input.count)
        var scores = [Float](repeating: 0, count: Self.block * network.classes)
        network.predict(images, count: Self.block, probabilities: &scores)
    }

    private static func unknownness(
        _ parameters: KnownFeatures, _ weights: SafetensorsFile, _ network: Network, _ arguments: fovea_create_args
    ) throws -> Unknownness {
        let entry = try weights.entry(KnownFeatures.tensor)
        guard network.headGain != nil, entry.shape.count == 2, entry.shape[0] > 0,
            entry.shape[1] == network.featureCount
        else {
            throw PluginRefusal(
                "tensor '\(KnownFeatures.tensor)' has the shape \(entry.shape), images × \(network.featureCount) features are "
                    + "needed", FOVEA_ERROR_MODEL)
        }
        return Unknownness(
            known: try weights.floats(KnownFeatures.tensor), features: network.featureCount, parameters: parameters,
            maxCount: max(block, Int(arguments.max_count)))
    }

    private static func load(
        _ folder: FilePath, _ weights: SafetensorsFile, _ arguments: fovea_create_args
    ) throws -> Network {
        let path = folder.appending(ModelFolder.configurationName)
        let configuration = try ModelConfiguration(
            bytes: ModelFolder.read(path, limit: ModelFolder.textLimit), subject: path.escaped)
        guard let description = configuration.network else {
            throw PluginRefusal("\(path.escaped): network: missing", FOVEA_ERROR_MODEL)
        }
        let definition: NetworkDefinition = try description.decode()
        let given = Shape(
            height: Int(arguments.height), width: Int(arguments.width), channels: Int(arguments.channels))
        guard definition.input == given else {
            throw PluginRefusal("the network takes \(definition.input), the chain gives \(given)", FOVEA_ERROR_SHAPE)
        }
        guard definition.classes == Int(arguments.classes), definition.classes == configuration.labels.count else {
            throw PluginRefusal(
                "the network has \(definition.classes) classes, the model \(configuration.labels.count) labels, "
                    + "the chain \(arguments.classes)", FOVEA_ERROR_MODEL)
        }
        let network = try Network(
            definition, maxBatch: min(block, max(1, Int(arguments.max_count))), mode: .inference, threads: 1)
        try Weights.load(weights, into: network)
        return network
    }
}

private struct Parameters {
    var tta = TestTimeAugmentation.none
    var temperature: Float = 1
    var unknown: KnownFeatures?

    init(_ arguments: fovea_create_args) throws(PluginRefusal) {
        func refusal(_ text: String) -> PluginRefusal { PluginRefusal(text, FOVEA_ERROR_PARAMETERS) }
        let text = arguments.parameters.map { String(cString: $0) } ?? "{}"
        let value: JSONValue
        do throws(StrictJSON.Failure) {
            value = try StrictJSON.parse(Array(text.utf8), depth: 8)
        } catch {
            throw refusal("\(error)")
        }
        guard case .object(let members) = value else { throw refusal("the parameters must be an object") }
        for (name, value) in members.sorted(by: { $0.key < $1.key }) {
            switch name {
            case TestTimeAugmentation.parameter:
                guard let tta = value.string.flatMap(TestTimeAugmentation.init(rawValue:)) else {
                    let names = TestTimeAugmentation.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
                    throw refusal("\"\(name)\" cannot be \(value.text), it must be one of \(names)")
                }
                self.tta = tta
            case "temperature":
                guard let number = value.double, (0.01...100).contains(number) else {
                    throw refusal("\"\(name)\" cannot be \(value.text), it must be a number from 0.01 to 100")
                }
                temperature = Float(number)
            case KnownFeatures.parameter:
                do { unknown = try value.decode() } catch { throw refusal("\"\(name)\": \(error)") }
            default:
                throw refusal(
                    "unknown parameter \"\(name)\"; there are \"temperature\", \"\(KnownFeatures.parameter)\" and "
                        + "\"\(TestTimeAugmentation.parameter)\": the network stands in config.json")
            }
        }
    }
}

/// The weights' file against the network.
enum Weights {
    /// Exactly the network's tensors, each F32 or F16 and of its shape, and perhaps the features of known images.
    static func load(_ file: SafetensorsFile, into network: Network) throws {
        try file.check(
            against: network.tensors.map { ($0.name, $0.shape) }, of: network.definition.architecture,
            beside: [KnownFeatures.tensor])
        for tensor in network.tensors { try network.write(tensor.name, file.floats(tensor.name)) }
    }
}
