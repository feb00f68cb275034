// One training from the data to the model in the store:
//
//     data ─ filters once ─┬─ training images ─ augment ─ normalize ─▶ trainer ─▶ weights
//                          └─ development images ───── normalize ──▶    │  (best epoch)
//     weights, rounded as they will be stored ─▶ whole chain ─▶ golden set, figures ─▶ model store

import FoundationEssentials
import FoveaControl
import FoveaData
import FoveaModels
import FoveaNN
import FoveaPipeline
import FoveaSystem
import SystemPackage

/// `fovea-train train`.
struct TrainingRun {
    private let command: TrainCommand
    private let console: Console
    private let configuration: Configuration
    private let store: ModelStore
    private var settings: TrainingSettings
    private let checkpoint: FilePath
    private let name: String
    private let dataset: Dataset
    /// Indices into the training images.
    private let division: (train: [Int], development: [Int])

    init(_ command: TrainCommand) throws {
        self.command = command
        console = Console(quiet: command.common.quiet)
        configuration = try command.common.load()
        store = configuration.store(output: command.output)

        let data = try DataSource.open(command.data, datasets: configuration.datasets)
        dataset = data.dataset
        for file in data.refused.prefix(5) { console.note("left out: \(file.path): \(file.reason)") }
        if data.refused.count > 5 { console.note("left out: \(data.refused.count - 5) more files") }

        do {
            try Labels.check(dataset.info.labels)
        } catch {
            throw Failure.data("\(command.data): labels: \(error)")
        }
        if command.hierarchy != nil, dataset.info.superclassOf == nil {
            throw Failure.usage("--hierarchy: \(command.data) has no superclasses")
        }
        let suggestion = "\(dataset.info.name)-\(command.architecture)".lowercased()
        name = command.name ?? suggestion
        guard ModelIdentifier.isValid(name) else {
            throw Failure.usage("'\(suggestion)' cannot be a model's name: give one with --name")
        }
        // A bare name means the working folder, which must be said where a path's folder is asked for.
        checkpoint =
            command.checkpoint.map { $0.contains("/") ? FilePath($0) : FilePath("./" + $0) }
            ?? configuration.state.appending("training").appending("\(name).checkpoint")
        division =
            command.development == 0
            ? (Array(0..<(try dataset.images("train").count)), [])
            : try dataset.split(development: command.development)
        settings = try command.trainingSettings(images: division.train.count)
        guard settings.patience == 0 || !division.development.isEmpty else {
            throw Failure.usage("--patience needs development images, and the data have one image of each class")
        }
        guard command.target == nil || !division.development.isEmpty else {
            throw Failure.usage("--target needs development images, and the data have one image of each class")
        }
        if command.test, dataset.splits["test"]?.count ?? 0 == 0 {
            throw Failure.data("\(command.data): --test: there are no test images")
        }
        let side = min(dataset.info.height, dataset.info.width)
        if let size = settings.sizes.last, size.side > side {
            guard command.sizes == nil else {
                throw Failure.usage("--sizes \(size.side): the images have \(side) pixels a side")
            }
            console.note("the images have \(side) pixels a side: the preset's smaller ones are left out")
            settings.sizes = settings.sizes.filter { $0.side < side }
        }
        guard settings.augmentation.crop < side else {
            throw Failure.usage("--augment crop=\(settings.augmentation.crop): the images have \(side) pixels a side")
        }
    }

    // MARK: - The run

