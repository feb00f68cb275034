// fovea-train: trains networks and measures them. It needs no daemon, and no daemon needs it. `foveactl train` and
// `foveactl evaluate` run it with the same arguments.

import ArgumentParser

@main
struct Program: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fovea-train", abstract: "Trains Fovea's networks and measures them.",
        subcommands: [TrainCommand.self, EvaluateCommand.self, RetrainCommand.self, CompareCommand.self])
}
