// Plugins are other people's code: they are loaded in a child process (`foveactl plugin inspect`), which may crash or
// hang without taking this one along. The child writes its report into an anonymous file.

import ArgumentParser
import FoundationEssentials
import FoveaControl
import FoveaPipeline
import FoveaSystem
import Glibc
import SystemPackage

struct PluginCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plugin", abstract: "The libraries that stages come from.",
        subcommands: [List.self, Check.self, Inspect.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "All plugins in the configured folders.")
        @OptionGroup var common: CommonOptions

        func run() throws {
            let search = PluginSearch(try common.configuration().plugins)
            let reports = try search.all().map { try PluginCommand.inspect($0, quick: true, PluginTrialSettings()) }
            if common.json { return try Console.json(reports) }
            if reports.isEmpty {
                return common.note("No plugins in \(search.folders.map(\.escaped).joined(separator: ", ")).")
            }
            Console.table(
                reports.map {
                    [
                        safe($0.name ?? "?"), $0.kind ?? "?", safe($0.version ?? "?"), safe($0.file),
                        $0.fault.map { Console.red(safe($0)) } ?? "",
                    ]
                }, header: ["plugin", "kind", "version", "file", ""])
        }
    }

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Tries a plugin in a process of its own.",
            discussion: """
                Loads it, looks at its ABI version and table, runs it on odd sizes, looks for values that are not \
                numbers, for writes outside its buffers, for scores that depend on the batch, and for memory that grows \
                over 1,000 instances.
                """)
        @Argument(help: "The library's file.")
        var file: String
        @OptionGroup var settings: PluginTrialSettings
        @OptionGroup var common: CommonOptions

        func run() throws {
            var settings = settings
            if settings.model == nil, settings.parameters == nil {
                let configuration = try common.configuration()
                let store = ModelCommand.store(configuration)
                settings.model =
                    ModelCommand.active(configuration, store)
                    .flatMap { try? store.resolve($0.description) }?.folder.string
            }
            let report = try PluginCommand.inspect(FilePath(file), quick: false, settings)
            if common.json {
                try Console.json(report)
            } else {
                if let name = report.name {
                    Console.line(
                        "\(Console.bold(safe(name))) \(safe(report.version ?? ""))  \(report.kind ?? "")  "
                            + safe(report.about ?? ""))
                }
                for check in report.checks {
                    let mark = check.passed ? Console.green("ok  ") : Console.red("FAIL")
                    Console.line("\(mark)  \(check.what)\(check.detail.isEmpty ? "" : ": \(safe(check.detail))")")
                }
            }
            if let fault = report.fault ?? report.checks.first(where: { !$0.passed })?.detail {
                throw Failure("\(safe(file)): \(safe(fault))", code: 65)
            }
        }
    }

    /// The child of the two above.
    struct Inspect: ParsableCommand {
        static let configuration = CommandConfiguration(shouldDisplay: false)
        @Argument var file: String
        @Flag var quick = false
        @OptionGroup var settings: PluginTrialSettings

        func run() throws { try Console.json(PluginInspection.run(FilePath(file), quick: quick, settings: settings)) }
    }

    private static func inspect(
        _ file: FilePath, quick: Bool, _ settings: PluginTrialSettings
    ) throws -> PluginReport {
        let output = try memoryFile("report")
        defer { try? output.close() }
        let environment = ["OPENBLAS_NUM_THREADS=1", "PATH=/usr/bin:/bin"]
        let child = try ChildProcess(
            executable: try Files.resolve("/proc/self/exe"),
            arguments: ["plugin", "inspect", file.string] + (quick ? ["--quick"] : []) + settings.arguments,
            environment: environment, output: output)
        let deadline = ContinuousClock.now + .seconds(quick ? 20 : 180)
        var ending = child.endingIfEnded()
        while ending == nil, .now < deadline {
            usleep(2000)
            ending = child.endingIfEnded()
        }
        guard let ending else {
            child.signal(SIGKILL)
            _ = child.wait()
            return PluginReport(file: file.escaped, fault: "does not come back: it was ended after three minutes.")
        }
        let bytes = try Files.read(output, count: try Files.status(of: output).size, subject: "report")
        if ending == .exited(0), let report = try? JSONDecoder().decode(PluginReport.self, from: Data(bytes)) {
            return report
        }
        return PluginReport(file: file.escaped, fault: "ended its process while it was tried: \(ending).")
    }
}

/// What a plugin is tried with.
struct PluginTrialSettings: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A model's folder: its parameters for this plugin, and what a classifier reads; else the model that serves.",
            valueName: "folder"))
    var model: String?

    @Option(help: ArgumentHelp("A JSON object; else the model's, else {}.", valueName: "json"))
    var parameters: String?

    @Option(help: ArgumentHelp("Labels of a classifier; else the model's, else 10.", valueName: "n"))
    var classes: Int?

    func validate() throws {
        if let classes, !(1...10_000).contains(classes) { throw ValidationError("--classes must be from 1 to 10000.") }
    }

    /// The same on a command line.
    var arguments: [String] {
        (model.map { ["--model=\($0)"] } ?? []) + (parameters.map { ["--parameters=\($0)"] } ?? [])
            + (classes.map { ["--classes=\($0)"] } ?? [])
    }
}

/// What was found out about a plugin.
struct PluginReport: Codable {
    var file: String
    var name: String?
    var version: String?
    var kind: String?
    var about: String?
    var checks: [Check] = []
    /// Why it is no plugin that can be used.
    var fault: String?

    struct Check: Codable {
        let what: String
        let passed: Bool
        let detail: String
    }

    init(file: String, fault: String? = nil) {
        self.file = file
        self.fault = fault
    }
}