    mutating func run() throws {
        let definition = NetworkDefinition(
            architecture: command.architecture,
            input: Shape(height: dataset.info.height, width: dataset.info.width, channels: 3),
            classes: dataset.info.labels.count, settings: try command.networkSettings(),
            superclassOf: command.answersBySuperclass ? dataset.info.superclassOf : nil)
        // What would fail at the end fails better now than after hours.
        _ = try configuration.pluginSearch.find("classifier-net")
        try Files.makeDirectories(checkpoint.removingLastComponent())
        try Files.makeDirectories(store.trained)
        let lock = try locked()
        defer {
            try? Files.unlink(lockFile)
            try? lock.close()
        }
        try spareUnfinished()

        // Of the raw and the filtered images, and of what the trainer needs; by the parameters.
        let beside = { [settings, pixels] parameters in
            2 * pixels + Trainer.bytes(beside: definition, parameters: parameters, settings: settings)
        }
        let network = try Network(
            definition, maxBatch: settings.batch, mode: .training, threads: settings.threads, beside: beside)
        let resumed = try command.resume.map { try Files.read(FilePath($0), limit: 16 << 30) }
        if let budget = try command.budgetSeconds {
            let sizes = settings.sizes
            settings = try command.trainingSettings(
                images: division.train.count, budgeted: try epochs(within: budget, network, resumed))
            settings.sizes = sizes
            settings.warmup = min(settings.warmup, Double(settings.epochs))
        }
        let trainer = try Trainer(
            network, settings: settings, superclassOf: dataset.info.superclassOf, inputs: try inputs())
        if let resumed { try restore(trainer, from: resumed) }
        let (training, development) = try sources()
        if resumed == nil { try fitStem(network) }
        let needed = network.bytes + beside(network.parameterCount)
        console.note(
            "training \(name): \(command.architecture), \(Figures.grouped(network.parameterCount)) parameters, "
                + "\(Figures.grouped(training.count)) images, \(Figures.grouped(development?.count ?? 0)) for development, "
                + "\(settings.epochs) epochs, batches of \(settings.batch), \(settings.threads) threads, "
                + "seed \(settings.seed), at most \(Units.show(bytes: needed)) of \(Units.show(bytes: machineMemory)) memory"
        )
        let progress = TrainingProgress(console, settings: settings, images: training.count)
        let stop = StopFlag()
        let result = try trainer.run(
            training, development: development, target: command.target.map { $0 / 100 }, stop: stop,
            saveEvery: try command.checkpointSeconds,
            onStep: { report in
                if Interruption.signal != nil { stop.set() }
                progress.step(report)
            },
            onEpoch: { progress.epoch($0) },
            saveCheckpoint: { try Files.replace(checkpoint, with: try $0.checkpoint()) })
        progress.finish()
        if result.end == .stopped {
            let hasCheckpoint = try Files.statusIfPresent(checkpoint) != nil
            throw Failure.tryAgain(hasCheckpoint ? "stopped; \(goOn())" : "stopped before the first step")
        }
        if result.end == .patience {
            console.note("no better epoch in \(settings.patience): stopped early, epoch \(result.epoch) is kept")
        }
        if let target = command.target {
            let best = result.epochs.compactMap { $0.development?.top1 }.max() ?? 0
            console.note(
                "target of \(Figures.percent(target / 100)) \(best >= target / 100 ? "reached" : "missed"): "
                    + "\(Figures.percent(best, decimals: 2)) of the development images after "
                    + Units.show(seconds: result.epochs.reduce(0) { $0 + $1.seconds }))
        }
        let model: ModelStore.Model
        do {
            model = try storeModel(network, result, development)
        } catch {
            console.alert("the training is finished but its model is not stored; \(goOn())")
            throw error
        }
        try? Files.unlink(checkpoint)
        try report(model)
    }

    // MARK: - The checkpoint

    private var lockFile: FilePath {
        checkpoint.removingLastComponent().appending(".\(checkpoint.lastComponent?.string ?? "").lock")
    }

    /// One training at a time for a checkpoint.
    private func locked() throws -> FileDescriptor {
        guard let lock = try Files.lock(lockFile) else {
            throw Failure.tryAgain(
                "another training of '\(name)' is running and has the checkpoint \(checkpoint.escaped): wait for it, "
                    + "or give this one another --name")
        }
        return lock
    }

    /// None over the checkpoint of another that could still go on.
    private func spareUnfinished() throws {
        let resumed = try command.resume.map { try Files.resolve(FilePath($0)) }
        if try Files.statusIfPresent(checkpoint) != nil, try Files.resolve(checkpoint) != resumed {
            throw Failure.cannotCreate(
                "\(checkpoint.escaped) is the checkpoint of an unfinished training: go on from it with "
                    + "--resume \(Self.quoted(checkpoint.string)) and the options it had, remove it, or give another --name"
            )
        }
    }

