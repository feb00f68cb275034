import ArgumentParser
import FoveaCLI
import FoveaControl
import FoveaExchange
import FoveaModels
import FoveaNN
import FoveaPipeline
import FoveaSystem
import FoveaTraining
import SystemPackage

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Writes a model as one ONNX file, with all that is done to the pixels.",
        discussion: """
            The input `images` is uint8, batch × height × width × 3, at the model's size; the output `probabilities` float, \
            batch × labels. The labels are in the file's metadata.
            """)

    @Argument(help: "NAME, NAME@VERSION, or a model's folder (with a / in it).")
    var model: String

    @Option(help: ArgumentHelp("The file to write; nothing may be there.", valueName: "file"))
    var output: String

    @OptionGroup var common: CommonOptions

    func run() throws { try Program.reporting("export", export) }

    private func export() throws {
        let configuration = try common.load()
        let model = try configuration.model(self.model)
        let onnx = try ONNXModel(model)
        try prove(model, configuration.pluginSearch)
        try NewPath.write(FilePath(output), onnx.encode())
        if common.json {
            let report = ExportReport(model, format: "onnx", output: FilePath(output))
            return Console.data(JSONText.pretty(report))
        }
        Console.line(FilePath(output).escaped)
    }

    /// The plugins themselves have the last word on whether the chain is as its parameters read: the golden set goes through
    /// them.
    private func prove(_ model: VerifiedModel, _ search: PluginSearch) throws {
        let golden = model.golden
        let chain = try Chain(
            model.configuration.chain, shape: ImageShape(height: golden.height, width: golden.width),
            classes: golden.classes, maxCount: golden.count, search: search, modelDirectory: model.folder)
        let difference = golden.largestDifference(from: try chain.process(golden.inputs))
        guard difference <= golden.tolerance else {
            throw Failure.data(
                "\(try model.identifier): its golden set differs by \(difference) here, at most \(golden.tolerance) is "
                    + "allowed: not the model or not the plugins that it was made with. `foveactl doctor` looks further."
            )
        }
    }
}
