import FoveaCLI
import FoveaControl
import FoveaData
import FoveaHistory
import FoveaImage
import FoveaModels
import FoveaNN
import FoveaRetraining
import FoveaSystem
import SystemPackage

/// What a new retraining would learn from, and whether there is anything new in it.
struct RetrainMaterial {
    private let configuration: Configuration
    private let folder: RetrainFolder
    private let seed: UInt64
    private let console: Console

    init(_ configuration: Configuration, _ folder: RetrainFolder, seed: UInt64, console: Console) {
        (self.configuration, self.folder, self.seed, self.console) = (configuration, folder, seed, console)
    }

    struct Found {
        let fingerprint: String
        let usable: String
        let sources: [(data: String, set: Dataset, learnt: TrainedSet)]
        let corrections: CorrectionSet
        /// Labels of the champion and of the data sets.
        let known: Set<String>
    }

    enum Look {
        case some(Found)
        /// With what was found wrong, where that is new.
        case nothingNew([CorrectionProblem])
    }

    /// Looks, first without reading any image that is known, then closely.
    func gather(_ champion: Champion, force: Bool, writing: Bool = true) throws -> Look {
        let cache = HashCache(folder.hashes)
        let scan = try CorrectionFolder(configuration.corrections, hashes: cache)
        if writing && scan.cache != cache { try scan.cache.write(folder.hashes) }
        let names = try data(of: champion)
        let problems = scan.problems.map { "\n\($0.path): \($0.reason)" }.joined()
        let fingerprint = try fingerprint(
            "files \(scan.fingerprint), \(configuration.limits.seconds) s\(problems)", names)
        let last = LastRetraining.read(folder.last).flatMap { last in
            [last.champion, last.challenger].contains(champion.entry) && !force ? last : nil
        }
        if last?.fingerprint == fingerprint { return .nothingNew([]) }

        var sources: [(data: String, set: Dataset, learnt: TrainedSet)] = []
        for data in names {
            let imported = try DataSource.open(
                data, datasets: configuration.datasets,
                options: ImportOptions(
                    target: champion.configuration.input.target, limits: ImageLimits(configuration.limits)))
            console.noteImport(leftOut: imported.refused, notes: imported.notes)
            sources.append(
                (data, imported.dataset, try TrainedSet(of: imported.dataset, by: champion.configuration)))
        }
        let decoder = SandboxedDecoder(
            configuration.corrections, as: champion.configuration.input.target, limits: configuration.limits)
        let known = Set(champion.configuration.labels).union(sources.flatMap { $0.set.info.labels })
        let corrections = try CorrectionSet(
            scan, known: known, fewest: configuration.retrain.fewest, history: history(), decode: decoder.decode)
        let usable = try self.fingerprint(
            corrections.corrections.map { "\($0.digest) \($0.label)" }.sorted().joined(separator: "\n"), names)
        let isOld = last?.usable == usable
        let isEmpty =
            try corrections.corrections.isEmpty && configuration.retrain.start == .champion && !force
            && sources.allSatisfy { try $0.learnt.isKnown(to: champion.configuration) }
        guard isOld || isEmpty else {
            return .some(
                Found(
                    fingerprint: fingerprint, usable: usable, sources: sources, corrections: corrections,
                    known: known))
        }
        if writing {
            let seen = LastRetraining(
                fingerprint: fingerprint, usable: usable, champion: last?.champion ?? champion.entry,
                challenger: last?.challenger, outcome: last?.outcome ?? .nothingNew, finished: last?.finished ?? .now())
            try Files.makeDirectories(folder.path)
            try Files.replace(folder.last, with: JSONText.pretty(seen))
        }
        return .nothingNew(corrections.problems)
    }

    /// Names or paths of the data sets that corrections are added to.
    private func data(of champion: Champion) throws -> [String] {
        guard configuration.retrain.data.isEmpty else { return configuration.retrain.data }
        let names = try champion.configuration.training?.dataSets() ?? []
        let model = champion.model.identifier
        guard !names.isEmpty else {
            throw Failure.configuration(
                "\(model) does not say what it was trained on, and without images of all labels nothing shows that "
                    + "they are not forgotten: name its data under retrain.data in the configuration")
        }
        for name in names {
            let description = configuration.datasets.appending(name).appending("dataset.json")
            guard try Files.statusIfPresent(description) == nil else { continue }
            throw Failure.noInput(
                "\(model) was trained on the data set \(name), which is not there: "
                    + (name == "cifar100"
                        ? "`foveactl dataset fetch cifar100` gets it"
                        : "`foveactl dataset import PATH --name \(name)` takes it in")
                    + ", or retrain.data in the configuration names other data")
        }
        return names
    }

