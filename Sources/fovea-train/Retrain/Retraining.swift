// A retraining from the corrections to a model that serves, or a report that says why not:
//
//     scan corrections ─ unchanged? ─▶ nothing new
//          └─ plan, with the corrections' pixels, on disk ─ train (stops, goes on) ─▶ challenger ─ gate ─┬─▶ store ─ swap
//                                                                                                        └─▶ report
//
// Whatever ends it, the next call goes on where it was: the plan is written once, the checkpoint now and then, and a
// challenger that is finished is found by the plan's id.

import FoundationEssentials
import FoveaControl
import FoveaData
import FoveaHistory
import FoveaModels
import FoveaNN
import FoveaRetraining
import FoveaSystem
import SystemPackage

/// `fovea-train retrain`.
struct Retraining {
    private let command: RetrainCommand
    private let console: Console
    private let configuration: Configuration
    private let folder: RetrainFolder
    private let store: ModelStore
    private let begin = ContinuousClock.now

    init(_ command: RetrainCommand) throws {
        self.command = command
        console = Console(quiet: command.common.quiet || command.mail)
        configuration = try command.common.load()
        folder = RetrainFolder(state: configuration.state)
        store = configuration.store()
    }

    func run() throws -> RetrainOutcome {
        if command.dryRun { return try rehearse() }
        try Files.makeDirectories(folder.path)
        guard let lock = try Files.lock(folder.lock) else {
            throw Failure.tryAgain("another retraining is running on \(configuration.state.escaped): wait for it")
        }
        defer { try? lock.close() }

        let champion = try Champion(configuration, store)
        var plan = try RetrainPlan.read(folder)
        if let unfinished = plan, unfinished.champion != champion.entry {
            console.note(
                "the unfinished retraining of \(unfinished.champion.name)@\(unfinished.champion.version) is given up: "
                    + "\(champion.model.identifier) serves now")
            try Files.removeTree(folder.run)
            plan = nil
        }
        if let plan {
            console.note("going on with the retraining of \(plan.begun)")
        } else {
            guard let material = try gather(champion) else { return nothingNew(champion) }
            plan = try begin(material, champion)
        }
        return try finish(plan!, champion)
    }

    // MARK: - What there is to learn

    /// What a new retraining would learn from.
    private struct Material {
        let fingerprint: String
        let sources: [(data: String, set: Dataset, learnt: TrainedSet)]
        let corrections: CorrectionSet
    }

    /// - Returns: nil where nothing has changed since the last retraining, or nothing was corrected yet.
    private func gather(_ champion: Champion) throws -> Material? {
        let cache = HashCache(folder.hashes)
        let scan = try CorrectionFolder(configuration.corrections, hashes: cache)
        if !command.dryRun && scan.cache != cache { try scan.cache.write(folder.hashes) }
        let fingerprint = try self.fingerprint(scan)
        let serving = champion.model.identifier.description
        if let last = LastRetraining.read(folder.last), !command.force, last.fingerprint == fingerprint,
            [last.champion, last.challenger].contains(serving)
        {
            return nil
        }
        var sources: [(data: String, set: Dataset, learnt: TrainedSet)] = []
        for data in configuration.retrain.data {
            let imported = try DataSource.open(
                data, datasets: configuration.datasets,
                options: ImportOptions(size: champion.configuration.input.height))
            for file in imported.refused.prefix(5) { console.note("left out: \(file.path): \(file.reason)") }
            sources.append(
                (data, imported.dataset, try TrainedSet(of: imported.dataset, by: champion.configuration)))
        }
        let decoder = SandboxedDecoder(
            configuration.corrections, height: champion.configuration.input.height,
            width: champion.configuration.input.width, limits: configuration.limits)
        let known = Set(champion.configuration.labels).union(sources.flatMap { $0.set.info.labels })
        let corrections = try CorrectionSet(
            scan, known: known, fewest: configuration.retrain.fewest,
            history: try HistoryReader(state: configuration.state), decode: decoder.decode)
        let hasNewData = try sources.contains { try !hasLearnt($0.set, champion) }
        guard
            !corrections.corrections.isEmpty || hasNewData || command.force
                || configuration.retrain.start == .scratch
        else {
            for problem in corrections.problems { console.alert("not learnt from: \(problem.path): \(problem.reason)") }
            return nil
        }
        return Material(fingerprint: fingerprint, sources: sources, corrections: corrections)
    }

    private func hasLearnt(_ set: Dataset, _ champion: Champion) throws -> Bool {
        let training = champion.configuration.training
        let sha256 = try set.images("train").sha256
        if let sets = try training?["sets"]?.decode([TrainedSet].self) {
            return sets.contains { $0.sha256 == sha256 }
        }
        return training?["data"]?["name"]?.string == set.info.name
    }

