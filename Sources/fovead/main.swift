import ArgumentParser
import FoveaControl
import FoveaDaemon
import FoveaSystem
import Glibc
import Logging
import SystemPackage

/// The daemon's command line; the work is in FoveaDaemon.
struct Fovead: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fovead", abstract: "Classifies every image dropped into the inbox and files it in the outbox.",
        discussion: """
            Without --config it reads etc/fovea.yaml, else /etc/fovea/fovea.yaml, else it takes the defaults. It stays \
            in the foreground; SIGTERM finishes what is in flight and stops. 'foveactl status' shows how it is doing.
            """, version: foveaVersion)

    @Option(help: "The configuration file.")
    var config: String?

    @Flag(help: "Check the configuration and exit.")
    var check = false

    @Flag(name: [.short, .long], help: "Log more: workers coming and going.")
    var verbose = false

    func run() throws {
        let settings: Configuration
        do {
            settings = try Configuration.load(config.map { FilePath($0) }).0
        } catch {
            fail(.configuration, "\(error)")
        }
        if check { return print("the configuration is good") }
        let isVerbose = verbose
        LoggingSystem.bootstrap { _ in JournalLogHandler(level: isVerbose ? .debug : .info) }
        do {
            try Daemon(configuration: settings, log: Logger(label: "fovead")).run()
        } catch {
            fail((error as? any ExitStatusProviding)?.exitStatus ?? .system, "\(error)")
        }
    }

    private func fail(_ status: ExitStatus, _ message: String) -> Never {
        printError("fovead: \(message)")
        Glibc.exit(status.rawValue)
    }
}

do {
    var command = try Fovead.parseAsRoot()
    try command.run()
} catch {
    let code = Fovead.exitCode(for: error)
    if !code.isSuccess {
        printError(Fovead.fullMessage(for: error))
        exit(ExitStatus.usage.rawValue)
    }
    print(Fovead.fullMessage(for: error))
}
