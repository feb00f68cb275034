import FoveaSystem

extension Provenance {
    /// A training by Fovea. All members are optional, since a model may come from any version; a new training says all of
    /// them.
    package struct Training: Sendable, Equatable {
        package var data: Data?
        /// `TrainingSettings` as JSON: only the engine knows what they mean, and fills in what its older versions lacked.
        package var settings: JSONValue?
        /// The epoch whose weights the model has, from 1 on, and how many there were.
        package var epoch: Int?
        package var epochs: Int?
        package var ended: Ending?
        /// Of all epochs.
        package var seconds: Double?
        /// The data sets of which the model has learnt images. `Provenance.sets()` reads them.
        package var sets: [TrainedSet]?
        /// The model whose weights the training began with; nil where it began from scratch.
        package var base: Base?
        /// With a base, the settings of the training from scratch at the beginning of its line: rates do not shrink from
        /// night to night.
        package var recipe: JSONValue?
        /// Where the model is the challenger of a retraining.
        package var retraining: Retraining?

        package init() {}
    }

    /// What a training had to learn from.
    package struct Data: Codable, Sendable, Equatable {
        package var name: String?
        /// Different ones that were learnt.
        package var images: Int?
        /// Held back, to choose by and to fit the temperature to.
        package var development: Int?

        package init(name: String?, images: Int?, development: Int?) {
            (self.name, self.images, self.development) = (name, images, development)
        }
    }

    /// Why a training ended.
    package enum Ending: String, Sendable {
        case finished
        /// No epoch was better for so many epochs.
        case patience
        /// The accuracy that was asked for was reached.
        case target
    }

    /// A training by `retrain`.
    package struct Retraining: Sendable, Equatable {
        /// The plan's.
        package let id: String
        /// Corrections that were learnt.
        package let corrections: Int?

        package init(id: String, corrections: Int?) { (self.id, self.corrections) = (id, corrections) }
    }

    /// The model whose weights a training began with.
    package struct Base: Sendable, Equatable {
        package let identifier: ModelIdentifier
        /// Of its manifest; nil where none is recorded.
        package let sha256: String?

        package init(_ identifier: ModelIdentifier, sha256: String?) {
            (self.identifier, self.sha256) = (identifier, sha256)
        }
    }
}

// MARK: - JSON

extension Provenance.Training {
    enum Key {
        static let data = "data", settings = "settings", epoch = "epoch", epochs = "epochs", ended = "ended"
        static let seconds = "seconds", sets = "sets", retraining = "retraining", corrections = "corrections"
        static let base = "base", recipe = "recipe", name = "name", version = "version", sha256 = "sha256"
        static let images = "images", development = "development"
    }

    static let setsAreUnknown = ConfigurationError(
        what: "config.json training", key: Key.sets, problem: "has a form that this version of Fovea does not know")

    init(_ json: JSONValue) {
        data = json[Key.data].map { data in
            Provenance.Data(
                name: data[Key.name]?.string, images: data[Key.images]?.integer,
                development: data[Key.development]?.integer)
        }
        settings = json[Key.settings]
        epoch = json[Key.epoch]?.integer
        epochs = json[Key.epochs]?.integer
        ended = json[Key.ended]?.string.flatMap(Provenance.Ending.init(rawValue:))
        seconds = json[Key.seconds]?.double
        sets = json[Key.sets].flatMap { try? $0.decode() }
        base = json[Key.base].flatMap { base in
            guard let name = base[Key.name]?.string, let version = base[Key.version]?.string,
                let identifier = try? ModelIdentifier(name: name, version: version)
            else { return nil }
            return .init(identifier, sha256: base[Key.sha256]?.string)
        }
        recipe = json[Key.recipe]
        retraining = json[Key.retraining]?.string.map {
            .init(id: $0, corrections: json[Key.corrections]?.integer)
        }
    }

    var json: JSONValue {
        get throws {
            var members: [String: JSONValue] = [:]
            members[Key.data] = try data.map(JSONValue.init(encoding:))
            members[Key.settings] = settings
            members[Key.epoch] = epoch.map(JSONValue.int)
            members[Key.epochs] = epochs.map(JSONValue.int)
            members[Key.ended] = ended.map { .string($0.rawValue) }
            members[Key.seconds] = seconds.map(JSONValue.number)
            members[Key.sets] = try sets.map(JSONValue.init(encoding:))
            if let base {
                var facts: [String: JSONValue] = [
                    Key.name: .string(base.identifier.name), Key.version: .string(base.identifier.version),
                ]
                facts[Key.sha256] = base.sha256.map(JSONValue.string)
                members[Key.base] = .object(facts)
            }
            members[Key.recipe] = recipe
            if let retraining {
                members[Key.retraining] = .string(retraining.id)
                members[Key.corrections] = retraining.corrections.map(JSONValue.int)
            }
            return .object(members)
        }
    }
}

extension JSONValue {
    /// The value of a whole number of either kind.
    fileprivate var integer: Int? { double.flatMap(Int.init(exactly:)) }
}
