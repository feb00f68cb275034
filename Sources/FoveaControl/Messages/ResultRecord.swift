import FoundationEssentials
import FoveaSystem

/// Which model made something.
package struct ModelIdentity: Codable, Sendable, Hashable, CustomStringConvertible {
    package var name: String
    package var version: String
    /// Of the model's manifest, which has the hash of each of its files; hexadecimal.
    package var sha256: String

    package init(name: String, version: String, sha256: String) {
        self.name = name
        self.version = version
        self.sha256 = sha256
    }

    package var description: String { "\(name)@\(version)" }
}

/// One step of the chain that made a result.
package struct ChainStep: Codable, Sendable, Equatable {
    package var plugin: String
    /// The plugin's own version.
    package var version: String?
    package var parameters: JSONValue

    package init(plugin: String, version: String? = nil, parameters: JSONValue = .object([:])) {
        self.plugin = plugin
        self.version = version
        self.parameters = parameters
    }
}

/// The chain with its JSON, which is made once for a generation and copied into each of its results.
package struct ChainDescription: Codable, Sendable, Equatable {
    package let steps: [ChainStep]
    let json: [UInt8]

    package init(_ steps: [ChainStep]) {
        self.steps = steps
        json = Array(((try? JSONValue(encoding: steps)) ?? .array([])).text.utf8)
    }

    package init(from decoder: any Decoder) throws { self.init(try [ChainStep](from: decoder)) }

    package func encode(to encoder: any Encoder) throws { try steps.encode(to: encoder) }
}

/// What the daemon found in an image, and the JSON beside the image in the outbox: schema `fovea.result/1`.
package struct ResultRecord: Codable, Sendable, Equatable {
    package static let schemaName = "fovea.result/1"

    package private(set) var schema = schemaName
    /// Unique for each drop; never the content's hash.
    package var id: String
    /// The path below the inbox, escaped as `FilePath.escaped` does.
    package var file: String
    /// Of the image's file; hexadecimal.
    package var sha256: String
    package var bytes: Int
    /// Pixels of the image as it is looked at, after its EXIF rotation.
    package var width: Int
    package var height: Int
    package var label: String
    /// Of the label: a probability, 0 to 1.
    package var confidence: Float
    /// At most five, the best first.
    package var top: [Candidate]
    /// Absent where the data set has none.
    package var superclass: String?
    /// How far the image is from all that the model knows: 1 is the model's own threshold, above it the image belongs to
    /// no class. Absent where the model cannot tell.
    package var unknown: Float?
    package var status: Status
    package var model: ModelIdentity
    package var chain: ChainDescription
    package var received: Timestamp
    package var published: Timestamp
    /// Milliseconds by step.
    package var timings: [String: Double]

    package struct Candidate: Codable, Sendable, Equatable {
        package var label: String
        package var confidence: Float

        package init(label: String, confidence: Float) {
            self.label = label
            self.confidence = confidence
        }
    }

    package enum Status: String, Codable, Sendable {
        case classified
        /// Below the configured confidence.
        case unsure
        /// It belongs to no class that the model knows; label and confidence are still those of the best one.
        case unknown
    }

    package init(
        id: String, file: String, sha256: String, bytes: Int, width: Int, height: Int, label: String,
        confidence: Float, top: [Candidate], superclass: String?, unknown: Float? = nil, status: Status,
        model: ModelIdentity, chain: ChainDescription, received: Timestamp, published: Timestamp,
        timings: [String: Double]
    ) {
        self.id = id
        self.file = file
        self.sha256 = sha256
        self.bytes = bytes
        self.width = width
        self.height = height
        self.label = label
        self.confidence = confidence
        self.top = top
        self.superclass = superclass
        self.unknown = unknown
        self.status = status
        self.model = model
        self.chain = chain
        self.received = received
        self.published = published
        self.timings = timings
    }

    /// The record as one line of JSON, without a newline. All numbers must be finite.
    package func json() -> [UInt8] {
        var writer = JSONWriter(capacity: 1024 + chain.json.count)
        writer.raw("{\"schema\":\"fovea.result/1\",\"id\":")
        writer.string(id)
        writer.raw(",\"file\":")
        writer.string(file)
        writer.raw(",\"sha256\":")
        writer.string(sha256)
        writer.raw(",\"bytes\":")
        writer.number(bytes)
        writer.raw(",\"width\":")
        writer.number(width)
        writer.raw(",\"height\":")
        writer.number(height)
        writer.raw(",\"label\":")
        writer.string(label)
        writer.raw(",\"confidence\":")
        writer.number(confidence)
        writer.raw(",\"top\":[")
        for (index, candidate) in top.enumerated() {
            if index > 0 { writer.raw(",") }
            writer.raw("{\"label\":")
            writer.string(candidate.label)
            writer.raw(",\"confidence\":")
            writer.number(candidate.confidence)
            writer.raw("}")
        }
        writer.raw("]")
        if let superclass {
            writer.raw(",\"superclass\":")
            writer.string(superclass)
        }
        if let unknown {
            writer.raw(",\"unknown\":")
            writer.number(unknown)
        }
        writer.raw(",\"status\":")
        writer.string(status.rawValue)
        writer.raw(",\"model\":")
        writer.model(model)
        writer.raw(",\"chain\":")
        writer.raw(chain.json)
        writer.raw(",\"received\":")
        writer.time(received)
        writer.raw(",\"published\":")
        writer.time(published)
        writer.raw(",\"timings\":{")
        for (index, step) in timings.sorted(by: { $0.key < $1.key }).enumerated() {
            if index > 0 { writer.raw(",") }
            writer.string(step.key)
            writer.raw(":")
            writer.number(step.value)
        }
        writer.raw("}}")
        return writer.bytes
    }
}

