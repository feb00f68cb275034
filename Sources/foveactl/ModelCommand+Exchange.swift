import ArgumentParser
import FoveaCLI
import FoveaControl
import FoveaExchange
import FoveaModels
import FoveaSystem
import SystemPackage

extension ModelCommand {
    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Writes a model for elsewhere: a folder, one file, or ONNX.",
            discussion: """
                folder and tar have the Hugging Face layout (config.json, preprocessor_config.json, model.safetensors), and \
                `foveactl model import` makes the same model of them again. onnx is one file for other runtimes, from uint8 \
                images to probabilities; it is not taken back.
                """)

        enum Format: String, CaseIterable, ExpressibleByArgument {
            case folder, tar, onnx
        }

        @Argument(help: "NAME (its newest version), NAME@VERSION, or a model's folder (with a / in it).")
        var model: String
        @Option(help: "folder, tar (a .tar.zst) or onnx.")
        var format: Format
        @Option(help: ArgumentHelp("What to write; nothing may be there.", valueName: "path"))
        var output: PathArgument
        @OptionGroup var common: CommonOptions
        @OptionGroup var store: StateOption

        func run() throws {
            if format == .onnx { return try becomeTrainer("export", arguments, as: "foveactl model") }
            let path = output.path
            let model = try ModelFolder.verify(folder())
            switch format {
            case .folder: try ModelExport.folder(model, to: path)
            default: try ModelExport.archive(model, to: path)
            }
            if common.json {
                return try Console.json(ExportReport(model, format: format.rawValue, output: path))
            }
            Console.line(path.escaped)
            common.note("`foveactl model import` takes it.")
        }

        private func folder() throws -> FilePath {
            guard model.contains("/") else {
                return try ModelCommand.store(try common.configuration(store)).resolve(model).folder
            }
            let folder = FilePath(bytes: RawArguments.bytes(model))
            guard (try? Files.status(folder, followingLinks: true))?.isDirectory == true else {
                throw Failure(
                    "\(folder.escaped): there is no such folder. `foveactl model list` shows what NAME can be.",
                    .noInput)
            }
            return folder
        }

        /// Only fovea-train knows networks.
        private var arguments: [String] {
            func option(_ name: String, _ path: PathArgument?) -> [String] {
                path.map { ["--\(name)=\(RawArguments.text($0.path.bytes))"] } ?? []
            }
            return [model] + option("output", output) + option("config", common.config) + option("state", store.state)
                + (common.json ? ["--json"] : []) + (common.quiet ? ["--quiet"] : [])
        }
    }

    struct Fetch: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "fetch", abstract: "Fetches a network that others have trained on photographs.", helpNames: [])

        @Argument(parsing: .captureForPassthrough, help: "Such as efficientnet-lite0.")
        var arguments: [String] = []

        /// Only fovea-train knows networks.
        func run() throws { try becomeTrainer("fetch", arguments, as: "foveactl model") }
    }

    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Takes a model into the store, checked: a model's folder, or what `export` wrote.")
        @Argument(help: "A model's own folder, an exported one, or a .tar.zst of either.")
        var path: PathArgument
        @OptionGroup var common: CommonOptions
        @OptionGroup var store: StateOption

        func run() throws {
            guard (try? Files.status(path.path, followingLinks: true)) != nil else {
                throw Failure(
                    "\(path.path.escaped): there is no such file or folder. Name a model's folder or a .tar.zst of one.",
                    .noInput)
            }
            let model = try ModelImport.take(
                path.path, into: ModelCommand.store(try common.configuration(self.store)))
            if common.json { return try Console.json(Entry(model, active: nil)) }
            Console.line("\(model.identifier)")
            common.note("`foveactl model swap \(model.identifier)` lets it serve.")
        }
    }
}
