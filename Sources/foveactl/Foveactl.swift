import ArgumentParser
import FoveaControl
import FoveaSystem
import Glibc
import SystemPackage

struct Foveactl: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "foveactl",
        abstract: "Looks at, commands and trains Fovea, which classifies every image dropped into a folder.",
        discussion: """
            Data goes to standard output, messages to standard error. Exit codes: 0 done, 64 wrong arguments, 65 bad \
            data or a refused model, 66 no such file, 69 no daemon, 70 internal error, 73 cannot be created, 75 try \
            again, 77 no permission, 78 the configuration.
            """,
        version: "foveactl 0.1",
        subcommands: [
            StatusCommand.self, WatchCommand.self, WhyCommand.self, ClassifyCommand.self, ModelCommand.self,
            TrainCommand.self, EvaluateCommand.self, DatasetCommand.self, PluginCommand.self, QueueCommand.self,
            DoctorCommand.self,
        ])
}

/// What every verb takes.
struct CommonOptions: ParsableArguments {
    @Flag(help: "One JSON value (or one a line) instead of text.")
    var json = false

    @Option(help: ArgumentHelp("The daemon's socket; else FOVEA_SOCKET, else the configuration's.", valueName: "path"))
    var socket: String?

    @Option(
        help: ArgumentHelp("The configuration; else etc/fovea.yaml, else /etc/fovea/fovea.yaml.", valueName: "file"))
    var config: String?

    @Flag(help: "Nothing but data and errors.")
    var quiet = false

    func configuration() throws -> Configuration { try Configuration.load(config.map { FilePath($0) }).0 }

    /// The daemon, which need not be there.
    func client(timeout: Duration = .seconds(60)) throws -> ControlClient {
        ControlClient(socket: try socketPath(), timeout: timeout)
    }

    func socketPath() throws -> FilePath {
        if let socket { return FilePath(socket) }
        if let variable = getenv("FOVEA_SOCKET"), variable.pointee != 0 { return FilePath(platformString: variable) }
        return try configuration().socket
    }

    /// A message for a person, unless they asked for quiet.
    func note(_ text: String) { if !quiet { Console.message(text) } }
}
