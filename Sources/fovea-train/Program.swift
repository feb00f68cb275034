// fovea-train: trains networks and measures them. It needs no daemon, and no daemon needs it. `foveactl train` and
// `foveactl evaluate` run it with the same arguments.

import ArgumentParser
import Glibc

struct Program: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fovea-train", abstract: "Trains Fovea's networks and measures them.",
        subcommands: [TrainCommand.self, EvaluateCommand.self])
}

@main
enum Main {
    static func main() {
        keepMatrixLibraryOnOneThread()
        Program.main()
    }

    /// Starts the program again with OPENBLAS_NUM_THREADS=1, unless that is set.
    ///
    /// OpenBLAS otherwise starts threads while it is loaded, before this program can block any signal: one of them would
    /// take Ctrl-C and end the process without a checkpoint. Fovea has threads of its own.
    private static func keepMatrixLibraryOnOneThread() {
        let variable = "OPENBLAS_NUM_THREADS"
        if let value = getenv(variable), String(cString: value) == "1" { return }
        setenv(variable, "1", 1)
        execv("/proc/self/exe", CommandLine.unsafeArgv)
        // Where that cannot be, training still works, only an interruption may be abrupt.
    }
}
