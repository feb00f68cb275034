import FoveaCLI
import FoveaControl
import FoveaModels
import FoveaSystem

/// Which model's features a training of own classes uses.
package enum BackboneChoice: Sendable, Equatable {
    /// The one that was named.
    case named(String)
    /// A fetched one where there is one; else the configured model.
    case usual

    /// - Returns: the model, and a sentence for the user where a better one can be had.
    package func model(_ configuration: Configuration) throws -> (model: VerifiedModel, advice: String?) {
        switch self {
        case .named(let name): return (try configuration.model(name), nil)
        case .usual:
            let store = configuration.store()
            for model in try store.list().reversed() {
                // One model that cannot be read is no reason against the others.
                guard let verified = try? ModelFolder.verify(model.folder),
                    verified.configuration.training?.imported != nil, verified.configuration.usesNetwork
                else { continue }
                return (verified, nil)
            }
            let fallback = try ModelFolder.verify(store.resolve(configuration.model).folder)
            return (
                fallback,
                "no network for photographs is here, so the features of \(fallback.configuration.name) serve, which sees "
                    + "\(fallback.configuration.input.width) × \(fallback.configuration.input.height) pixels. A network for "
                    + "photographs does much better: `foveactl model fetch efficientnet-lite0`"
            )
        }
    }
}