/// An image that could not be classified, and the JSON beside it in `outbox/failed`: schema `fovea.error/1`.
package struct ErrorRecord: Codable, Sendable, Equatable {
    package static let schemaName = "fovea.error/1"

    package private(set) var schema = schemaName
    package var id: String
    /// The path below the inbox, escaped as `FilePath.escaped` does.
    package var file: String
    /// Absent where the file could not be read.
    package var sha256: String?
    package var bytes: Int
    /// A short code that does not change, such as `not-an-image` or `too-large`.
    package var reason: String
    /// A sentence for a person.
    package var message: String
    package var received: Timestamp
    package var published: Timestamp
    package var attempts: Int
    /// The model that was to classify it, where one was involved.
    package var model: ModelIdentity?

    package init(
        id: String, file: String, sha256: String?, bytes: Int, reason: String, message: String, received: Timestamp,
        published: Timestamp, attempts: Int, model: ModelIdentity?
    ) {
        self.id = id
        self.file = file
        self.sha256 = sha256
        self.bytes = bytes
        self.reason = reason
        self.message = message
        self.received = received
        self.published = published
        self.attempts = attempts
        self.model = model
    }

    /// The record as one line of JSON, without a newline.
    package func json() -> [UInt8] {
        var writer = JSONWriter(capacity: 512)
        writer.raw("{\"schema\":\"fovea.error/1\",\"id\":")
        writer.string(id)
        writer.raw(",\"file\":")
        writer.string(file)
        if let sha256 {
            writer.raw(",\"sha256\":")
            writer.string(sha256)
        }
        writer.raw(",\"bytes\":")
        writer.number(bytes)
        writer.raw(",\"reason\":")
        writer.string(reason)
        writer.raw(",\"message\":")
        writer.string(message)
        writer.raw(",\"received\":")
        writer.time(received)
        writer.raw(",\"published\":")
        writer.time(published)
        writer.raw(",\"attempts\":")
        writer.number(attempts)
        if let model {
            writer.raw(",\"model\":")
            writer.model(model)
        }
        writer.raw("}")
        return writer.bytes
    }
}

extension JSONWriter {
    fileprivate mutating func model(_ model: ModelIdentity) {
        raw("{\"name\":")
        string(model.name)
        raw(",\"version\":")
        string(model.version)
        raw(",\"sha256\":")
        string(model.sha256)
        raw("}")
    }
}
