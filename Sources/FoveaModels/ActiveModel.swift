import FoundationEssentials
import FoveaSystem
import SystemPackage

/// `active.json`: which model serves, and which one did before (for a rollback).
package struct ActiveModel: Codable, Sendable, Equatable {
    package static let schema = "fovea.active/1"

    /// A model with the hash it had when it became active.
    package struct Entry: Codable, Sendable, Equatable {
        package let name: String
        package let version: String
        package let sha256: String

        package init(_ identifier: ModelIdentifier, sha256: String) {
            name = identifier.name
            version = identifier.version
            self.sha256 = sha256
        }

        package init(from decoder: any Decoder) throws {
            let keys = try StrictKeys(decoder, allowed: ["name", "version", "sha256"], what: "active.json")
            name = try keys.required("name")
            version = try keys.required("version")
            sha256 = try keys.required("sha256")
            for (key, text) in [("name", name), ("version", version)] where !ModelIdentifier.isValid(text) {
                throw keys.invalid(key, "'\(text)' is not a model's \(key)")
            }
        }

        package var identifier: ModelIdentifier {
            get throws(ModelError) { try ModelIdentifier(name: name, version: version) }
        }
    }

    package let schema: String
    package let active: Entry
    package let previous: Entry?
    /// `previous` was left by a rollback: the daemon does not go back to it by itself.
    package let isPreviousLeft: Bool
    /// The mean confidence that the model before was used to; nil where it is not known.
    package let usualConfidence: Double?
    /// When it became active, ISO 8601 in UTC.
    package let since: String

    package init(
        active: Entry, previous: Entry?, isPreviousLeft: Bool = false, usualConfidence: Double? = nil,
        since: String = Date.now.formatted(.iso8601)
    ) {
        schema = Self.schema
        self.active = active
        self.previous = previous
        self.isPreviousLeft = isPreviousLeft
        self.usualConfidence = usualConfidence
        self.since = since
    }

    package init(from decoder: any Decoder) throws {
        let keys = try StrictKeys(
            decoder, allowed: ["schema", "active", "previous", "isPreviousLeft", "usualConfidence", "since"],
            what: "active.json")
        schema = try keys.required("schema")
        guard schema == Self.schema else {
            throw keys.invalid("schema", "is '\(schema)', this version of Fovea reads '\(Self.schema)'")
        }
        active = try keys.required("active")
        previous = try keys.optional("previous")
        isPreviousLeft = try keys.optional("isPreviousLeft") ?? false
        usualConfidence = try keys.optional("usualConfidence")
        since = try keys.required("since")
    }

    /// Seconds since it became active; 0 for a time that cannot be read.
    package var age: Double {
        (try? Date(since, strategy: .iso8601)).map { Date.now.timeIntervalSince($0) } ?? 0
    }

    /// Reads the file; nil where there is none.
    package static func read(_ path: FilePath) throws(ModelError) -> ActiveModel? {
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try Files.read(path, limit: 1 << 20)
        } catch {
            if error.errno == .noSuchFileOrDirectory { return nil }
            throw ModelError(error)
        }
        return try StrictDocument.decode(bytes, subject: path.escaped) as ActiveModel
    }

    /// Replaces the file; a crash leaves the old one or the new one.
    package func write(_ path: FilePath) throws(ModelError) {
        let bytes = JSONText.pretty(self)
        try storing { () throws(SystemError) in try Files.replace(path, with: bytes) }
    }
}
