import FoundationEssentials
import FoveaSystem
import SystemPackage

/// `pinned.json`: models that a person wants to keep.
package struct PinnedModels: Codable, Sendable, Equatable {
    package static let schema = "fovea.pinned/1"

    package private(set) var schema = PinnedModels.schema
    package var models: Set<ModelIdentifier> = []

    package init() {}

    /// Reads the file; nothing is pinned where there is none.
    package static func read(_ path: FilePath) throws(ModelError) -> PinnedModels {
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try Files.read(path, limit: 1 << 20)
        } catch {
            if error.errno == .noSuchFileOrDirectory { return PinnedModels() }
            throw ModelError(error)
        }
        return try StrictDocument.decode(bytes, subject: path.escaped)
    }

    package init(from decoder: any Decoder) throws {
        let keys = try StrictKeys(decoder, allowed: ["schema", "models"], what: "pinned.json")
        schema = try keys.required("schema")
        guard schema == Self.schema else {
            throw keys.invalid("schema", "is '\(schema)', this version of Fovea reads '\(Self.schema)'")
        }
        let names: [String] = try keys.required("models")
        for name in names {
            let reference = try ModelReference(name)
            guard let version = reference.version else { throw keys.invalid("models", "'\(name)' has no version") }
            models.insert(try ModelIdentifier(name: reference.name, version: version))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(schema, forKey: .schema)
        try container.encode(models.sorted().map(\.description), forKey: .models)
    }

    private enum CodingKeys: CodingKey { case schema, models }

    /// Replaces the file; a crash leaves the old one or the new one.
    package func write(_ path: FilePath) throws(ModelError) {
        let bytes = JSONText.pretty(self)
        try storing { () throws(SystemError) in try Files.replace(path, with: bytes) }
    }
}
