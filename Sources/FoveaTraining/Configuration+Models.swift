import FoveaCLI
import FoveaControl
import FoveaModels
import FoveaPipeline
import FoveaSystem
import SystemPackage

extension Configuration {
    /// The model store; `output` takes the place of the folder for new models.
    package func store(output: String? = nil) -> ModelStore {
        ModelStore(bundled: models, trained: output.map { FilePath($0) } ?? trainedModels)
    }

    /// A model by NAME, NAME@VERSION or the path of its folder, which has a `/` in it; verified.
    package func model(_ name: String) throws -> VerifiedModel {
        let folder = name.contains("/") ? FilePath(name) : try store().resolve(name).folder
        guard try Files.statusIfPresent(folder, followingLinks: true)?.isDirectory == true else {
            throw Failure.noInput(
                "\(folder.escaped): there is no such folder. Name a model's folder, or NAME or NAME@VERSION from "
                    + "`foveactl model list`.")
        }
        return try ModelFolder.verify(folder)
    }

    package var pluginSearch: PluginSearch { PluginSearch(pluginFolders) }

    /// What `tta` says; nil leaves it to each model.
    package var averaging: TestTimeAugmentation? { tta.flatMap(TestTimeAugmentation.init(rawValue:)) }

    /// A model as it would serve here.
    package func served(_ model: ModelConfiguration) -> ModelConfiguration {
        averaging.map(model.averaging) ?? model
    }
}
