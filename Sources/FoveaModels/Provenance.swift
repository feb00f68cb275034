// Where a model comes from: the member `training` of config.json, and the only file that knows its keys.
//
// Older versions of Fovea wrote fewer members, newer ones will write more, and the manifest's hash covers the bytes. So
// the JSON itself is kept as it was read, and is what is written again; beside it stands what this version understands
// of it. A member of an unknown form is not an error: nothing is known of it, that is all. Only `sets` is different:
// who trains a model on must not take "not understood" for "has learnt nothing".

import FoveaSystem

/// What a model says of its making.
package struct Provenance: Codable, Sendable, Equatable {
    /// The JSON, as it stands in config.json.
    package let json: JSONValue
    /// What this version of Fovea understands of it.
    package let kind: Kind

    /// How a model came to be. Without the member `kind`, which models trained by Fovea never had, it was trained.
    package enum Kind: Sendable, Equatable {
        /// Trained by Fovea, every weight of it.
        case trained(Training)
        /// The backbone of another model, with a head that Fovea fitted to a user's own classes.
        case ownClasses(OwnClasses)
        /// Made elsewhere, and converted.
        case imported(Origin)
        /// By a newer version of Fovea, in a way that this one does not know.
        case unknown(kind: String)
    }

    private enum Key {
        static let kind = "kind"
    }

    /// Reads any JSON.
    package init(json: JSONValue) {
        self.json = json
        switch json[Key.kind]?.string {
        case nil: kind = .trained(Training(json))
        case OwnClasses.kind?: kind = OwnClasses(json).map(Kind.ownClasses) ?? .unknown(kind: OwnClasses.kind)
        case Origin.kind?: kind = Origin(json).map(Kind.imported) ?? .unknown(kind: Origin.kind)
        case let other?: kind = .unknown(kind: other)
        }
    }

    /// Of a training that has just ended.
    package init(_ training: Training) throws {
        self.init(json: try training.json)
    }

    /// Of a model that has just been converted.
    package init(_ origin: Origin) {
        self.init(json: origin.json)
    }

    package init(from decoder: any Decoder) throws { self.init(json: try JSONValue(from: decoder)) }

    package func encode(to encoder: any Encoder) throws { try json.encode(to: encoder) }

    /// Of a model that Fovea trained.
    package var trained: Training? { if case .trained(let training) = kind { training } else { nil } }

    /// Of a model that was made elsewhere.
    package var imported: Origin? { if case .imported(let origin) = kind { origin } else { nil } }

    /// The data sets of which the model has learnt images, its own and those of the models that it began with; nil where
    /// it does not say so.
    ///
    /// - Throws: where it says so in a form that is not understood.
    package func sets() throws(ConfigurationError) -> [TrainedSet]? {
        guard let sets = json[Training.Key.sets] else { return nil }
        guard let known = try? sets.decode([TrainedSet].self) else { throw Training.setsAreUnknown }
        return known
    }

    /// Names of the data sets that the model was trained on, ordered.
    ///
    /// - Throws: where it says so in a form that is not understood.
    package func dataSets() throws(ConfigurationError) -> [String] {
        struct Named: Decodable { let name: String }
        guard let sets = json[Training.Key.sets] else { return trained?.data?.name.map { [$0] } ?? [] }
        guard let named = try? sets.decode([Named].self) else { throw Training.setsAreUnknown }
        return Set(named.map(\.name)).sorted()
    }
}
