// A retraining from the corrections to a model that serves, or a report that says why not:
//
//     Material: what there is ─ unchanged? ─▶ nothing new
//        └─ plan on disk, with the corrections' pixels ─ train ─▶ challenger ─ judge ─▶ verdict on disk
//                                                                                         └─ store ─ swap ─ report
//
// Whatever ends it, the next call goes on where it was. Up to the verdict that is the plan and the checkpoint; after it each
// step can be done again: a challenger in the store is known by the plan's id, and so is one that serves.

import FoundationEssentials
import FoveaCLI
import FoveaControl
import FoveaData
import FoveaImage
import FoveaModels
import FoveaNN
import FoveaRetraining
import FoveaSystem
import SystemPackage

/// `fovea-train retrain`.
package struct Retraining {
    private let request: RetrainRequest
    private let console: Console
    private let configuration: Configuration
    private let report: TrainingRun.Report
    private let folder: RetrainFolder
    private let store: ModelStore
    private var challengers: ModelStore { ModelStore(bundled: nil, trained: folder.challengers) }
    private var threads: Int { threadCount(request.threads) }

    /// - Parameter report: what a training leaves for people beside its model.
    package init(
        _ request: RetrainRequest, configuration: Configuration, console: Console,
        report: @escaping TrainingRun.Report
    ) {
        (self.request, self.configuration, self.console, self.report) = (request, configuration, console, report)
        folder = RetrainFolder(state: configuration.state)
        store = configuration.store()
    }

    package func run() throws -> RetrainOutcome {
        let material = RetrainMaterial(configuration, folder, seed: request.seed, console: console)
        if request.isDryRun {
            return try material.rehearse(
                Champion(configuration, store), force: request.isForced, json: request.output == .json)
        }
        // Where there is no model, as in a folder that is not Fovea's at all, nothing is left behind.
        if try Files.statusIfPresent(folder.path) == nil { _ = try Champion(configuration, store) }
        try Files.makeDirectories(folder.path)
        guard let lock = try Files.lock(folder.lock) else {
            throw Failure.tryAgain("another retraining is running on \(configuration.state.escaped): wait for it")
        }
        defer { try? lock.close() }
        if request.restarts { try folder.discardRun() }

        let champion = try Champion(configuration, store)
        if let plan = try unfinished(), let verdict = RetrainVerdict.read(folder.verdict), isOf(plan, champion.model) {
            // Ended between the swap and the report.
            return try conclude(plan, .promoted, .init(challenger: champion.model, gate: verdict.gate))
        }
        if let (plan, data) = try resumed(champion) {
            console.note("going on with the retraining of \(plan.begun)")
            return try finish(plan, data, champion)
        }
        if request.onlyUnfinished { return nothingNew(champion, [], "no retraining is unfinished") }
        switch try material.gather(champion, force: request.isForced) {
        case .nothingNew(let problems): return nothingNew(champion, problems)
        case .some(let found):
            let data = try material.data(found, champion)
            let plan = try material.plan(found, data, champion, threads: threads)
            return try finish(plan, data, champion)
        }
    }

    // MARK: - What was begun

    /// The plan of an unfinished retraining; nil where there is none that can be read.
    private func unfinished() throws -> RetrainPlan? {
        do {
            return try RetrainPlan.read(folder)
        } catch {
            return try giveUp("its plan cannot be read: \(error)")
        }
    }

    private func giveUp<T>(_ reason: String) throws -> T? {
        console.alert("the unfinished retraining is given up, \(reason)")
        try folder.discardRun()
        return nil
    }

    /// An unfinished retraining with its data; nil where there is none that still makes sense.
    private func resumed(_ champion: Champion) throws -> (RetrainPlan, RetrainingData)? {
        guard let plan = try unfinished() else { return nil }
        guard plan.champion == champion.entry else {
            return try giveUp("\(champion.model.identifier) serves now instead of \(plan.championName)")
        }
        var sources: [RetrainingData.Source] = []
        for source in plan.sources {
            let set: Dataset
            do {
                set = try DataSource.open(
                    source.data, datasets: configuration.datasets,
                    options: ImportOptions(
                        target: champion.configuration.input.target, limits: ImageLimits(configuration.limits))
                ).dataset
            } catch {
                // A disk that is not mounted must not cost a night's work.
                var failure = Failure(error)
                failure.message +=
                    "; the unfinished retraining needs it, and `foveactl retrain --restart` gives that up"
                throw failure
            }
            guard try set.images("train").sha256 == source.learnt.sha256 else {
                return try giveUp("\(source.data) has changed since it began")
            }
            sources.append(.init(set: set, learnt: source.learnt))
        }
        let corrections: CorrectionSet
        do {
            corrections = CorrectionSet(
                restoring: plan.corrections, pixels: try plan.pixels(folder), newLabels: plan.newLabels)
        } catch {
            return try giveUp("its corrections cannot be read: \(error)")
        }
        let data = try RetrainingData(
            champion: champion.configuration, digests: champion.digests,
            sources: sources, corrections: corrections)
        return (plan, data)
    }

    /// Whether a model is this plan's challenger.
    private func isOf(_ plan: RetrainPlan, _ model: ModelStore.Model) -> Bool {
        (try? model.configuration)?.training?.trained?.retraining?.id == plan.id
    }

    // MARK: - From the plan to the outcome

    private func finish(
        _ plan: RetrainPlan, _ data: RetrainingData, _ champion: Champion
    ) throws -> RetrainOutcome {
        for note in plan.facts.notes { console.note(note) }
        for problem in plan.problems { console.note("not learnt from: \(problem.path): \(problem.reason)") }
        let challenger: ModelStore.Model
        do {
            challenger = try challengers.list().first { isOf(plan, $0) } ?? train(plan, champion, data)
        } catch let divergence as Divergence {
            return try conclude(plan, .failed, nil, remark: divergence.place)
        }
        try stopIfAsked()
        let gate = try RetrainVerdict.read(folder.verdict)?.gate ?? judge(champion, challenger, data)
        try stopIfAsked()
        guard gate.isPassed else { return try conclude(plan, .kept, .init(challenger: challenger, gate: gate)) }
        try nameChampion(plan)
        let model = try store.list().first { isOf(plan, $0) } ?? adopt(challenger)
        let judged = RetrainReport.Judged(challenger: model, gate: gate)
        if request.keepsChampion { return try conclude(plan, .better, judged) }
        let entry = ActiveModel.Entry(model.identifier, sha256: try ModelFolder.verify(model.folder).sha256)
        switch try Promotion(configuration: configuration).promote(entry, over: plan.champion) {
        case .serves: return try conclude(plan, .promoted, judged)
        case .atNextStart:
            return try conclude(
                plan, .promoted, judged,
                remark: "No daemon is running: \(model.identifier) serves from its next start on.")
        case .overtaken(let reason): return try conclude(plan, .better, judged, remark: sentence(reason))
        case .refused(let reason):
            // It must not be what its bare name means; unless somebody is letting it serve all the same.
            if let lock = try store.lock() {
                try store.discard(model)
                lock.release()
            } else {
                console.alert("\(model.identifier) stays in the store: a swap or a removal is under way")
            }
            return try conclude(
                plan, .refused, .init(challenger: challenger, gate: gate),
                remark: sentence("The daemon refused it: \(reason)"))
        }
    }

    /// Who asked for a stop does not expect another model to serve; what is done so far is on disk.
    private func stopIfAsked() throws {
        if Interruption.signal != nil {
            throw Failure.tryAgain("stopped; the next `foveactl retrain` goes on from here")
        }
    }

    private func train(
        _ plan: RetrainPlan, _ champion: Champion, _ data: RetrainingData
    ) throws -> ModelStore.Model {
        try Files.removeTree(folder.challengers)
        let info = data.dataset.info
        let preset = try plan.preset.map { name throws -> Preset in
            guard let preset = Preset.all[name] else {
                throw Failure.configuration(
                    "the retraining that is unfinished began by the preset '\(name)', which there is no more: "
                        + "`foveactl retrain --restart` begins anew")
            }
            return preset
        }
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
        let budget = request.budget ?? configuration.retrain.budget / .seconds(1)
        let isShort = data.development.count < Self.fewestForTemperature
        var settings = plan.settings
        if request.threads != nil { settings.threads = threads }
        let learnt = preset == nil ? champion.digests : nil
        func training(resuming: Bool) throws -> ModelStore.Model {
            var training = TrainingPlan(
                name: champion.configuration.name,
                description: preset == nil
                    ? "\(champion.model.identifier), trained on with \(data.learntCorrections) corrections"
                    : "\(definition.architecture) trained on \(info.source)",
                data: data.dataset, train: data.train, development: data.development, network: definition,
                chain: preset?.chain.stages ?? champion.configuration.at(temperature: 1).chain, settings: settings,
                checkpoint: folder.checkpoint, goOn: "the next `foveactl retrain` goes on from here")
            training.version = { [store] in try store.nextVersion(of: champion.configuration.name) }
            training.heldBack = data.judged
            training.keepsBest = false
            training.start = tensors
            training.budget = .init(
                seconds: budget,
                settings: { epochs in
                    var changed = settings
                    changed.warmup =
                        preset?.warmup(epochs: epochs) ?? settings.warmup * Double(epochs) / Double(settings.epochs)
                    changed.epochs = epochs
                    return changed
                }, most: settings.epochs)
            training.weights = champion.configuration.weights?.dtype ?? .float16
            training.averaging = champion.configuration.tta
            training.temperature = isShort ? champion.temperature : nil
            training.resumes = resuming ? folder.checkpoint : nil
            training.deadline = budget
            let base = preset == nil ? champion : nil
            training.sets = try sets(plan, base)
            training.retraining = .init(id: plan.id, corrections: plan.facts.learntCorrections)
            training.base = try base.map { .init(try $0.entry.identifier, sha256: $0.entry.sha256) }
            training.recipe = try base.map { try JSONValue(encoding: $0.recipe) }
            training.files = { try data.digests(onTopOf: learnt).files.merging(Self.files(plan, data)) { $1 } }
            let run = TrainingRun(
                training, configuration: configuration, store: challengers, console: console, report: report)
            return try run.run()
        }
        guard try Files.statusIfPresent(folder.checkpoint) != nil else { return try training(resuming: false) }
        do {
            return try training(resuming: true)
        } catch let error as UnusableCheckpoint {
            console.note("the checkpoint cannot be gone on from, and training begins anew: \(error)")
            try Files.unlink(folder.checkpoint)
            return try training(resuming: false)
        }
    }

    /// Development images that say more of the temperature than the champion's.
    package static let fewestForTemperature = 100

    /// The data sets that the challenger will have learnt, with those of the champion that it begins with.
    private func sets(_ plan: RetrainPlan, _ base: Champion?) throws -> [TrainedSet] {
        let own = plan.sources.map(\.learnt)
        let earlier = try base?.configuration.training?.sets() ?? []
        return own + earlier.filter { old in !own.contains { $0.sha256 == old.sha256 } }
    }

    /// Where each correction came from, a line of JSON for each.
    private static func files(_ plan: RetrainPlan, _ data: RetrainingData) throws -> [String: [UInt8]] {
        var lines = ""
        for (correction, use) in zip(plan.corrections, data.uses) {
            let facts = try JSONValue(encoding: correction).merging(.object(["use": .string(use.rawValue)]))
            lines += facts.text + "\n"
        }
        return ["corrections.jsonl": Array(lines.utf8)]
    }

    /// Both models' answers, as they are served, to images that neither has learnt; written down, for that is done once.
    private func judge(
        _ champion: Champion, _ challenger: ModelStore.Model, _ data: RetrainingData
    ) throws -> Gate {
        func answers(_ model: ModelConfiguration, _ folder: FilePath) throws -> [Prediction] {
            let evaluator = Evaluator(
                configuration: configuration.served(model), folder: folder,
                search: configuration.pluginSearch, threads: threads, batch: 64, console: console)
            return try evaluator.answers(to: data.judged, title: "judge \(model.version)")
        }
        let old = try answers(champion.configuration, champion.model.folder)
        let new = try answers(try ModelFolder.verify(challenger.folder).configuration, challenger.folder)
        let gate = Gate(
            data.judged.labels.indices.map { index in
                Gate.Image(
                    origin: data.origins[index], label: data.dataset.info.labels[Int(data.judged.labels[index])],
                    champion: old[index], challenger: new[index])
            }, known: Set(champion.configuration.labels), protected: configuration.retrain.protected)
        let verdict = RetrainVerdict(gate: gate, version: challenger.identifier.version)
        try Files.replace(folder.verdict, with: JSONText.pretty(verdict))
        return gate
    }

    /// Before the first start of a daemon the configured name alone says what serves, and would mean the newest version.
    private func nameChampion(_ plan: RetrainPlan) throws {
        guard try ActiveModel.read(configuration.activeFile) == nil else { return }
        try ActiveModel(active: plan.champion, previous: nil).write(configuration.activeFile)
    }

    /// A copy in the store, under the next version that is free now.
    private func adopt(_ challenger: ModelStore.Model) throws -> ModelStore.Model {
        let verified = try ModelFolder.verify(challenger.folder)
        var model = verified.configuration
        model.version = try store.nextVersion(of: model.name)
        var training: [String: [UInt8]] = [:]
        let extra = challenger.folder.appending(ModelFolder.trainingName)
        for name in try Files.list(extra) { training[name.string] = try Files.read(extra.appending(name)) }
        if model.version != challenger.identifier.version, let card = training["README.md"] {
            // What was drawn and hashed stays as it was.
            let remark =
                "\nThis is \(model.name)@\(model.version). It was trained and drawn as \(challenger.identifier), and another "
                + "model took that version before it was promoted; the hashes below are of it under its old version.\n"
            let text = String(decoding: card, as: UTF8.self)
            let end = text.firstRange(of: "\n---\n")?.upperBound ?? text.startIndex  // of the head for Hugging Face
            training["README.md"] = Array((text[..<end] + remark + text[end...]).utf8)
        }
        return try store.add(
            configuration: model,
            weights: try ModelFolder.read(
                challenger.folder.appending(ModelFolder.weightsName), limit: ModelFolder.weightsLimit),
            golden: verified.golden, training: training)
    }

    // MARK: - The end

    /// Writes what happened, and forgets what is finished.
    private func conclude(
        _ plan: RetrainPlan, _ outcome: RetrainOutcome, _ judged: RetrainReport.Judged?, remark: String? = nil
    ) throws -> RetrainOutcome {
        let stored = judged.flatMap { $0.challenger.folder.starts(with: folder.challengers) ? nil : $0.challenger }
        let report = RetrainReport(
            plan: plan, outcome: outcome, judged: judged, remark: remark,
            removed: stored.map { keepHouse($0.identifier.name) } ?? [])
        let json = report.json
        try Files.replace(folder.report, with: report.text.utf8)
        try Files.replace(folder.reportJSON, with: JSONText.pretty(json))
        do {
            let log = try Files.statusIfPresent(folder.log) == nil ? [] : Files.read(folder.log)
            try Files.replace(folder.log, with: log + Array("\(json.text)\n".utf8))
        } catch {
            console.alert("this retraining is missing from the log: \(error)")
        }
        try remember(plan, outcome, challenger: judged?.challenger)
        // Last: until it is remembered, this is where the next call finds the model that was trained.
        if stored != nil { try Files.removeTree(folder.challengers) }
        switch request.output {
        case .json: Console.data(JSONText.pretty(json))
        case .mail: Console.text(report.text)
        case .line:
            Console.line("retrain: \(report.line)")
            console.note("the whole report: \(folder.report.escaped)")
        }
        return outcome
    }

    private func remember(
        _ plan: RetrainPlan, _ outcome: RetrainOutcome, challenger: ModelStore.Model?
    ) throws {
        let entry = try challenger.map {
            ActiveModel.Entry($0.identifier, sha256: try ModelFolder.verify($0.folder).sha256)
        }
        let last = LastRetraining(
            fingerprint: plan.fingerprint, usable: plan.usable, champion: plan.champion, challenger: entry,
            outcome: outcome, finished: .now())
        try Files.replace(folder.last, with: JSONText.pretty(last))
        try folder.discardRun()
    }

    /// Removes what nobody needs any more. That it could not is no reason to lose the rest.
    private func keepHouse(_ name: String) -> [ModelIdentifier] {
        do {
            guard let lock = try store.lock() else { throw Failure.tryAgain("a swap or a removal is under way") }
            defer { lock.release() }
            let active = try ActiveModel.read(configuration.activeFile)
            let protection = ModelProtection(
                store, active: active, first: try? store.resolve(configuration.model).identifier,
                pinned: try PinnedModels.read(configuration.pinnedFile))
            let surplus = try store.surplus(of: name, keep: configuration.retrain.keep, protection: protection)
            for identifier in surplus { try store.remove(identifier, protection: protection, force: true) }
            return surplus
        } catch {
            console.alert("old models are not removed: \(error)")
            return []
        }
    }

    private func nothingNew(
        _ champion: Champion, _ problems: [CorrectionProblem], _ reason: String = "nothing new to learn from"
    ) -> RetrainOutcome {
        for problem in problems { console.alert("not learnt from: \(problem.path): \(problem.reason)") }
        if request.output == .json {
            Console.line(
                JSONValue.object([
                    "schema": .string("fovea.retraining/1"), "outcome": .string(RetrainOutcome.nothingNew.rawValue),
                    "champion": .string(champion.model.identifier.description),
                    "problems": (try? JSONValue(encoding: problems)) ?? .array([]),
                ]).text)
        } else {
            console.note("retrain: \(reason): \(champion.model.identifier) serves on")
        }
        return .nothingNew
    }
}
