// fovea-train: trains networks, measures them and writes them as ONNX. It needs no daemon, and no daemon needs it.
// `foveactl train`, `foveactl evaluate` and `foveactl model export --format onnx` run it.

import ArgumentParser
import FoveaCLI
import FoveaReport
import FoveaTraining

@main
struct Program: ParsableCommand {
    /// What people have typed before the verb: foveactl hands over its own words as argv[0].
    static let name = CommandLine.arguments.first.flatMap { $0.hasPrefix("foveactl") ? $0 : nil } ?? "fovea-train"

    static let configuration = CommandConfiguration(
        commandName: name, abstract: "Trains Fovea's networks, measures and exports them.",
        subcommands: [
            TrainCommand.self, EvaluateCommand.self, RetrainCommand.self, CompareCommand.self, ExportCommand.self,
            FetchCommand.self,
        ])

    /// Runs a verb; its error goes to standard error and becomes the exit code.
    static func reporting(_ verb: String, _ body: () throws -> Void) throws {
        do {
            try body()
        } catch let error as ExitCode {
            throw error
        } catch {
            let failure = Failure(error)
            Console.message("\(name) \(verb): \(safe(failure.message, keepingLines: true))")
            throw ExitCode(failure.status.rawValue)
        }
    }

    /// What every training leaves for people beside its model.
    static func report(_ record: TrainingRecord, note: (String) -> Void) throws -> [String: [UInt8]] {
        try record.reportFiles(note: note)
    }
}
