import FoveaCLI
import FoveaModels
import FoveaNN
import FoveaSystem

/// The weights of a stored model as the beginning of a training: `train --from MODEL`.
///
/// Tensors of the same name and shape are taken. The others, above all the head of other classes, begin as the architecture says.
package struct StartingWeights {
    /// By name, for the new network.
    package let tensors: [String: [Float]]
    /// Tensors of the new network that begin anew.
    package let fresh: [String]

    /// - Parameters:
    ///   - definition: of the new network.
    /// - Throws: where the model is no network, or no parameter fits: then nothing would begin with its weights.
    package init(_ model: VerifiedModel, for definition: NetworkDefinition) throws {
        let configuration = model.configuration
        guard configuration.usesNetwork else {
            throw Failure.data(
                "\(configuration.name) is no network of Fovea's, so no training can begin with its weights")
        }
        let file = try model.weights()
        let network = try Network(definition, maxBatch: 1, mode: .inference, threads: 1)
        var tensors: [String: [Float]] = [:]
        var fresh: [String] = []
        for tensor in network.tensors {
            if let entry = file.entries.first(where: { $0.name == tensor.name }), entry.shape == tensor.shape {
                tensors[tensor.name] = try file.floats(tensor.name)
            } else {
                fresh.append(tensor.name)
            }
        }
        guard network.tensors.contains(where: { $0.kind == .parameter && tensors[$0.name] != nil }) else {
            throw Failure.data(
                "no weight of \(configuration.name) fits: its network is \(configuration.network?["architecture"]?.string ?? "unknown"), "
                    + "the new one is \(definition.architecture). Give --arch and --set as the model has them: `foveactl model show "
                    + "\(configuration.name) --json` tells")
        }
        (self.tensors, self.fresh) = (tensors, fresh)
    }
}