    /// One number for the corrections, the data sets and the settings, found without reading any image that is known.
    private func fingerprint(_ scan: CorrectionFolder) throws -> String {
        let settings = configuration.retrain
        var lines = [
            "corrections \(scan.fingerprint)",
            "settings \(settings.start.rawValue) \(settings.epochs) \(settings.preset) \(settings.fewest) "
                + "\(settings.protected.joined(separator: "/")) \(command.seed)",
        ]
        for data in settings.data {
            lines.append("data \(data) \(try DataSource.find(data, datasets: configuration.datasets).stamp())")
        }
        return hexadecimal(Digest.sha256(Array(lines.joined(separator: "\n").utf8)))
    }

    private func nothingNew(_ champion: Champion) -> RetrainOutcome {
        let text = "nothing new to learn from: \(champion.model.identifier) serves on"
        if command.common.json {
            Console.write(
                JSONValue.object([
                    "schema": .string("fovea.retraining/1"), "outcome": .string(RetrainOutcome.nothingNew.rawValue),
                    "champion": .string(champion.model.identifier.description),
                ]).text + "\n", to: 1)
        } else {
            console.note("retrain: \(text)")
        }
        return .nothingNew
    }

    private func data(_ material: Material, _ champion: Champion) throws -> RetrainingData {
        try RetrainingData(
            name: champion.configuration.name, champion: champion.configuration,
            sources: material.sources.map {
                .init(set: $0.set, perClass: $0.learnt.perClass, isLearntWhole: $0.learnt.isLearntWhole)
            }, corrections: material.corrections)
    }

    // MARK: - Planning

    /// Writes the plan.
    private func begin(_ material: Material, _ champion: Champion) throws -> RetrainPlan {
        let data = try data(material, champion)
        let corrections = material.corrections
        let plan = RetrainPlan(
            id: String(UInt64.random(in: .min ... .max), radix: 36), begun: .now(), champion: champion.entry,
            start: configuration.retrain.start.rawValue, fingerprint: material.fingerprint,
            sources: try material.sources.map {
                .init(
                    data: $0.data, name: $0.set.info.name, sha256: try $0.set.images("train").sha256,
                    perClass: $0.learnt.perClass, isLearntWhole: $0.learnt.isLearntWhole)
            },
            corrections: corrections.corrections, newLabels: corrections.newLabels,
            problems: corrections.problems + data.problems, settings: try settings(champion, data),
            preset: configuration.retrain.start == .scratch ? configuration.retrain.preset : nil)
        let places = Dictionary(uniqueKeysWithValues: data.dataset.info.labels.enumerated().map { ($1, UInt16($0)) })
        try plan.save(
            folder,
            pixels: LabelledImages(
                height: data.judged.height, width: data.judged.width, pixels: corrections.pixels,
                labels: corrections.corrections.map { places[$0.label]! }), labels: data.dataset.info.labels)
        return plan
    }

    private func settings(_ champion: Champion, _ data: RetrainingData) throws -> TrainingSettings {
        var settings: TrainingSettings
        switch configuration.retrain.start {
        case .scratch:
            guard let preset = Preset.all[configuration.retrain.preset] else {
                throw Failure(
                    message: "retrain.preset '\(configuration.retrain.preset)': there is no such preset; there are "
                        + "\(Preset.names)", code: 78)
            }
            settings = preset.settings
            settings.warmup = preset.warmup * Double(settings.epochs)
            let side = min(data.judged.height, data.judged.width)
            settings.sizes = settings.sizes.filter { $0.side < side }
        case .champion:
            settings = FineTuning.settings(try champion.settings, epochs: configuration.retrain.epochs)
        }
        settings.batch = min(settings.batch, max(16, data.train.count / 8))
        settings.patience = 0
        settings.seed = command.seed
        settings.threads = command.threads == 0 ? processorCount() : command.threads
        return settings
    }

    // MARK: - From the plan to the outcome

    private func finish(_ plan: RetrainPlan, _ champion: Champion) throws -> RetrainOutcome {
        let data = try restoredData(plan, champion)
        for note in data.notes { console.note(note) }
        for problem in plan.problems { console.note("not learnt from: \(problem.path): \(problem.reason)") }
        let challengers = ModelStore(bundled: nil, trained: folder.challengers)
        let challenger = try finished(plan, challengers) ?? train(plan, champion, data, challengers)

        let gate = try compare(champion, challenger, data)
        var report = RetrainReport(
            plan: plan, champion: champion, challenger: challenger, data: data, gate: gate,
            seconds: Timestamp.now().seconds(since: plan.begun), removed: [])
        var outcome = RetrainOutcome.kept
        if gate.isPassed {
            let model = try adopt(challenger)
            outcome = .better
            report.challengerIsStored = true
            if !command.noPromote {
                let sha256 = try ModelFolder.verify(model.folder).sha256
                report.way = try Promotion(configuration: configuration).promote(
                    model.identifier, sha256: sha256, over: plan.champion)
                outcome = .promoted
            }
            report.removed = try keepHouse(model.identifier.name)
        }
        report.outcome = outcome
        try conclude(report, plan, challenger)
        return outcome
    }

