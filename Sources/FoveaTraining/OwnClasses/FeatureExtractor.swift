import FoveaCLI
import FoveaData
import FoveaImage
import FoveaModels
import FoveaNN
import FoveaPipeline
import FoveaSystem

/// A backbone at work: pictures in, the numbers that enter its last fully connected layer out.
///
/// Pictures are prepared by the backbone's own chain, filters and normalizer, as they will be when the new model serves.
struct FeatureExtractor {
    /// The names of a head's tensors, and what multiplies its logits afterwards.
    struct Head {
        /// features × classes.
        let weight: String
        let bias: String
        /// 1 where nothing follows the head.
        let gain: Double
    }

    let model: VerifiedModel
    let network: Network
    let head: Head
    private let chain: Chain
    private let target: ImageTarget

    /// Pictures that are decoded and computed at a time.
    private static let batch = 64

    /// - Throws: where the model is no network, or none that a new head fits on.
    init(_ model: VerifiedModel, search: PluginSearch, threads: Int) throws {
        let configuration = model.configuration
        self.model = model
        target = configuration.input.target
        guard configuration.usesNetwork else {
            throw Failure.data(
                "\(configuration.name) cannot be a backbone: its classifier is the plugin "
                    + "'\(configuration.chain.last?.plugin ?? "")', not a network of Fovea's")
        }
        network = try model.reading {
            try Network($0.withHeadBias, maxBatch: 16 * threads, mode: .inference, threads: threads)
        }
        guard let name = network.head, let gain = network.headGain else {
            throw Failure.data(
                "\(configuration.name) cannot be a backbone: its architecture, \(network.definition.architecture), has no last layer "
                    + "that can be replaced. `foveactl model fetch efficientnet-lite0` brings one that has")
        }
        head = Head(weight: "\(name).weight", bias: "\(name).bias", gain: Double(gain))
        let file = try model.weights()
        for tensor in network.tensors
        where tensor.name != head.bias || file.entries.contains(where: { $0.name == tensor.name }) {
            try network.write(tensor.name, file.floats(tensor.name))
        }
        chain = try Chain(
            configuration.chain, shape: ImageShape(height: target.height, width: target.width),
            classes: configuration.labels.count, maxCount: Self.batch, search: search, preparationOnly: true)
    }

    /// Numbers of a picture.
    var count: Int { network.featureCount }

    /// The features of pictures, one after the other.
    ///
    /// - Parameter progress: called with the number of pictures that are done.
    func features(
        of pictures: [Picture], limits: ImageLimits, progress: (Int) throws -> Void
    ) throws -> [[Float]] {
        var result: [[Float]] = []
        result.reserveCapacity(pictures.count)
        var floats = [Float](repeating: 0, count: Self.batch * network.input.count)
        var features = [Float](repeating: 0, count: Self.batch * count)
        for first in stride(from: 0, to: pictures.count, by: Self.batch) {
            let some = Array(pictures[first..<min(pictures.count, first + Self.batch)])
            var images = try PictureSet.decode(some, as: target, limits: limits)
            try images.pixels.withUnsafeMutableBufferPointer {
                try chain.applyFilters($0.baseAddress!, count: some.count)
                try chain.normalize($0.baseAddress!, count: some.count, into: &floats)
            }
            network.features(floats, count: some.count, into: &features)
            for n in 0..<some.count { result.append(Array(features[n * count..<(n + 1) * count])) }
            try progress(result.count)
        }
        return result
    }
}

extension VerifiedModel {
    /// `model.safetensors`, read once more: the file was verified, and its descriptor is not kept.
    func weights() throws -> SafetensorsFile {
        let path = folder.appending(ModelFolder.weightsName)
        return try SafetensorsFile(
            bytes: try ModelFolder.read(path, limit: ModelFolder.weightsLimit), subject: path.escaped)
    }
}
