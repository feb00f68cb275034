import FoveaCLI
import FoveaControl
import FoveaModels
import FoveaNN
import FoveaRetraining
import FoveaSystem
import SystemPackage

/// The model that serves, or would: what a challenger begins with and must beat.
package struct Champion {
    let model: ModelStore.Model
    let verified: VerifiedModel

    var configuration: ModelConfiguration { verified.configuration }
    var entry: ActiveModel.Entry { ActiveModel.Entry(model.identifier, sha256: verified.sha256) }

    package init(_ configuration: Configuration, _ store: ModelStore) throws {
        let active = try ActiveModel.read(configuration.activeFile)
        model = try store.resolve(try active?.active.identifier.description ?? configuration.model)
        verified = try ModelFolder.verify(model.folder)
        // A head on a backbone and a converted model have no recipe that a night could go on with.
        switch verified.configuration.training?.kind {
        case .ownClasses(let own)?:
            throw Failure.data(
                "\(model.identifier) has its own classes on the backbone \(own.backbone.name), and `retrain` cannot learn "
                    + "corrections to such a model yet: put the pictures into their class folders, and run `foveactl train --data` again"
            )
        case .imported?:
            throw Failure.data(
                "\(model.identifier) was made elsewhere, and `retrain` goes on only with what Fovea trained: `foveactl train --data "
                    + "FOLDER` fits your own classes to it")
        case .trained?, .unknown?, nil: break
        }
        guard verified.configuration.usesNetwork else {
            throw Failure.data(
                "\(model.identifier) is no network that Fovea trains: its chain ends in "
                    + "'\(verified.configuration.chain.last?.plugin ?? "")'")
        }
    }

    /// The network with so many classes.
    package func definition(classes: Int, superclassOf: [Int]?) throws -> NetworkDefinition {
        var definition = try verified.reading { $0 }
        definition.classes = classes
        if definition.superclassOf != nil { definition.superclassOf = superclassOf }
        return definition
    }

    /// Its tensors for a network that may have more classes: the head's columns keep their places, and those of the new
    /// classes are left to the new network.
    ///
    /// - Parameter fresh: the new network as it begins.
    package func tensors(for fresh: Network) throws -> [String: [Float]] {
        let path = model.folder.appending(ModelFolder.weightsName)
        let file = try SafetensorsFile(
            bytes: try ModelFolder.read(path, limit: ModelFolder.weightsLimit), subject: path.escaped)
        let classes = configuration.labels.count
        var tensors: [String: [Float]] = [:]
        for tensor in fresh.tensors {
            let old = try file.entry(tensor.name).shape
            let values = try file.floats(tensor.name)
            if old == tensor.shape {
                tensors[tensor.name] = values
                continue
            }
            guard old.last == classes, tensor.shape.last == fresh.classes, old.dropLast() == tensor.shape.dropLast()
            else {
                throw Failure.data(
                    "\(model.identifier): tensor '\(tensor.name)' has the shape \(old), the network's is \(tensor.shape)"
                )
            }
            var grown = fresh.read(tensor.name)
            for row in 0..<values.count / classes {
                for column in 0..<classes {
                    grown[row * fresh.classes + column] = values[row * classes + column]
                }
            }
            tensors[tensor.name] = grown
        }
        return tensors
    }

    /// What divides its logits.
    var temperature: Double { configuration.chain.last?.parameters["temperature"]?.double ?? 1 }

    /// What it has learnt by image, where it says so.
    var digests: ImageDigests? { ImageDigests(model: model.folder) }

    /// The settings that training from scratch had, its own or those of the model at the beginning of its line; those that
    /// its version of Fovea did not have are the defaults.
    var recipe: TrainingSettings {
        get throws {
            let training = configuration.training?.trained
            guard let recorded = training?.recipe ?? training?.settings else {
                return TrainingSettings()
            }
            do {
                return try JSONValue(encoding: TrainingSettings()).merging(recorded).decode()
            } catch {
                throw Failure.data("\(model.identifier): config.json: training.settings: \(error)")
            }
        }
    }
}
