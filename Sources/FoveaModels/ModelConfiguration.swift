import FoundationEssentials
import FoveaSystem

/// `config.json`: all that is to be known about a model except its weights.
package struct ModelConfiguration: Codable, Sendable, Equatable {
    package static let schema = "fovea.model/1"

    /// The images that enter the chain, and how a picture becomes one.
    package struct Input: Codable, Sendable, Equatable {
        package let height: Int
        package let width: Int
        package let channels: Int
        /// Not written where it is `stretch`, so that older models keep their bytes.
        package let framing: Framing
        /// Not written where it is `bilinear`.
        package let resample: Resample

        /// What a decoder makes for this model.
        package var target: ImageTarget {
            ImageTarget(height: height, width: width, framing: framing, resample: resample)
        }

        package init(
            height: Int, width: Int, channels: Int = 3, framing: Framing = .stretch, resample: Resample = .bilinear
        ) {
            self.height = height
            self.width = width
            self.channels = channels
            self.framing = framing
            self.resample = resample
        }

        package init(_ target: ImageTarget) {
            self.init(
                height: target.height, width: target.width, framing: target.framing, resample: target.resample)
        }

        private enum CodingKeys: String, CodingKey, CaseIterable { case height, width, channels, framing, resample }

        package init(from decoder: any Decoder) throws {
            let keys = try StrictKeys(
                decoder, allowed: Set(CodingKeys.allCases.map(\.rawValue)), what: "config.json input")
            height = try keys.required("height")
            width = try keys.required("width")
            channels = try keys.required("channels")
            for (name, side) in [("height", height), ("width", width)] where !(1...4096).contains(side) {
                throw keys.invalid(name, "must be from 1 to 4096")
            }
            guard channels == 3 else { throw keys.invalid("channels", "must be 3") }
            framing = try keys.optional("framing") ?? .stretch
            let filter: String? = try keys.optional("resample")
            guard let resample = filter.map(Resample.init(rawValue:)) ?? .bilinear else {
                throw keys.invalid("resample", "must be bilinear or bicubic")
            }
            self.resample = resample
        }

        package func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(height, forKey: .height)
            try container.encode(width, forKey: .width)
            try container.encode(channels, forKey: .channels)
            if framing != .stretch { try container.encode(framing, forKey: .framing) }
            if resample != .bilinear { try container.encode(resample, forKey: .resample) }
        }
    }

    /// How the weights are stored.
    package struct Weights: Codable, Sendable, Equatable {
        package let dtype: TensorType

        package init(dtype: TensorType) { self.dtype = dtype }

        package init(from decoder: any Decoder) throws {
            let keys = try StrictKeys(decoder, allowed: ["dtype"], what: "config.json weights")
            let name: String = try keys.required("dtype")
            guard let type = TensorType(rawValue: name), type == .float32 || type == .float16 else {
                throw keys.invalid("dtype", "must be F32 or F16")
            }
            dtype = type
        }
    }

    package var name: String
    package var version: String
    package var description: String
    /// What the scores stand for, in their order.
    package var labels: [String]
    /// Names of groups of labels, and for each label the group's index; both or none.
    package var superclasses: [String]?
    package var superclassOf: [Int]?
    package var input: Input
    /// The stages in order, the classifier last.
    package var chain: [StageConfiguration]
    /// The network's definition; the engine knows what it means. nil for a classifier that is not Fovea's own.
    package var network: JSONValue?
    package var weights: Weights?
    /// Where it comes from.
    package var training: Provenance?
    /// What was measured: free-form.
    package var metrics: JSONValue?

    package var identifier: ModelIdentifier {
        get throws(ModelError) { try ModelIdentifier(name: name, version: version) }
    }

    /// The classifier is `classifier-net`, so there are weights and a network.
    package var usesNetwork: Bool { chain.last?.plugin == "classifier-net" }

    package init(
        name: String, version: String, description: String, labels: [String], superclasses: [String]? = nil,
        superclassOf: [Int]? = nil, input: Input, chain: [StageConfiguration], network: JSONValue? = nil,
        weights: Weights? = nil, training: Provenance? = nil, metrics: JSONValue? = nil
    ) {
        self.name = name
        self.version = version
        self.description = description
        self.labels = labels
        self.superclasses = superclasses
        self.superclassOf = superclassOf
        self.input = input
        self.chain = chain
        self.network = network
        self.weights = weights
        self.training = training
        self.metrics = metrics
    }

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case schema, name, version, description, labels, superclasses, superclassOf, input, chain, network, weights
        case training, metrics
    }

    package init(from decoder: any Decoder) throws {
        let keys = try StrictKeys(
            decoder, allowed: Set(CodingKeys.allCases.map(\.rawValue)), what: "config.json")
        let schema: String = try keys.required("schema")
        guard schema == Self.schema else {
            throw keys.invalid("schema", "is '\(schema)', this version of Fovea reads '\(Self.schema)'")
        }
        name = try keys.required("name")
        version = try keys.required("version")
        description = try keys.optional("description") ?? ""
        labels = try keys.required("labels")
        superclasses = try keys.optional("superclasses")
        superclassOf = try keys.optional("superclassOf")
        input = try keys.required("input")
        chain = try keys.required("chain")
        network = try keys.optional("network")
        weights = try keys.optional("weights")
        training = try keys.optional("training")
        metrics = try keys.optional("metrics")
        try check { key, problem in keys.invalid(key, problem) }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(Self.schema, forKey: .schema)
        try container.encode(name, forKey: .name)
        try container.encode(version, forKey: .version)
        try container.encode(description, forKey: .description)
        try container.encode(labels, forKey: .labels)
        try container.encodeIfPresent(superclasses, forKey: .superclasses)
        try container.encodeIfPresent(superclassOf, forKey: .superclassOf)
        try container.encode(input, forKey: .input)
        try container.encode(chain, forKey: .chain)
        try container.encodeIfPresent(network, forKey: .network)
        try container.encodeIfPresent(weights, forKey: .weights)
        try container.encodeIfPresent(training, forKey: .training)
        try container.encodeIfPresent(metrics, forKey: .metrics)
    }

    /// The bytes of `config.json`.
    package func encode() -> [UInt8] { JSONText.pretty(self) }

    /// Reads `config.json`.
    ///
    /// - Parameter subject: the file's name in messages.
    package init(bytes: [UInt8], subject: String) throws(ModelError) {
        self = try StrictDocument.decode(bytes, subject: subject)
    }

    private func check(_ invalid: (String, String) -> ConfigurationError) throws(ConfigurationError) {
        if !ModelIdentifier.isValid(name) { throw invalid("name", "'\(name)' is not a model's name") }
        if !ModelIdentifier.isValid(version) { throw invalid("version", "'\(version)' is not a version") }
        if description.utf8.count > 10_000 { throw invalid("description", "is longer than 10,000 bytes") }
        do throws(LabelError) { try Labels.check(labels) } catch { throw invalid("labels", "\(error)") }
        switch (superclasses, superclassOf) {
        case (nil, nil): break
        case (let groups?, let indices?):
            do throws(LabelError) { try Labels.check(groups, fewest: 1) } catch {
                throw invalid("superclasses", "\(error)")
            }
            if indices.count != labels.count {
                throw invalid("superclassOf", "has \(indices.count) entries for \(labels.count) labels")
            }
            if let index = indices.first(where: { !groups.indices.contains($0) }) {
                throw invalid("superclassOf", "\(index) is not the index of one of \(groups.count) superclasses")
            }
        default: throw invalid("superclasses", "and superclassOf are given together or not at all")
        }
        if !(1...16).contains(chain.count) { throw invalid("chain", "has \(chain.count) stages, 1 to 16 are allowed") }
        if usesNetwork {
            guard case .object = network else { throw invalid("network", "missing, classifier-net needs it") }
        }
    }
}

/// JSON files of which every key counts: strict JSON first, then the structure.
enum StrictDocument {
    static func decode<T: Decodable>(_ bytes: [UInt8], subject: String) throws(ModelError) -> T {
        do {
            _ = try StrictJSON.parse(bytes, depth: 32)
            return try JSONDecoder().decode(T.self, from: Data(bytes))
        } catch let error as ConfigurationError {
            throw ModelError(.damaged, subject, "\(error.key): \(error.problem)")
        } catch {
            throw ModelError(.damaged, subject, "\(error)")
        }
    }
}
