// Training runs in fovea-train, a program of its own: the rest of foveactl starts without the engine, and a training
// keeps nothing of this process.

import ArgumentParser
import FoveaCLI
import FoveaSystem
import Glibc
import SystemPackage

struct TrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train", abstract: "Trains from scratch into the model store.",
        helpNames: [])

    @Argument(parsing: .captureForPassthrough, help: "Such as --arch vanilla --data cifar100.")
    var arguments: [String] = []

    func run() throws { try becomeTrainer("train", arguments) }
}

struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate", abstract: "Accuracy and loss of a model on data.",
        helpNames: [])

    @Argument(parsing: .captureForPassthrough, help: "Such as cifar100 --data cifar100.")
    var arguments: [String] = []

    func run() throws { try becomeTrainer("evaluate", arguments) }
}

struct RetrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retrain", abstract: "A challenger from data and corrections; it serves if it is better.",
        helpNames: [])

    @Argument(parsing: .captureForPassthrough, help: "Such as --budget 2h.")
    var arguments: [String] = []

    func run() throws { try becomeTrainer("retrain", arguments) }
}

/// `help train` and the like show what fovea-train says of itself, as `train --help` does.
func helpOfTrainer(_ arguments: [String]) throws {
    if arguments == ["help", "model", "compare"] {
        try becomeTrainer("compare", ["--help"], as: "foveactl model")
    }
    if arguments == ["help", "model", "fetch"] {
        try becomeTrainer("fetch", ["--help"], as: "foveactl model")
    }
    guard arguments.count == 2, arguments[0] == "help", ["train", "evaluate", "retrain"].contains(arguments[1]) else {
        return
    }
    try becomeTrainer(arguments[1], ["--help"])
}

/// execv(3) of fovea-train with the same arguments.
///
/// - Parameter words: what people typed before the verb, which help and errors repeat.
func becomeTrainer(_ verb: String, _ arguments: [String], as words: String = "foveactl") throws {
    signal(SIGPIPE, SIG_DFL)
    let program = programDirectory().appending("fovea-train")
    var argv: [UnsafeMutablePointer<CChar>?] =
        ([words, verb].map { Array($0.utf8) } + arguments.map(RawArguments.bytes)).map { bytes in
            (bytes + [0]).withUnsafeBufferPointer {
                strdup(UnsafeRawPointer($0.baseAddress!).assumingMemoryBound(to: CChar.self))
            }
        } + [nil]
    _ = program.withPlatformString { execv($0, &argv) }
    let reason = Errno(rawValue: errno)
    throw Failure(
        "\(program.escaped) cannot be started: \(reason). It is built and installed together with foveactl: "
            + "`make build` or `make install`.", .software)
}
