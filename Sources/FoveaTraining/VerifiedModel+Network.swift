import FoveaModels
import FoveaNN

extension VerifiedModel {
    /// The engine's network as config.json describes it.
    ///
    /// Where `body` finds that no network can be like that, the model is at fault and not what the user asked for.
    ///
    /// - Throws: `ModelError.damaged`.
    func reading<T>(_ body: (NetworkDefinition) throws -> T) throws -> T {
        do {
            guard let network = configuration.network else {
                throw NetworkDefinitionError("it has none")
            }
            return try body(try network.decode())
        } catch let error where error is NetworkDefinitionError || error is ShapeError {
            throw ModelError(.damaged, folder.escaped, "config.json: network: \(error)")
        }
    }
}
