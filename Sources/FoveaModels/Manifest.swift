import FoundationEssentials
import FoveaSystem

/// `manifest.json`: size and SHA-256 of each file of a model, written last. The SHA-256 of its own bytes is the
/// model's, so that one number stands for everything in the folder (`training/` excepted).
package struct Manifest: Codable, Sendable, Equatable {
    package static let schema = "fovea.manifest/1"

    /// One file.
    package struct Entry: Codable, Sendable, Equatable {
        package let bytes: Int
        /// Lower-case hexadecimal.
        package let sha256: String

        package init(of content: [UInt8]) {
            bytes = content.count
            sha256 = hexadecimal(Digest.sha256(content))
        }

        package init(from decoder: any Decoder) throws {
            let keys = try StrictKeys(decoder, allowed: ["bytes", "sha256"], what: "manifest.json")
            bytes = try keys.required("bytes")
            sha256 = try keys.required("sha256")
            let digits = sha256.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
            guard sha256.utf8.count == 64, digits else {
                throw keys.invalid("sha256", "must be 64 lower-case hexadecimal digits")
            }
            guard bytes >= 0 else { throw keys.invalid("bytes", "must not be negative") }
        }
    }

    package let schema: String
    /// By file name.
    package let files: [String: Entry]

    package init(files: [String: Entry]) {
        schema = Self.schema
        self.files = files
    }

    package init(from decoder: any Decoder) throws {
        let keys = try StrictKeys(decoder, allowed: ["schema", "files"], what: "manifest.json")
        schema = try keys.required("schema")
        guard schema == Self.schema else {
            throw keys.invalid("schema", "is '\(schema)', this version of Fovea reads '\(Self.schema)'")
        }
        files = try keys.required("files")
    }

    /// The bytes of `manifest.json`.
    package func encode() -> [UInt8] { JSONText.pretty(self) }
}

/// JSON as it is written to files that people may open.
package enum JSONText {
    /// Indented, with sorted keys and a line end.
    package static func pretty(_ value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        // Our own structures hold finite numbers and text only, which cannot fail to encode.
        return Array(try! encoder.encode(value)) + [0x0A]
    }
}
