// Training runs in fovea-train, a program of its own: the rest of foveactl starts without the engine, and a training
// keeps nothing of this process.

import ArgumentParser
import FoveaSystem
import Glibc
import SystemPackage

struct TrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train", abstract: "Trains from scratch into the model store (--help lists the options).",
        helpNames: [])

    @Argument(parsing: .captureForPassthrough, help: "Such as --arch vanilla --data cifar100.")
    var arguments: [String] = []

    func run() throws { try becomeTrainer("train", arguments) }
}

struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate", abstract: "Accuracy and loss of a model on data (--help lists the options).",
        helpNames: [])

    @Argument(parsing: .captureForPassthrough, help: "Such as cifar100 --data cifar100.")
    var arguments: [String] = []

    func run() throws { try becomeTrainer("evaluate", arguments) }
}

/// execv(3) of fovea-train with the same arguments.
private func becomeTrainer(_ verb: String, _ arguments: [String]) throws {
    // Its threads are its own; OpenBLAS's would compete with them.
    setenv("OPENBLAS_NUM_THREADS", "1", 1)
    signal(SIGPIPE, SIG_DFL)
    let program = programDirectory().appending("fovea-train")
    var argv: [UnsafeMutablePointer<CChar>?] = ([program.string, verb] + arguments).map { strdup($0) } + [nil]
    _ = program.withPlatformString { execv($0, &argv) }
    let reason = Errno(rawValue: errno)
    throw Failure(
        "\(program.escaped) cannot be started: \(reason). It is built and installed together with foveactl: "
            + "`make build` or `make install`.", code: 70)
}