    /// Not authoritative: without it corrections are learnt all the same, and not tied to their results.
    private func history() -> HistoryReader? {
        do {
            return try HistoryReader(state: configuration.state)
        } catch {
            console.note("the history cannot be read, so corrections are not tied to their results: \(error)")
            return nil
        }
    }

    /// One number for the corrections, the data sets and the settings.
    private func fingerprint(_ corrections: String, _ names: [String]) throws -> String {
        let settings = configuration.retrain
        let limits = configuration.limits
        var lines = [
            corrections,
            "settings \(settings.start.rawValue) \(settings.epochs) \(settings.preset) \(settings.budget) \(settings.fewest) "
                + "\(settings.protected.joined(separator: "/")) \(settings.forget.joined(separator: "/")) \(seed)",
            // What can be decoded, and how both models are judged.
            "images \(limits.file) \(limits.side) \(limits.pixels) \(limits.memory) \(configuration.tta ?? "model")",
        ]
        for data in names {
            lines.append("data \(data) \(try DataSource.find(data, datasets: configuration.datasets).stamp())")
        }
        return hexadecimal(Digest.sha256(Array(lines.joined(separator: "\n").utf8)))
    }

    /// - Throws: where nothing could be judged by it.
    func data(_ found: Found, _ champion: Champion) throws -> RetrainingData {
        let data = try RetrainingData(
            champion: champion.configuration, digests: champion.digests,
            sources: found.sources.map { .init(set: $0.set, learnt: $0.learnt) }, corrections: found.corrections)
        guard data.origins.contains(.data) else {
            throw Failure.data(
                "the data sets have not one image that \(champion.model.identifier) has not learnt, so nothing can show that a "
                    + "challenger forgets nothing: give retrain.data a data set with more images, or with test images")
        }
        let lost = Set(data.untaught).intersection(champion.configuration.labels)
            .subtracting(configuration.retrain.forget).sorted()
        guard lost.isEmpty else {
            let names = lost.prefix(5).joined(separator: ", ") + (lost.count > 5 ? " and \(lost.count - 5) more" : "")
            throw Failure.data(
                "\(champion.model.identifier) knows \(names), and neither the data sets nor the corrections have an image to "
                    + "learn that from: trained on, it would be forgotten. Put its images back into corrections/\(lost[0]), name a "
                    + "data set that has them under retrain.data, or give it up under retrain.forget")
        }
        let labels = Set(data.dataset.info.labels)
        for label in configuration.retrain.protected {
            guard labels.contains(label) else {
                throw Failure.configuration(
                    "retrain.protected: there is no label '\(label)'"
                        + (nearest(label, among: labels.sorted()).map { ", did you mean '\($0)'?" } ?? ""))
            }
            guard !data.unjudged.contains(label) else {
                throw Failure.configuration(
                    "retrain.protected: no held-back image shows '\(label)', so nothing can protect it")
            }
        }
        return data
    }

    /// What a person should look at, though nothing stops for it.
    private func notes(_ found: Found, _ data: RetrainingData, _ champion: Champion) -> [String] {
        let known = found.known.sorted()
        var notes = data.notes
        for label in found.corrections.newLabels {
            guard let near = known.first(where: { $0.lowercased() == label.lowercased() }) else { continue }
            notes.append("'\(label)' is a new label beside '\(near)': where that is meant, move its images there")
        }
        for label in data.untaught where !champion.configuration.labels.contains(label) {
            notes.append("no image of '\(label)' is learnt, only what it is judged by: what it answers is chance")
        }
        for label in configuration.retrain.forget where !data.dataset.info.labels.contains(label) {
            notes.append(
                "retrain.forget: there is no label '\(label)'"
                    + (nearest(label, among: known).map { ", did you mean '\($0)'?" } ?? ""))
        }
        return notes
    }

    /// Decides what will be done, and writes it.
    func plan(
        _ found: Found, _ data: RetrainingData, _ champion: Champion, threads: Int
    ) throws -> RetrainPlan {
        let corrections = found.corrections
        let plan = RetrainPlan(
            id: String(UInt64.random(in: .min ... .max), radix: 36), begun: .now(), champion: champion.entry,
            fingerprint: found.fingerprint, usable: found.usable,
            sources: found.sources.map { .init(data: $0.data, learnt: $0.learnt) },
            corrections: corrections.corrections, newLabels: corrections.newLabels,
            problems: corrections.problems + data.problems,
            facts: .init(
                images: Set(data.train).count, learntCorrections: data.learntCorrections,
                judgingCorrections: data.judgingCorrections, relabelled: data.relabelled,
                source: data.dataset.info.source, notes: notes(found, data, champion)),
            settings: try settings(champion, data, threads: threads),
            preset: configuration.retrain.start == .scratch ? configuration.retrain.preset : nil)
        let places = Dictionary(uniqueKeysWithValues: data.dataset.info.labels.enumerated().map { ($1, UInt16($0)) })
        try plan.save(
            folder,
            pixels: LabelledImages(
                height: data.judged.height, width: data.judged.width, pixels: corrections.pixels,
                labels: corrections.corrections.map { places[$0.label]! }), labels: data.dataset.info.labels)
        return plan
    }

