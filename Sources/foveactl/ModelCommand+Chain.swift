// A model with another chain: what a plugin author types last. The new model is made of one that is there: its images' size, its
// labels, its weights where the classifier stays, and the stages that are not named anew.

import ArgumentParser
import FoveaCLI
import FoveaControl
import FoveaModels
import FoveaPipeline
import FoveaSystem
import Glibc
import SystemPackage

extension ModelCommand {
    struct Chain: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a model with another chain, such as one with your own plugin.",
            discussion: """
                The new model takes from MODEL what you do not name: stages, labels, the images' size. A stage is a plugin's name or \
                its file, with parameters after an equals sign: sharpen={"amount":2}. A file is copied into <state>/plugins where \
                no searched folder has it. The chain is run once, in a process of its own, for the golden set.

                foveactl model chain cifar100 --filters sharpen --as cifar100-sharp
                foveactl model chain cifar100 --classifier ./libfovea-example-c.so --labels red,green \
                --parameters '{"colours":[1,-1,-1, -1,1,-1]}' --as colours
                """)

        @Argument(help: "The model to begin with: NAME (its newest version) or NAME@VERSION.")
        var model: String
        @Option(help: ArgumentHelp("Filters with commas between them, or none.", valueName: "stages"))
        var filters: String?
        @Option(help: ArgumentHelp("The normalizer.", valueName: "stage"))
        var normalizer: String?
        @Option(help: ArgumentHelp("The classifier.", valueName: "stage"))
        var classifier: String?
        @Option(help: ArgumentHelp("A JSON object for the classifier.", valueName: "json"))
        var parameters: String?
        @Option(
            help: ArgumentHelp(
                "What another classifier's scores stand for, in their order: labels with commas between them, or a file with one on "
                    + "each line, whose path has a / in it.", valueName: "labels"))
        var labels: String?
        @Option(name: .customLong("as"), help: ArgumentHelp("The new model's name.", valueName: "name"))
        var name: String
        @Flag(help: "A plugin's file takes the place of an older version that other models use.")
        var replace = false
        @Option(help: ArgumentHelp("A sentence about the new model.", valueName: "text"))
        var description: String?
        @OptionGroup var common: CommonOptions
        @OptionGroup var store: StateOption

        func run() throws {
            let configuration = try common.configuration(store)
            let store = ModelCommand.store(configuration)
            guard ModelIdentifier.isValid(name) else {
                throw Failure.usage("'\(safe(name))' cannot be a model's name")
            }
            let base = try ModelFolder.verify(store.resolve(model).folder)
            var stages = ChainStages(base.configuration.chain)
            let finder = PluginFinder(configuration, store, replaces: replace)
            try stages.replace(
                filters: filters.map {
                    try typed("--filters", $0, StageText.list).map { try finder.stage($0, .filter) }
                },
                normalizer: normalizer.map {
                    try finder.stage(typed("--normalizer", $0, StageText.one), .normalizer)
                },
                classifier: newClassifier(stages, finder))
            let made = try ModelDraft(
                base, stages: stages.all, name: name, version: try store.nextVersion(of: name),
                description: description, labels: try newLabels())
            let model = try made.add(to: store, plugins: configuration.pluginFolders)
            for place in finder.copied { common.note("The plugin was copied to \(safe(place)), where it is searched.") }
            if common.json { return try Console.json(Entry(model, active: nil)) }
            Console.line("\(model.identifier)")
            common.note("`foveactl model swap \(model.identifier)` lets it serve.")
        }

        /// What was typed after an option, as what it means.
        private func typed<R>(
            _ option: String, _ text: String, _ read: (String) throws(LabelError) -> R
        ) throws -> R {
            do throws(LabelError) { return try read(text) } catch { throw Failure.usage(safe("\(option): \(error)")) }
        }

        private func newClassifier(_ stages: ChainStages, _ finder: PluginFinder) throws -> StageConfiguration? {
            guard classifier != nil || parameters != nil else { return nil }
            var text =
                try classifier.map { try typed("--classifier", $0, StageText.one) }
                ?? StageText(plugin: stages.classifier.plugin)
            if let parameters {
                guard text.parameters == nil else {
                    throw Failure.usage("--parameters and parameters after --classifier's equals sign are one too many")
                }
                text = StageText(
                    plugin: text.plugin, parameters: try typed("--parameters", parameters, StageText.parameters))
            }
            return try finder.stage(text, .classifier)
        }

        private func newLabels() throws -> [String]? {
            guard let labels else { return nil }
            guard labels.contains("/") else { return labels.split(separator: ",").map(String.init) }
            let path = FilePath(bytes: RawArguments.bytes(labels))
            let bytes = try Files.read(try Files.resolve(path), limit: ModelFolder.textLimit)
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw Failure.data("\(path.escaped) is not UTF-8: a file of labels is text with one label on each line")
            }
            return text.split(whereSeparator: \.isNewline).map(String.init)
        }
    }
}
