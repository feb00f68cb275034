/// Why models must stay: for `model remove`, and for the keeping of house after a retraining.
package struct ModelProtection: Sendable {
    private var reasons: [ModelIdentifier: String] = [:]

    /// - Parameters:
    ///   - active: what `active.json` says; nil before the first start.
    ///   - first: the model that serves at that start.
    package init(
        _ store: ModelStore, active: ActiveModel?, first: ModelIdentifier? = nil, pinned: PinnedModels
    ) {
        func protect(_ identifier: ModelIdentifier?, _ reason: String) {
            guard let identifier, reasons[identifier] == nil else { return }
            reasons[identifier] = reason
        }
        protect(active == nil ? first : nil, "serves at the next start")
        protect(try? active?.active.identifier, "is the active model: swap first")
        protect(try? active?.previous?.identifier, "is what a rollback would go to: swap first")
        for identifier in pinned.models.sorted() { protect(identifier, "is pinned: `foveactl model unpin` it first") }
        for identifier in reasons.keys.sorted() {
            guard let model = try? store.resolve(identifier.description),
                let base = (try? model.configuration)?.base
            else { continue }
            protect(base, "is what \(identifier) was trained on")
        }
    }

    /// A clause that follows the model's name; nil where it may go.
    package subscript(identifier: ModelIdentifier) -> String? { reasons[identifier] }
}

extension ModelConfiguration {
    /// The model whose weights this one began with.
    package var base: ModelIdentifier? {
        guard let base = training?["base"], let name = base["name"]?.string, let version = base["version"]?.string
        else { return nil }
        return try? ModelIdentifier(name: name, version: version)
    }

    /// What the images are that its figures `dev` are of: such as a training chose by, or such as a retraining was judged by.
    package var heldOut: String { isRetrained ? "held-back" : "development" }

    package var isRetrained: Bool { training?["retraining"] != nil }

    /// Names of the data sets that it says it was trained on, ordered.
    ///
    /// - Throws: where it says it in a form that is not understood.
    package var dataSets: [String] {
        get throws {
            struct Named: Decodable { let name: String }
            guard let sets = try training?["sets"]?.decode([Named].self) else {
                return training?["data"]?["name"]?.string.map { [$0] } ?? []
            }
            return Set(sets.map(\.name)).sorted()
        }
    }
}

extension ModelStore.Model {
    /// What `config.json` says, not verified.
    package var configuration: ModelConfiguration {
        get throws(ModelError) {
            let path = folder.appending(ModelFolder.configurationName)
            return try ModelConfiguration(
                bytes: try ModelFolder.read(path, limit: ModelFolder.textLimit), subject: path.escaped)
        }
    }
}

extension ModelStore {
    /// Trained versions of `name` beyond the `keep` newest, oldest first, without those that are protected.
    package func surplus(
        of name: String, keep: Int, protection: ModelProtection
    ) throws(ModelError) -> [ModelIdentifier] {
        let versions = try list().filter { $0.identifier.name == name && !$0.isBundled }.map(\.identifier)
        return versions.dropLast(keep).filter { protection[$0] == nil }
    }
}
