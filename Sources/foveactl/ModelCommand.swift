import ArgumentParser
import FoveaCLI
import FoveaControl
import FoveaModels
import FoveaSystem
import SystemPackage

struct ModelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model", abstract: "The model store, and which model serves.",
        subcommands: [
            List.self, Show.self, Compare.self, Swap.self, Rollback.self, Pin.self, Unpin.self, Export.self,
            Import.self, Fetch.self, Chain.self, Remove.self,
        ])

    /// A model in the store as `--json` tells it.
    struct Entry: Encodable {
        let name: String
        let version: String
        let active: Bool
        let pinned: Bool
        let bundled: Bool
        let folder: String
        let labels: Int?
        /// On the test images, where they were measured.
        let top1: Double?
        /// On the development images, and of a retrained model on those that it was judged by.
        let developmentTop1: Double?
        let isRetrained: Bool
        /// On which the accuracy rests: test images where there are some.
        let images: Int?
        private let heldOut: String
        let bytes: Int?
        /// Why its description cannot be read.
        let fault: String?

        init(_ model: ModelStore.Model, active: ModelIdentifier?, pinned: PinnedModels = PinnedModels()) {
            let description = Result { () throws(ModelError) in try model.configuration }
            name = model.identifier.name
            version = model.identifier.version
            self.active = model.identifier == active
            self.pinned = pinned.models.contains(model.identifier)
            bundled = model.isBundled
            folder = model.folder.escaped
            labels = (try? description.get())?.labels.count
            let metrics = (try? description.get())?.metrics
            top1 = metrics?["test"]?["top1"]?.double
            developmentTop1 = metrics?["dev"]?["top1"]?.double
            images = (metrics?["test"] ?? metrics?["dev"])?["images"]?.double.flatMap(Int.init(exactly:))
            heldOut = (try? description.get())?.heldOut ?? ""
            isRetrained = (try? description.get())?.isRetrained ?? false
            bytes = (try? Files.status(model.folder.appending(ModelFolder.weightsName)))?.size
            if case .failure(let error) = description { fault = "\(error)" } else { fault = nil }
        }

        private enum CodingKeys: CodingKey {
            case name, version, active, pinned, bundled, folder, labels, top1, developmentTop1, isRetrained, images,
                bytes, fault
        }

        /// Such as `84.9 % ± 2.2 of 1,000 out-of-fold`: a share means nothing without the number of images behind it.
        var accuracy: String? {
            guard let share = top1 ?? developmentTop1 else { return nil }
            var text = percent(share)
            if let images {
                let interval = Interval(right: Int((share * Double(images)).rounded()), of: images)
                text += " ± \(Units.decimals(100 * interval.half, 1)) of \(images.formatted())"
            }
            return text + (top1 == nil ? " \(heldOut)" : " test")
        }
    }

    static func store(_ configuration: Configuration) -> ModelStore {
        ModelStore(bundled: configuration.models, trained: configuration.trainedModels)
    }

    /// The model that serves, or would.
    static func active(_ configuration: Configuration, _ store: ModelStore) -> ModelIdentifier? {
        if let active = try? ActiveModel.read(configuration.activeFile) { return try? active.active.identifier }
        return (try? store.resolve(configuration.model))?.identifier
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "All models; * serves.")
        @OptionGroup var common: CommonOptions
        @OptionGroup var store: StateOption

        func run() throws {
            let configuration = try common.configuration(self.store)
            let store = ModelCommand.store(configuration)
            let active = ModelCommand.active(configuration, store)
            let pinned = try PinnedModels.read(configuration.pinnedFile)
            let entries = try store.list().map { Entry($0, active: active, pinned: pinned) }
            if common.json { return try Console.json(entries) }
            if entries.isEmpty {
                return common.note("There are no models. `foveactl train --arch vanilla --data cifar100` makes one.")
            }
            Console.table(
                entries.map { entry in
                    [
                        entry.active ? "*" : "", "\(entry.name)@\(entry.version)",
                        entry.labels.map(String.init) ?? "-",
                        entry.accuracy ?? "-",
                        entry.bytes.map { Units.show(bytes: $0) } ?? "-",
                        (entry.bundled ? "bundled" : "trained") + (entry.pinned ? ", pinned" : ""),
                        entry.fault.map { Console.red(safe($0)) } ?? "",
                    ]
                }, header: ["", "model", "labels", "accuracy", "size", "store", ""], right: [2, 3, 4])
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "What a model is and how it was made.")
        @Argument(help: "NAME (its newest version) or NAME@VERSION; without it, the one that serves.")
        var model: String?
        @OptionGroup var common: CommonOptions
        @OptionGroup var store: StateOption

        func run() throws {
            let configuration = try common.configuration(self.store)
            let store = ModelCommand.store(configuration)
            let active = ModelCommand.active(configuration, store)
            let found = try store.resolve(model ?? active?.description ?? configuration.model)
            let description = try found.configuration
            if common.json { return Console.data(description.encode()) }
            let entry = Entry(found, active: active)
            var facts = [
                ["model", safe(found.identifier.description) + (entry.active ? "  (serves)" : "")],
                ["description", safe(description.description)],
                ["folder", "\(entry.folder)  (\(entry.bundled ? "bundled" : "trained"))"],
                [
                    "input",
                    "\(description.input.height) × \(description.input.width), \(description.input.channels) channels; "
                        + "an image is \(description.input.target.sentence)",
                ],
                [
                    "chain",
                    description.chain.map { "\(safe($0.plugin)) \(safe($0.parameters.text))" }.joined(separator: " → "),
                ],
            ]
            if let architecture = description.network?["architecture"]?.string {
                facts.append(["network", safe(architecture)])
            }
            if let bytes = entry.bytes {
                let type = description.weights.map { ", \($0.dtype)" } ?? ""
                facts.append(["weights", Units.show(bytes: bytes) + type])
            }
            for (part, images) in [("test", "test images"), ("dev", "\(description.heldOut) images")] {
                if let figures = description.metrics?[part] {
                    facts.append(["accuracy", ModelCommand.accuracy(figures, images)])
                }
            }
            if let provenance = description.training {
                facts += ModelCommand.facts(provenance)
            }
            facts.append(["labels", "\(description.labels.count): \(safe(description.labels.joined(separator: ", ")))"])
            Console.table(facts)
        }
    }

    /// `64.5 % of 5,000 test images, 88.1 % among the first five`.
    private static func accuracy(_ figures: JSONValue, _ images: String) -> String {
        var text = figures["top1"]?.double.map(percent) ?? "?"
        if let count = figures["images"]?.double.map(count) { text += " of \(count) \(images)" }
        if let top5 = figures["top5"]?.double { text += ", \(percent(top5)) among the first five" }
        if let superclass = figures["superclass"]?.double { text += ", \(percent(superclass)) in the right superclass" }
        return text
    }

    /// Where a model comes from, as far as it says so.
    private static func facts(_ provenance: Provenance) -> [[String]] {
        switch provenance.kind {
        case .trained(let training):
            let course = ["training", safe(course(of: training) ?? provenance.json.text)]
            return [course] + (training.settings.map { [["settings", safe(list($0))]] } ?? [])
        case .ownClasses(let own):
            return [
                ["backbone", safe("\(own.backbone.name)@\(own.backbone.version)")],
                [
                    "training",
                    "\(own.data.images.formatted()) pictures of \(safe(own.data.name)), \(safe(own.method)) head, "
                        + "\(own.folds.formatted()) folds, \(Units.show(seconds: own.seconds))",
                ],
            ]
        case .imported(let origin):
            let images = origin.trainedOn.map { [["trained on", safe($0)]] } ?? []
            return [["origin", safe(origin.origin)], ["licence", safe(origin.licence)]] + images
        case .unknown: return [["training", safe(provenance.json.text)]]
        }
    }

    /// On what, how long; nil where it says nothing of that.
    private static func course(of training: Provenance.Training) -> String? {
        var parts: [String] = []
        if let images = training.data?.images {
            parts.append("\(images.formatted()) images" + (training.data?.name.map { " of \($0)" } ?? ""))
        }
        if let epochs = training.epochs { parts.append("\(epochs.formatted()) epochs") }
        if let epoch = training.epoch { parts.append("the weights are those of epoch \(epoch.formatted())") }
        if let seconds = training.seconds { parts.append(Units.show(seconds: seconds)) }
        return parts.isEmpty ? nil : parts.joined(separator: ", ")
    }

    /// A whole number as people write it.
    private static func count(_ value: Double) -> String { Int(exactly: value)?.formatted() ?? "\(value)" }

    /// Names and values with commas, inner ones after a dot.
    private static func list(_ value: JSONValue, prefix: String = "") -> String {
        guard case .object(let members) = value else { return "\(prefix) \(value.string ?? value.text)" }
        return members.sorted { $0.key < $1.key }
            .map { list($0.value, prefix: prefix.isEmpty ? $0.key : "\(prefix).\($0.key)") }.joined(separator: ", ")
    }

    struct Swap: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Replaces the serving model while images keep flowing; prints a receipt.",
            discussion: """
                A model that fails a step is refused, the old one keeps serving, and the exit code is 65; it is 66 where \
                there is no such model, and 75 while another swap is under way.
                """)
        @Argument(help: "NAME (its newest version) or NAME@VERSION.")
        var model: String
        @OptionGroup var common: CommonOptions

        func run() throws {
            try ModelCommand.swap(common) { client throws(ControlError) in
                let body = Array(SwapRequest(model: model).json)
                return try client.request("POST", Routes.swap, body: body)
            }
        }
    }

    struct Rollback: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Back to the model before.",
            discussion: "Where no daemon runs, the model before serves from its next start on.")
        @OptionGroup var common: CommonOptions

        func run() throws {
            do {
                try ModelCommand.swap(common) { client throws(ControlError) in
                    try client.request("POST", Routes.rollback, body: [])
                }
            } catch let error as ControlError {
                guard case .unreachable = error, try forTheNextStart() else { throw error }
            }
        }

        /// The start proves the model as a swap does.
        ///
        /// - Returns: false where a daemon is there after all, or none has ever been.
        private func forTheNextStart() throws -> Bool {
            let configuration = try common.configuration()
            // Another socket is that of another daemon, with a state folder of its own.
            guard try common.socketPath() == configuration.socket,
                let active = try ActiveModel.read(configuration.activeFile)
            else { return false }
            let store = ModelCommand.store(configuration)
            // Before the lock, for it takes its time, and a daemon that starts meanwhile would not wait.
            if let name = try active.previous?.identifier.description {
                _ = try ModelFolder.verify(store.resolve(name).folder)
            }
            guard let folder = try FolderLock.take(configuration.state) else { return false }
            defer { try? folder.close() }
            guard try ActiveModel.read(configuration.activeFile) == active else {
                throw Failure("Another model was made the active one meanwhile; look, and try again.", .tryAgain)
            }
            guard let previous = active.previous else {
                throw Failure("There is no model to go back to: none was active before.", .noInput)
            }
            let changed = ActiveModel(active: previous, previous: active.active, isPreviousLeft: true)
            try changed.write(configuration.activeFile)
            if common.json {
                try Console.json(changed)
            } else {
                common.note("No daemon runs: \(previous.name)@\(previous.version) serves from its next start on.")
            }
            return true
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Removes a trained model that nothing needs.",
            discussion: "Not the one that serves, the one before, a pinned one, nor what another model was trained on.")
        @Argument(help: "NAME@VERSION, in full.")
        var model: String
        @Flag(help: "Also what another model was trained on, if that one is not needed itself.")
        var force = false
        @OptionGroup var common: CommonOptions
        @OptionGroup var store: StateOption

        func run() throws {
            let configuration = try common.configuration(self.store)
            let identifier = try ModelCommand.identifier(model)
            let store = ModelCommand.store(configuration)
            guard let lock = try store.lock() else {
                throw Failure("A swap or another removal is under way; try again.", .tryAgain)
            }
            defer { lock.release() }
            let active = try ActiveModel.read(configuration.activeFile)
            let protection = ModelProtection(
                store, active: active, first: ModelCommand.active(configuration, store),
                pinned: try PinnedModels.read(configuration.pinnedFile))
            try store.remove(identifier, protection: protection, force: force)
            if common.json { return try Console.json(["removed": model]) }
            common.note("\(safe(model)) is removed.")
        }
    }

    /// NAME@VERSION, in full.
    static func identifier(_ text: String) throws -> ModelIdentifier {
        let reference = try ModelReference(text)
        guard let version = reference.version else {
            throw Failure("\(text): give the version too, as NAME@VERSION. `foveactl model list` shows them.", .usage)
        }
        return try ModelIdentifier(name: reference.name, version: version)
    }

    // MARK: Receipts

    private static func swap(
        _ common: CommonOptions, _ send: (ControlClient) throws(ControlError) -> ControlClient.Answer
    ) throws {
        let answer = try send(common.client(timeout: .seconds(600)))
        guard let receipt = try? ControlClient.decode(answer.body, as: SwapReceipt.self) else {
            throw ControlClient.refusal(answer)
        }
        if common.json {
            try Console.json(receipt)
        } else if receipt.refusal == nil {
            show(receipt)
        }
        if receipt.outcome == .refused {
            let status: ExitStatus =
                switch receipt.refusal {
                case .invalidName: .usage
                case .notFound: .noInput
                case .busy: .tryAgain
                case .overtaken, nil: .data
                }
            let reason = sentence("The swap was refused: \(receipt.reason ?? "no reason given")")
            throw Failure(
                "\(safe(reason)) \(receipt.old.map { safe($0.description) } ?? "The old model") keeps serving.",
                status)
        }
    }

    private static func show(_ receipt: SwapReceipt) {
        func milliseconds(_ value: Double?) -> String { value.map { "\(Units.decimals($0, 0)) ms" } ?? "-" }
        func identity(_ model: ModelIdentity?) -> String {
            model.map { "\(safe($0.description))  \($0.sha256.prefix(12))" } ?? "-"
        }
        let difference = receipt.goldenDifference.map { ", largest difference \($0)" } ?? ""
        var facts: [[String]] = []
        facts.append(["outcome", receipt.outcome.rawValue])
        facts.append(["old", identity(receipt.old)])
        facts.append(["new", identity(receipt.new)])
        facts.append(["load", milliseconds(receipt.loadMs)])
        facts.append(["warm-up", milliseconds(receipt.warmUpMs)])
        facts.append(["golden set", milliseconds(receipt.goldenMs) + difference])
        if receipt.outcome == .switched {
            func image(_ image: SwapReceipt.Image?) -> String {
                image.map { "\(safe($0.file))  \(safe($0.id))" } ?? "none yet"
            }
            let after = receipt.memoryAfter.map { Units.show(bytes: $0) } ?? "?"
            facts.append(["switched at", receipt.switchedAt?.description ?? "-"])
            facts.append(["last on old", image(receipt.lastOnOld)])
            facts.append(["first on new", image(receipt.firstOnNew)])
            facts.append(["drained", "\(receipt.drainedImages) images"])
            facts.append(["memory", "\(Units.show(bytes: receipt.memoryBefore)) before, \(after) after"])
        }
        Console.table(facts)
    }
}