    private func restore(_ trainer: Trainer, from bytes: [UInt8]) throws {
        do {
            try bytes.withUnsafeBytes { try trainer.restore($0) }
        } catch {
            throw Failure.data("\(FilePath(command.resume ?? "").escaped): \(error)")
        }
    }

    /// Bytes of the training images.
    private var pixels: Int {
        (division.train.count + division.development.count) * dataset.info.height * dataset.info.width * 3
    }

    /// The epochs that fit a time, 1 at least; of a training that is gone on with, those that it has.
    private func epochs(within budget: Double, _ network: Network, _ resumed: [UInt8]?) throws -> Int {
        if let resumed {
            do {
                return try resumed.withUnsafeBytes { try Trainer.settings(of: $0).epochs }
            } catch {
                throw Failure.data("\(FilePath(command.resume ?? "").escaped): \(error)")
            }
        }
        let trial = try Trainer(network, settings: settings)
        let epoch = trial.measuredSecondsPerEpoch(
            images: division.train.count, development: division.development.count)
        let fitting = max(1, min(100_000, Int(0.95 * budget / epoch)))
        console.note(
            "an epoch takes about \(Units.show(seconds: epoch)) here: \(fitting) in "
                + "\(Units.show(seconds: budget))"
                + (epoch > budget ? ", though one alone takes longer" : ""))
        return fitting
    }

    /// What decides a training beside the network and the settings.
    private func inputs() throws -> [String: String] {
        let division = Digest()
        for index in self.division.development { division.update(Array("\(index),".utf8)) }
        return [
            "the data's SHA-256": try dataset.images("train").sha256,
            "development": "\(self.division.development.count) images (\(hexadecimal(division.finish()).prefix(8)))",
            "the chain": JSONValue.array(try chain.map { try JSONValue(encoding: $0) }).text,
        ]
    }

    /// How to go on from the checkpoint.
    private func goOn() -> String {
        let arguments = CommandLine.arguments.dropFirst()
        var words: [String] = []
        var skipping = false
        for argument in arguments {
            if skipping {
                skipping = false
            } else if argument == "--resume" {
                skipping = true
            } else if !argument.hasPrefix("--resume=") {
                words.append(Self.quoted(argument))
            }
        }
        return "to go on: foveactl \(words.joined(separator: " ")) --resume \(Self.quoted(checkpoint.string))"
    }

