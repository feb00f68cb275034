// Plugins are other people's code: `PluginCheck` looks at each in a process of its own.

import ArgumentParser
import FoveaCLI
import FoveaControl
import FoveaPipeline
import FoveaSystem
import SystemPackage

struct PluginCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plugin", abstract: "The libraries that stages come from.",
        subcommands: [List.self, Check.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "All plugins in the configured folders.")
        @OptionGroup var common: CommonOptions

        func run() throws {
            let search = PluginSearch(try common.configuration().pluginFolders)
            var options = PluginCheck.Options()
            options.brief = true
            let reports = try search.all().map { try PluginCheck.run($0, options) }
            if common.json { return try Console.json(reports) }
            if reports.isEmpty {
                return common.note("No plugins in \(search.folders.map(\.escaped).joined(separator: ", ")).")
            }
            Console.table(
                reports.map { report in
                    let fault = report.findings.first { $0.outcome == .failed }.map { Console.red(safe($0.text)) }
                    return [
                        safe(report.plugin?.name ?? "?"), report.plugin?.kind.rawValue ?? "?",
                        safe(report.plugin?.version ?? "?"), safe(report.file), fault ?? "",
                    ]
                }, header: ["plugin", "kind", "version", "file", ""])
        }
    }

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Tries a plugin in a process of its own.",
            discussion: """
                Loads it, looks at its ABI version and symbols, gives it wrong parameters and odd sizes, looks for values \
                that are not numbers, for scores that depend on the place in a batch, and for memory that grows over \
                1,000 instances. Without --parameters and --model, it gets what the model that serves says, if that model has such a stage.
                """)
        @Argument(help: "The library's file.")
        var file: PathArgument
        @Option(help: ArgumentHelp("A JSON object for `create`.", valueName: "json"))
        var parameters: String?
        @Option(help: ArgumentHelp("A model's folder, for a classifier that needs one.", valueName: "folder"))
        var model: PathArgument?
        @Option(help: ArgumentHelp("Labels of a classifier; else as many as the model has, or 10.", valueName: "n"))
        var classes: Int?
        @OptionGroup var common: CommonOptions

        func validate() throws {
            guard classes.map({ (1...100_000).contains($0) }) ?? true else {
                throw ValidationError("--classes must be from 1 to 100000.")
            }
        }

        func run() throws {
            var options = PluginCheck.Options()
            options.parameters = parameters
            options.model = model?.path
            options.classes = classes
            if model == nil, parameters == nil { options.model = try servingModel() }
            let report = try PluginCheck.run(file.path, options)
            if common.json { try Console.json(report) } else { show(report) }
            if !report.passed {
                let exists = (try? Files.statusIfPresent(file.path, followingLinks: true)) ?? nil != nil
                let fault = report.findings.first { $0.outcome == .failed }?.text ?? "nothing could be checked"
                let text = fault.contains("/") ? fault : "\(file.path.escaped): \(fault)"
                throw Failure(safe(sentence(text)), exists ? .data : .noInput)
            }
            if !common.json, report.findings.contains(where: { $0.check == "create" && $0.outcome == .skipped }) {
                common.note("No instance was made, so only part of it was checked.")
            }
        }

        private func servingModel() throws -> FilePath? {
            let configuration = try common.configuration()
            let store = ModelCommand.store(configuration)
            return ModelCommand.active(configuration, store).flatMap { try? store.resolve($0.description) }?.folder
        }

        private func show(_ report: PluginReport) {
            if let plugin = report.plugin {
                Console.line(
                    "\(Console.bold(safe(plugin.name))) \(safe(plugin.version))  \(plugin.kind.rawValue)  "
                        + safe(plugin.description))
            }
            for finding in report.findings {
                let mark =
                    switch finding.outcome {
                    case .passed: Console.green("ok     ")
                    case .failed: Console.red("FAILED ")
                    case .skipped, .begun: Console.dim("skipped")
                    }
                Console.line("\(mark)  \(pad(finding.check, 10))  \(safe(finding.text))")
            }
        }
    }
}
