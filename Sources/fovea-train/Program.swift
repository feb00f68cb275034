// fovea-train: trains networks, measures them and writes them as ONNX. It needs no daemon, and no daemon needs it.
// `foveactl train`, `foveactl evaluate` and `foveactl model export --format onnx` run it.

import ArgumentParser

@main
struct Program: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fovea-train", abstract: "Trains Fovea's networks, measures and exports them.",
        subcommands: [
            TrainCommand.self, EvaluateCommand.self, RetrainCommand.self, CompareCommand.self, ExportCommand.self,
        ])
}
