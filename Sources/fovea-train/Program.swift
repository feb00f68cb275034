// fovea-train: trains networks, measures them and writes them as ONNX. It needs no daemon, and no daemon needs it.
// `foveactl train`, `foveactl evaluate` and `foveactl model export --format onnx` run it.

import ArgumentParser

@main
struct Program: ParsableCommand {
    /// What people have typed before the verb: foveactl hands over its own words as argv[0].
    static let name = CommandLine.arguments.first.flatMap { $0.hasPrefix("foveactl") ? $0 : nil } ?? "fovea-train"

    static let configuration = CommandConfiguration(
        commandName: name, abstract: "Trains Fovea's networks, measures and exports them.",
        subcommands: [
            TrainCommand.self, EvaluateCommand.self, RetrainCommand.self, CompareCommand.self, ExportCommand.self,
        ])
}