    private func restoredData(_ plan: RetrainPlan, _ champion: Champion) throws -> RetrainingData {
        var sources: [RetrainingData.Source] = []
        for source in plan.sources {
            let set = try DataSource.open(
                source.data, datasets: configuration.datasets,
                options: ImportOptions(size: champion.configuration.input.height)
            ).dataset
            guard try set.images("train").sha256 == source.sha256 else {
                throw Failure.data(
                    "\(source.data) has changed since the retraining began: remove \(folder.run.escaped) to begin anew")
            }
            sources.append(.init(set: set, perClass: source.perClass, isLearntWhole: source.isLearntWhole))
        }
        let corrections = CorrectionSet(
            restoring: plan.corrections, pixels: try plan.pixels(folder), newLabels: plan.newLabels)
        return try RetrainingData(
            name: champion.configuration.name, champion: champion.configuration, sources: sources,
            corrections: corrections)
    }

    /// The challenger of this plan, where it was finished before.
    private func finished(_ plan: RetrainPlan, _ challengers: ModelStore) throws -> ModelStore.Model? {
        for model in try challengers.list() + store.list() {
            let training = try challengers.configuration(of: model).training
            if training?["retraining"]?.string == plan.id { return model }
        }
        return nil
    }

    /// Development images that say more of the temperature than the champion's.
    private static let fewestForTemperature = 100

    private func train(
        _ plan: RetrainPlan, _ champion: Champion, _ data: RetrainingData, _ challengers: ModelStore
    ) throws -> ModelStore.Model {
        for old in try challengers.list() { try Files.removeTree(old.folder) }
        let info = data.dataset.info
        let preset = plan.preset.flatMap { Preset.all[$0] }
        let definition =
            try preset.map {
                NetworkDefinition(
                    architecture: $0.architecture,
                    input: Shape(height: info.height, width: info.width, channels: 3), classes: info.labels.count,
                    settings: $0.network)
            } ?? champion.definition(classes: info.labels.count, superclassOf: info.superclassOf)
        var tensors: [String: [Float]] = [:]
        if preset == nil {
            let fresh = try Network(definition, maxBatch: 1, mode: .training, threads: 1)
            fresh.initialize(seed: plan.settings.seed)
            tensors = try champion.tensors(for: fresh)
        }
        let resumes = try Files.statusIfPresent(folder.checkpoint) == nil ? nil : folder.checkpoint
        let budget =
            command.budget.flatMap(Units.seconds)
            ?? Double(configuration.retrain.budget.components.seconds)
        let network = plan.settings
        var training = TrainingRun(
            TrainingPlan(
                name: champion.configuration.name,
                description: preset == nil
                    ? "\(champion.model.identifier), trained on with \(data.learntCorrections) corrections"
                    : "\(definition.architecture) trained on \(info.source)",
                version: { [store] in try store.nextVersion(of: champion.configuration.name) },
                data: data.dataset, train: data.train, development: data.development, keepsBest: false,
                network: definition, start: tensors,
                chain: preset?.chain.stages ?? champion.configuration.at(temperature: 1).chain,
                settings: network,
                budget: .init(
                    seconds: budget,
                    settings: { epochs in
                        var settings = network
                        settings.warmup *= Double(epochs) / Double(settings.epochs)
                        settings.epochs = epochs
                        return settings
                    }, most: network.epochs),
                temperature: data.development.count < Self.fewestForTemperature ? champion.temperature : nil,
                checkpoint: folder.checkpoint, resumes: resumes,
                goOn: "the next `foveactl retrain` goes on from here", deadline: budget,
                provenance: try provenance(plan, preset == nil ? champion : nil), files: files(plan)),
            configuration: configuration, store: challengers, console: console)
        return try training.run()
    }

    private func provenance(_ plan: RetrainPlan, _ base: Champion?) throws -> [String: JSONValue] {
        var facts: [String: JSONValue] = [
            "retraining": .string(plan.id), "corrections": .int(plan.corrections.count),
            "sets": .array(
                try plan.sources.map {
                    try TrainedSet(
                        name: $0.name, sha256: $0.sha256, perClass: $0.perClass, isLearntWhole: $0.isLearntWhole
                    ).json
                }),
        ]
        if let base { facts["base"] = try JSONValue(encoding: base.entry) }
        return facts
    }