    /// An argument as a shell needs it.
    private static func quoted(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "-_./=,:@+%".utf8.contains($0)
            }
        }
        return isPlain && !text.isEmpty ? text : "'" + text.replacing("'", with: "'\\''") + "'"
    }

    // MARK: - Data

    private var chain: [StageConfiguration] {
        var stages: [StageConfiguration] = []
        if !command.noSharpen && command.chosen?.chain != .standardised {
            stages.append(StageConfiguration(plugin: "sharpen", parameters: .object(["amount": .int(1)])))
        }
        switch command.chosen?.chain ?? .sharpened {
        case .sharpened:
            stages.append(StageConfiguration(plugin: "normalize", parameters: .object(["mode": .string("signed")])))
        case .standardised:
            stages.append(
                StageConfiguration(
                    plugin: "normalize",
                    parameters: .object([
                        "mean": .array([.number(0.5071), .number(0.4865), .number(0.4409)]),
                        "std": .array([.number(0.2673), .number(0.2564), .number(0.2762)]),
                    ])))
        }
        stages.append(StageConfiguration(plugin: "classifier-net"))
        return stages
    }

    /// The chain without its classifier.
    private func preparation() throws -> Chain {
        try Chain(
            chain, shape: ImageShape(height: dataset.info.height, width: dataset.info.width),
            classes: dataset.info.labels.count, maxCount: min(settings.batch, 256), search: configuration.pluginSearch,
            preparationOnly: true)
    }

    private func sources() throws -> (training: ChainSource, development: ChainSource?) {
        let raw = try dataset.images("train")
        let filters = try preparation()
        let filtered = try filtered(raw, by: filters)
        let training = Augmentation(settings.augmentation).blurs ? raw : filtered
        return (
            ChainSource(training, selection: division.train, chain: filters, augmentation: settings.augmentation),
            division.development.isEmpty
                ? nil : ChainSource(filtered, selection: division.development, chain: try preparation())
        )
    }

    private func filtered(_ images: LabelledImages, by chain: Chain) throws -> LabelledImages {
        var images = images
        let count = images.count
        try images.pixels.withUnsafeMutableBufferPointer { try chain.applyFilters($0.baseAddress!, count: count) }
        return images
    }

    /// Fits the filters that are not learned to training images as they are, without augmentation.
    private func fitStem(_ network: Network) throws {
        guard let stem = network.tensors.first(where: { $0.name == "stem.conv.weight" && $0.kind == .buffer }) else {
            return
        }
        // As many pixels as 5,000 images of 32×32 have.
        let size = dataset.info.height * dataset.info.width
        let count = min(5000, division.train.count, max(1, 5000 * 1024 / size))
        let chain = try preparation()
        let selection = Array(division.train.prefix(count))
        let source = ChainSource(
            try filtered(try dataset.images("train").selecting(selection), by: chain),
            selection: Array(0..<count), chain: chain)
        var images = [Float](repeating: 0, count: count * network.input.count)
        var labels = [Int32](repeating: 0, count: count)
        var random = SeededGenerator(settings.seed)
        try images.withUnsafeMutableBufferPointer { images in
            try source.fill(
                images.baseAddress!, labels: &labels, indices: Array(0..<count)[...], epoch: 0, random: &random)
        }
        let filters = Whitening.filters(images, count: count, network.input, kernel: stem.shape[0])
        guard filters.count == stem.count else {
            throw Failure.usage(
                "stem=\(stem.shape[3]): a whitening stem has \(filters.count * stem.shape[3] / stem.count)")
        }
        try network.write(stem.name, filters)
    }

    // MARK: - The model

    private func storeModel(
        _ network: Network, _ result: TrainingResult, _ development: ChainSource?
    ) throws -> ModelStore.Model {
        let type = try command.storedType()
        let weights = try Self.encode(network, as: type)
        var model = ModelConfiguration(
            name: name, version: try store.nextVersion(of: name),
            description: command.description ?? "\(command.architecture) trained on \(dataset.info.name)",
            labels: dataset.info.labels, superclasses: dataset.info.superclasses,
            superclassOf: dataset.info.superclassOf,
            input: .init(height: dataset.info.height, width: dataset.info.width), chain: chain,
            network: try JSONValue(encoding: network.definition), weights: .init(dtype: type),
            training: try description(result)
        )
        .averaging(command.tta)
        .at(temperature: try command.temperature ?? development.map(temperature(network)) ?? 1)

        // The classifier reads a folder: the weights are measured as they will be read, not as they were trained.
        let folder = checkpoint.removingLastComponent().appending(".\(name).model")
        try Files.removeTree(folder)  // of a training that was killed here
        try Files.makeDirectory(folder)
        defer { try? Files.removeTree(folder) }
        try Files.replace(folder.appending(ModelFolder.configurationName), with: model.encode() as [UInt8])
        try Files.replace(folder.appending(ModelFolder.weightsName), with: weights)
        let golden = try goldenSet(model, folder)
        let heldOut: TrainingReport.HeldOut?
        (model.metrics, heldOut) = try metrics(model, folder)

        let files = try ModelFolder.files(configuration: model, weights: weights, golden: golden)
        let report = TrainingReport(
            configuration: model, settings: settings, images: division.train.count, epochs: result.epochs,
            keptEpoch: result.epoch, heldOut: heldOut, hashes: files.mapValues { hexadecimal(Digest.sha256($0)) },
            finished: Date().timeIntervalSince1970)
        return try store.add(
            configuration: model, weights: weights, golden: golden, training: try report.files(note: console.note))
    }

    /// Parameters as `type`; running statistics always as F32, since their range is the data's.
    private static func encode(_ network: Network, as type: TensorType) throws -> [UInt8] {
        var writer = SafetensorsWriter()
        writer.metadata = ["format": "fovea", "layout": "NHWC"]
        for tensor in network.tensors {
            try writer.add(
                tensor.name, shape: tensor.shape, floats: network.read(tensor.name),
                as: tensor.kind == .parameter ? type : .float32)
        }
        return writer.encode()
    }

    private func goldenSet(_ model: ModelConfiguration, _ folder: FilePath) throws -> GoldenSet {
        let count = GoldenSet.most
        let (height, width) = (model.input.height, model.input.width)
        let inputs = SyntheticImages.make(count: count, height: height, width: width, seed: settings.seed)
        let chain = try Chain(
            model.chain, shape: ImageShape(height: height, width: width), classes: model.labels.count, maxCount: count,
            search: configuration.pluginSearch, modelDirectory: folder)
        return try GoldenSet(
            count: count, height: height, width: width, classes: model.labels.count, inputs: inputs,
            scores: try chain.process(inputs))
    }

    /// Figures of the finished model on images that it was not trained on, and the first of them for the report.
    private func metrics(
        _ model: ModelConfiguration, _ folder: FilePath
    ) throws -> (JSONValue, TrainingReport.HeldOut?) {
        let evaluator = Evaluator(
            configuration: model, folder: folder, search: configuration.pluginSearch, threads: settings.threads,
            batch: 64, console: console)
        var metrics: [String: JSONValue] = [:]
        var heldOut: TrainingReport.HeldOut?
        func measure(_ title: String, _ part: TrainingReport.HeldOut.Part, _ images: LabelledImages) throws {
            let data = try EvaluationData(images, labels: dataset.info.labels, model: model)
            let outcomes = try evaluator.run(data, title: title).outcomes
            metrics[title] = Score(outcomes, labels: model.labels, superclassOf: model.superclassOf).summary
            heldOut = heldOut ?? .init(part, images: images, outcomes: outcomes)
        }
        if !division.development.isEmpty {
            try measure("dev", .development, try dataset.images("train").selecting(division.development))
        }
        if command.test { try measure("test", .test, try dataset.images("test")) }
        return (.object(metrics), heldOut)
    }

    /// With three decimals, of the answers that will be served: averaged ones where the model averages.
    private func temperature(_ network: Network) -> (ChainSource) throws -> Double {
        { [views = command.tta.copies] source in
            (try network.fittedTemperature(source, views: views) * 1000).rounded() / 1000
        }
    }

    private func description(_ result: TrainingResult) throws -> JSONValue {
        .object([
            "data": .object([
                "name": .string(dataset.info.name),
                "images": .int(division.train.count), "development": .int(division.development.count),
            ]),
            "settings": try JSONValue(encoding: settings),
            "epoch": .int(result.epoch), "epochs": .int(result.epochs.count),
            "ended": .string(result.end == .patience ? "patience" : result.end == .target ? "target" : "finished"),
            "seconds": .number(result.epochs.reduce(0) { $0 + $1.seconds }),
        ])
    }

    // MARK: - Words

    private func report(_ model: ModelStore.Model) throws {
        let verified = try ModelFolder.verify(model.folder)
        let metrics = verified.configuration.metrics ?? .object([:])
        if command.common.json {
            let result = JSONValue.object([
                "schema": .string("fovea.training/1"), "name": .string(verified.configuration.name),
                "version": .string(verified.configuration.version), "sha256": .string(verified.sha256),
                "folder": .string(model.folder.escaped), "metrics": metrics,
                "training": verified.configuration.training ?? .null,
            ])
            Console.write(String(decoding: JSONText.pretty(result), as: UTF8.self), to: 1)
            return
        }
        var lines = ["\(model.identifier) in \(model.folder.escaped)"]
        for (part, title) in [("dev", "development"), ("test", "test")] {
            guard let figures = metrics[part], let top1 = figures["top1"]?.double,
                let top5 = figures["top5"]?.double
            else { continue }
            lines.append(
                "\(title): top1 \(Figures.percent(top1, decimals: 2)), top5 \(Figures.percent(top5, decimals: 2))")
        }
        lines.append("to let it serve: foveactl model swap \(model.identifier)")
        Console.write(lines.joined(separator: "\n") + "\n", to: 1)
    }
}
