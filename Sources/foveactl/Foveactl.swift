import ArgumentParser
import FoveaCLI
import FoveaControl
import FoveaSystem
import Glibc
import SystemPackage

struct Foveactl: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "foveactl",
        abstract: "Looks at, commands and trains Fovea, which classifies every image dropped into a folder.",
        discussion: """
            Data goes to standard output, messages to standard error. Exit codes: \
            \(ExitStatus.allCases.map { "\($0.rawValue) \($0.meaning)" }.joined(separator: ", ")). Of `retrain`: 0 a better \
            model serves, 10 the old one was kept, 11 nothing new, 12 a better one waits.
            """,
        version: "foveactl 0.1",
        subcommands: [
            StatusCommand.self, WatchCommand.self, WhyCommand.self, ClassifyCommand.self, ModelCommand.self,
            TrainCommand.self, RetrainCommand.self, EvaluateCommand.self, DatasetCommand.self, PluginCommand.self,
            QueueCommand.self,
            DoctorCommand.self,
        ])
}

/// What every verb takes.
struct CommonOptions: ParsableArguments {
    @Flag(help: "One JSON value (or one a line) instead of text.")
    var json = false

    @Option(
        help: ArgumentHelp(
            "The daemon's socket; else that of --config, else FOVEA_SOCKET, else the configuration's.",
            valueName: "path"))
    var socket: PathArgument?

    @Option(
        help: ArgumentHelp("The configuration; else etc/fovea.yaml, else /etc/fovea/fovea.yaml.", valueName: "file"))
    var config: PathArgument?

    @Flag(help: "Nothing but data and errors.")
    var quiet = false

    func configuration() throws -> Configuration {
        let (configuration, file) = try Configuration.load(config?.path)
        if file == nil, !quiet { _ = Self.absenceIsNoted }
        return configuration
    }

    /// However often the configuration is read.
    private static let absenceIsNoted: Void = Console.message(Configuration.absence)

    /// The daemon, which need not be there.
    func client(timeout: Duration = .seconds(60)) throws -> ControlClient {
        ControlClient(socket: try socketPath(), timeout: timeout)
    }

    /// The configuration is read only where nothing goes before it.
    func socketPath() throws -> FilePath {
        try Configuration.socket(option: socket?.path, named: config?.path) ?? configuration().socket
    }

    /// A message for a person, unless they asked for quiet.
    func note(_ text: String) { if !quiet { Console.message(text) } }
}

/// What verbs take that work on the model store or the data sets, as fovea-train does.
struct StateOption: ParsableArguments {
    @Option(help: ArgumentHelp("The state folder, instead of the configuration's.", valueName: "folder"))
    var state: PathArgument?
}

extension CommonOptions {
    /// The configuration with another state folder, where one is given.
    func configuration(_ option: StateOption) throws -> Configuration {
        guard let state = option.state?.path else { return try configuration() }
        var configuration = try Configuration.load(config?.path).0
        configuration.state = state
        return configuration
    }
}
