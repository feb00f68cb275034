// fovea-bench: figures of Fovea that a reader can compare, and attacks on a daemon that must lose nothing.
//
// It is a target of the main package and not a package of its own: what it measures is declared `package`, which
// another package cannot import, and so `make bench` needs to compile nothing a second time. It is not installed.
//
// Nothing is read from outside the checkout unless an option says so: images and, where there is no trained model,
// networks are made here. All files are in a temporary folder.

import ArgumentParser
import FoveaSystem
import Glibc

@main
struct FoveaBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fovea-bench", abstract: "Measures Fovea, and tortures it.",
        subcommands: [
            MeasureCommand.self, LayersCommand.self, ProductsCommand.self, ContestantCommand.self, TortureCommand.self,
        ],
        defaultSubcommand: MeasureCommand.self)
}

/// What went wrong, in a sentence.
struct BenchError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