    /// Where each correction came from, a line of JSON for each.
    private func files(_ plan: RetrainPlan) -> [String: [UInt8]] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var lines: [UInt8] = []
        for correction in plan.corrections {
            lines += Array((try? encoder.encode(correction)) ?? Data()) + [0x0A]
        }
        return ["corrections.jsonl": lines]
    }

    private func compare(
        _ champion: Champion, _ challenger: ModelStore.Model, _ data: RetrainingData
    ) throws -> Gate {
        guard data.judged.count > 0 else {
            throw Failure.data(
                "there is not one image to judge by: give retrain.data a data set with more images of each class")
        }
        let images = EvaluationData(unlabelled: data.judged)
        func answers(_ configuration: ModelConfiguration, _ folder: FilePath) throws -> [Gate.Image.Answer] {
            let evaluator = Evaluator(
                configuration: configuration, folder: folder, search: self.configuration.pluginSearch,
                threads: command.threads == 0 ? processorCount() : command.threads, batch: 64, console: console)
            return try evaluator.run(images, title: "judge \(configuration.version)").outcomes.map {
                .init(label: configuration.labels[$0.top[0].label], confidence: Double($0.top[0].probability))
            }
        }
        let old = try answers(champion.configuration, champion.model.folder)
        let new = try answers(try ModelFolder.verify(challenger.folder).configuration, challenger.folder)
        return Gate(
            data.judged.labels.indices.map { index in
                Gate.Image(
                    origin: data.origins[index], label: data.dataset.info.labels[Int(data.judged.labels[index])],
                    champion: old[index], challenger: new[index])
            }, protected: configuration.retrain.protected)
    }

    /// From the challengers into the store, unless it is there already.
    private func adopt(_ challenger: ModelStore.Model) throws -> ModelStore.Model {
        guard challenger.folder.starts(with: folder.challengers) else { return challenger }
        let model = try store.importFolder(challenger.folder)
        try Files.removeTree(challenger.folder)
        return model
    }

    /// Removes what nobody needs any more.
    private func keepHouse(_ name: String) throws -> [ModelIdentifier] {
        let protection = ModelProtection(
            store, active: try ActiveModel.read(configuration.activeFile),
            pinned: try PinnedModels.read(configuration.pinnedFile))
        let surplus = try store.surplus(of: name, keep: configuration.retrain.keep, protection: protection)
        for identifier in surplus { try store.remove(identifier, protection: protection) }
        return surplus
    }

    private func conclude(_ report: RetrainReport, _ plan: RetrainPlan, _ challenger: ModelStore.Model) throws {
        let json = report.json
        try Files.replace(folder.report, with: report.text.utf8)
        try Files.replace(folder.reportJSON, with: JSONText.pretty(json))
        let log = (try? Files.read(folder.log)) ?? []
        try Files.replace(folder.log, with: log + Array("\(json.text)\n".utf8))
        let last = LastRetraining(
            fingerprint: plan.fingerprint, champion: "\(plan.champion.name)@\(plan.champion.version)",
            challenger: challenger.identifier.description, outcome: report.outcome.rawValue, finished: .now())
        try Files.replace(folder.last, with: JSONText.pretty(last))
        try Files.removeTree(folder.run)
        if command.common.json {
            Console.write(String(decoding: JSONText.pretty(json), as: UTF8.self), to: 1)
        } else if command.mail {
            Console.write(report.text, to: 1)
        } else {
            Console.write("retrain: \(report.line)\n", to: 1)
            console.note("the whole report: \(folder.report.escaped)")
        }
    }

    // MARK: - Rehearsal

    private func rehearse() throws -> RetrainOutcome {
        let champion = try Champion(configuration, store)
        guard let material = try gather(champion) else { return nothingNew(champion) }
        let data = try data(material, champion)
        var lines = [
            "champion     \(champion.model.identifier)",
            "learns       \(Figures.grouped(Set(data.train).count)) images, \(data.learntCorrections) of them corrections",
            "judged by    \(Figures.grouped(data.judged.count)) images, \(data.judgingCorrections) of them corrections",
        ]
        let new = data.dataset.info.labels.dropFirst(champion.configuration.labels.count)
        if !new.isEmpty { lines.append("new labels   \(new.joined(separator: ", "))") }
        if data.relabelled > 0 { lines.append("relabelled   \(data.relabelled) images of the data sets") }
        for note in data.notes { lines.append("note         \(note)") }
        for problem in material.corrections.problems + data.problems {
            lines.append("left out     \(problem.path): \(problem.reason)")
        }
        Console.write(lines.joined(separator: "\n") + "\n", to: 1)
        return .promoted
    }
}
