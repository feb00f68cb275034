import ArgumentParser
import FoveaCLI
import FoveaControl
import FoveaModels
import FoveaPipeline
import FoveaSystem
import FoveaTraining
import Glibc
import SystemPackage

/// What every verb understands.
struct CommonOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The configuration file.", valueName: "file"))
    var config: String?

    @Option(help: ArgumentHelp("The state folder, instead of the configuration's.", valueName: "folder"))
    var state: String?

    @Option(
        help: ArgumentHelp(
            "The daemon's socket, which `retrain` asks to swap: else that of --config, else FOVEA_SOCKET, else the "
                + "configuration's.",
            valueName: "path"))
    var socket: String?

    @Flag(help: "Print the result as JSON.")
    var json = false

    @Flag(help: "Print no messages but errors.")
    var quiet = false

    /// It stands in files of JSON, whose integers are signed.
    static func check(seed: UInt64) throws {
        guard seed <= Int64.max else { throw ValidationError("--seed must be at most \(Int64.max).") }
    }

    static func check(threads: Int) throws {
        guard (0...1024).contains(threads) else { throw ValidationError("--threads must be from 0 to 1024.") }
    }

    /// The configuration with the options applied.
    func load() throws -> Configuration {
        let named = config.map { FilePath($0) }
        var (configuration, file) = try Configuration.load(named)
        if let socket = Configuration.socket(option: socket.map { FilePath($0) }, named: named) {
            configuration.socket = socket
        }
        if let state {
            configuration.state = FilePath(state)
        } else if file == nil {
            Console(quiet: quiet).note(Configuration.absence)
        }
        return configuration
    }
}