    private func settings(_ champion: Champion, _ data: RetrainingData, threads: Int) throws -> TrainingSettings {
        var settings: TrainingSettings
        switch configuration.retrain.start {
        case .scratch:
            guard let preset = Preset.all[configuration.retrain.preset] else {
                throw Failure.configuration(
                    "retrain.preset '\(configuration.retrain.preset)': there is no such preset; there are "
                        + "\(Preset.names)")
            }
            settings = preset.settings
            settings.warmup = preset.warmup(epochs: settings.epochs)
            let side = min(data.judged.height, data.judged.width)
            settings.sizes = settings.sizes.filter { $0.side < side }
        case .champion:
            settings = FineTuning.settings(try champion.recipe, epochs: configuration.retrain.epochs)
        }
        if let problem = settings.problem(side: min(data.judged.height, data.judged.width)) {
            throw Failure.data("\(champion.model.identifier): config.json: training.settings: \(problem)")
        }
        settings.batch = min(settings.batch, max(16, data.train.count / 8))
        settings.patience = 0
        settings.seed = seed
        settings.threads = threads
        return settings
    }

    // MARK: - Rehearsal

    /// Says what would be done.
    func rehearse(_ champion: Champion, force: Bool, json: Bool) throws -> RetrainOutcome {
        let isUnfinished = try Files.statusIfPresent(folder.plan) != nil
        let look = try gather(champion, force: force, writing: false)
        let found: Found
        switch look {
        case .some(let new): found = new
        case .nothingNew(let problems):
            let text = isUnfinished ? "an unfinished retraining goes on" : "nothing new to learn from"
            if json {
                let value = JSONValue.object([
                    "new": .bool(false), "unfinished": .bool(isUnfinished),
                    "problems": try JSONValue(encoding: problems),
                ])
                Console.line(value.text)
            } else {
                Console.line(([text] + Self.leftOut(problems)).joined(separator: "\n"))
            }
            return isUnfinished ? .promoted : .nothingNew
        }
        let data = try data(found, champion)
        _ = try settings(champion, data, threads: 1)
        let notes = notes(found, data, champion)
        let new = Array(data.dataset.info.labels.dropFirst(champion.configuration.labels.count))
        let problems = found.corrections.problems + data.problems
        let counts = Dictionary(grouping: found.corrections.corrections, by: \.label).mapValues(\.count)
        if json {
            let value = JSONValue.object([
                "new": .bool(true), "unfinished": .bool(isUnfinished),
                "champion": .string(champion.model.identifier.description), "images": .int(Set(data.train).count),
                "corrections": .int(data.learntCorrections), "judgingImages": .int(data.judged.count),
                "judgingCorrections": .int(data.judgingCorrections), "newLabels": .array(new.map(JSONValue.string)),
                "relabelled": .int(data.relabelled), "byLabel": .object(counts.mapValues(JSONValue.int)),
                "notes": .array(notes.map(JSONValue.string)),
                "problems": try JSONValue(encoding: problems),
            ])
            Console.data(JSONText.pretty(value))
            return .promoted
        }
        var lines = [
            "champion     \(champion.model.identifier)",
            "learns       \(Figures.grouped(Set(data.train).count)) images, \(data.learntCorrections) of them corrections",
            "judged by    \(Figures.grouped(data.judged.count)) images, \(data.judgingCorrections) of them corrections",
        ]
        if isUnfinished { lines.append("first        an unfinished retraining goes on") }
        let byLabel = counts.sorted { $0.key < $1.key }.map { "\($0.key) \(Figures.grouped($0.value))" }
        if !byLabel.isEmpty { lines.append("corrections  \(byLabel.joined(separator: ", "))") }
        if !new.isEmpty { lines.append("new labels   \(new.joined(separator: ", "))") }
        if data.relabelled > 0 { lines.append("relabelled   \(data.relabelled) images of the data sets") }
        for note in notes { lines.append("note         \(note)") }
        lines += Self.leftOut(problems)
        Console.line(lines.joined(separator: "\n"))
        return .promoted
    }

    private static func leftOut(_ problems: [CorrectionProblem]) -> [String] {
        problems.map { "left out     \($0.path): \($0.reason)" }
    }
}
