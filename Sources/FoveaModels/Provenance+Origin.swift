import FoveaSystem

extension Provenance {
    /// Of a model that others trained and Fovea converted: what its licence and a careful reader ask for.
    package struct Origin: Sendable, Equatable {
        static let kind = "imported"

        /// Who made it and where it was found, such as a package with its version.
        package let origin: String
        /// An SPDX identifier, such as `Apache-2.0`.
        package let licence: String
        /// Of the file that was converted.
        package let sha256: String?
        /// The images that it was trained on, such as `ImageNet-1k`.
        package let trainedOn: String?

        package init(origin: String, licence: String, sha256: String? = nil, trainedOn: String? = nil) {
            (self.origin, self.licence, self.sha256, self.trainedOn) = (origin, licence, sha256, trainedOn)
        }

        private enum Key {
            static let kind = "kind", origin = "origin", licence = "licence", sha256 = "sha256"
            static let trainedOn = "trainedOn"
        }

        /// nil where origin or licence is missing.
        init?(_ json: JSONValue) {
            guard let origin = json[Key.origin]?.string, let licence = json[Key.licence]?.string else { return nil }
            self.init(
                origin: origin, licence: licence, sha256: json[Key.sha256]?.string,
                trainedOn: json[Key.trainedOn]?.string)
        }

        var json: JSONValue {
            var members: [String: JSONValue] = [
                Key.kind: .string(Self.kind), Key.origin: .string(origin), Key.licence: .string(licence),
            ]
            members[Key.sha256] = sha256.map(JSONValue.string)
            members[Key.trainedOn] = trainedOn.map(JSONValue.string)
            return .object(members)
        }
    }
}
