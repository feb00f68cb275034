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
        for model in (try? store.list()) ?? [] {
            guard let base = (try? model.configuration)?.base?.identifier else { continue }
            bases[base, default: []].append(model.identifier)
        }
    }

    /// The models that began with this one's weights.
    private var bases: [ModelIdentifier: [ModelIdentifier]] = [:]

    /// A clause that follows the model's name; nil where it may go.
    package subscript(identifier: ModelIdentifier) -> String? {
        reasons[identifier] ?? bases[identifier]?.first.map { "is what \($0) was trained on" }
    }

    /// Whether it stays where of the others only the `newest` do, those that are needed themselves, and what these were trained
    /// on: all of a line of models that each began with the one before would be too many.
    func keeps(_ identifier: ModelIdentifier, newest: Set<ModelIdentifier>) -> Bool {
        reasons[identifier] != nil
            || bases[identifier]?.contains { newest.contains($0) || reasons[$0] != nil } == true
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
    /// Trained versions of `name` beyond the `keep` newest, oldest first, without those that are needed and what the
    /// newest and the needed ones began with.
    package func surplus(
        of name: String, keep: Int, protection: ModelProtection
    ) throws(ModelError) -> [ModelIdentifier] {
        let versions = try list().filter { $0.identifier.name == name && !$0.isBundled }.map(\.identifier)
        let newest = Set(versions.suffix(keep))
        return versions.dropLast(keep).filter { !protection.keeps($0, newest: newest) }
    }
}
