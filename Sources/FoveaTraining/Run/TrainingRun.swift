// One training from the data to the model in the store:
//
//     data ─ filters once ─┬─ training images ─ augment ─ normalize ─▶ trainer ─▶ weights
//                          └─ development images ───── normalize ──▶    │  (best epoch)
//     weights, rounded as they will be stored ─▶ whole chain ─▶ golden set, figures ─▶ model store

import FoundationEssentials
import FoveaCLI
import FoveaControl
import FoveaData
import FoveaModels
import FoveaNN
import FoveaPipeline
import FoveaSystem
import Glibc
import SystemPackage

/// Makes a model of a plan.
package struct TrainingRun {
    /// What a training leaves for people beside its model, by file name: made from the record, told what to leave out.
    package typealias Report = (TrainingRecord, _ note: (String) -> Void) throws -> [String: [UInt8]]

    private let plan: TrainingPlan
    private let console: Console
    private let configuration: Configuration
    private let store: ModelStore
    private let report: Report
    private var settings: TrainingSettings

    /// - Parameters:
    ///   - store: takes the model.
    ///   - report: files for the model's folder `training`.
    package init(
        _ plan: TrainingPlan, configuration: Configuration, store: ModelStore, console: Console,
        report: @escaping Report
    ) {
        self.plan = plan
        self.configuration = configuration
        self.store = store
        self.console = console
        self.report = report
        settings = plan.settings
    }

    // MARK: - The run

    /// - Returns: the model in the store.
    /// - Throws: `Failure.tryAgain` where it was stopped, by a signal or the plan's deadline, and has its checkpoint.
    package mutating func run() throws -> ModelStore.Model {
        let begin = ContinuousClock.now
        // What would fail at the end fails better now than after hours.
        _ = try configuration.pluginSearch.find("classifier-net")
        try Files.makeDirectories(plan.checkpoint.removingLastComponent())
        try Files.makeDirectories(store.trained)
        let lock = try locked()
        defer {
            try? Files.unlink(lockFile)
            try? lock.close()
        }
        // Of a training that was killed in the middle of a checkpoint; the lock says that none writes it now.
        try Files.removeLeftovers(of: plan.checkpoint)
        try spareUnfinished()

        let trained = try train(since: begin)
        let model = try keepingCheckpoint { try storeModel(trained) }
        try? Files.unlink(plan.checkpoint)
        return model
    }

    /// What comes after the last step can be done again.
    private func keepingCheckpoint<T>(_ body: () throws -> T) throws -> T {
        do {
            return try body()
        } catch {
            console.alert("the training is finished but its model is not stored; \(plan.goOn)")
            throw error
        }
    }

    /// What a training comes to, without the memory that it took: measuring needs some of its own.
    private struct Trained {
        let result: TrainingResult
        let network: NetworkDefinition
        let weights: [UInt8]
        let temperature: Double
    }

    private mutating func train(since begin: ContinuousClock.Instant) throws -> Trained {
        // Of the images, and of what the trainer needs; by the parameters.
        let beside = { [plan, settings, pixels] parameters in
            pixels + Trainer.bytes(beside: plan.network, parameters: parameters, settings: settings)
        }
        let network = try Network(
            plan.network, maxBatch: settings.batch, mode: .training, threads: settings.threads, beside: beside)
        let resumed = try plan.resumes.map { try Files.read($0, limit: 16 << 30) }
        let (training, development) = try sources()
        if let budget = plan.budget {
            settings = try budget.settings(try epochs(within: budget, network, training, resumed))
        }
        let trainer = try Trainer(
            network, settings: settings, superclassOf: plan.data.info.superclassOf, inputs: try inputs(),
            beside: beside(network.parameterCount))
        if let resumed {
            try restore(trainer, from: resumed)
        } else {
            for (name, values) in plan.start { try network.write(name, values) }
        }
        if resumed == nil && plan.start.isEmpty { try fitStem(network) }
        // Speed is measured once: another epoch count, after a kill, would be another training.
        if resumed == nil && plan.budget != nil { try save(trainer) }
        let needed = network.bytes + trainer.stageBytes + beside(network.parameterCount)
        console.note(
            "training \(plan.name): \(plan.network.architecture), \(Figures.grouped(network.parameterCount)) parameters, "
                + "\(Figures.grouped(training.count)) images, \(Figures.grouped(development?.count ?? 0)) for development, "
                + "\(settings.epochs) epochs, batches of \(settings.batch), \(settings.threads) threads, "
                + "seed \(settings.seed), at most \(Units.show(bytes: needed)) of \(Units.show(bytes: machineMemory)) memory"
        )
        let progress = TrainingProgress(console, settings: settings, images: training.count)
        let stop = StopFlag()
        let result = try trainer.run(
            training, development: development, keepsBest: plan.keepsBest, target: plan.target, stop: stop,
            saveEvery: plan.checkpointEvery,
            onStep: { report in
                let isLate = (ContinuousClock.now - begin) / .seconds(1) > plan.deadline
                if Interruption.signal != nil || isLate { stop.set() }
                progress.step(report)
            },
            onEpoch: { progress.epoch($0) },
            saveCheckpoint: { trainer in
                do {
                    try save(trainer)
                } catch  where !stop.isSet {
                    // The hours that are in memory are worth more than a disk that is full for a while.
                    console.alert(
                        "the checkpoint is not written, and training goes on: \(error); the next one is tried again")
                }
            })
        progress.finish()
        if result.end == .stopped {
            let hasCheckpoint = try Files.statusIfPresent(plan.checkpoint) != nil
            throw Failure.tryAgain(hasCheckpoint ? "stopped; \(plan.goOn)" : "stopped before the first step")
        }
        if result.end == .patience {
            console.note("no better epoch in \(settings.patience): stopped early, epoch \(result.epoch) is kept")
        }
        if let target = plan.target {
            let best = result.epochs.compactMap { $0.development?.top1 }.max() ?? 0
            console.note(
                "target of \(Figures.percent(target)) \(best >= target ? "reached" : "missed"): "
                    + "\(Figures.percent(best, decimals: 2)) of the development images after "
                    + Units.show(seconds: result.epochs.reduce(0) { $0 + $1.seconds }))
        }
        return try keepingCheckpoint {
            Trained(
                result: result, network: network.definition, weights: try Self.encode(network, as: plan.weights),
                temperature: try plan.temperature ?? development.map(temperature(network)) ?? 1)
        }
    }

    // MARK: - The checkpoint

    /// A hidden name beside the checkpoint, which only one training has.
    private func sibling(_ suffix: String) -> FilePath {
        plan.checkpoint.removingLastComponent().appending(
            ".\(plan.checkpoint.lastComponent?.string ?? "").\(suffix)")
    }

    private var lockFile: FilePath { sibling("lock") }

    private func save(_ trainer: Trainer) throws {
        try Files.replace(plan.checkpoint, with: try trainer.checkpoint())
    }

    /// One training at a time for a checkpoint.
    private func locked() throws -> FileDescriptor {
        guard let lock = try Files.lock(lockFile) else {
            throw Failure.tryAgain(
                "another training of '\(plan.name)' is running and has the checkpoint \(plan.checkpoint.escaped): wait for it, "
                    + "or give this one another --name")
        }
        return lock
    }

    /// None over the checkpoint of another that could still go on.
    private func spareUnfinished() throws {
        guard let status = try Files.statusIfPresent(plan.checkpoint, followingLinks: true) else { return }
        let place = try Files.resolve(plan.checkpoint)
        if let resumed = plan.resumes, try Files.resolve(resumed) == place { return }
        guard try status.isRegular && Trainer.isCheckpoint(head(of: plan.checkpoint)) else {
            throw Failure.cannotCreate(
                "\(plan.checkpoint.escaped): where the checkpoint would be there is something that is none, and nothing is "
                    + "written over it: move it away, or give another place with --checkpoint")
        }
        throw Failure.cannotCreate(
            "\(plan.checkpoint.escaped) is the checkpoint of an unfinished training: go on from it with "
                + "--resume \(shellQuoted(plan.checkpoint.string)) and the options it had, remove it, or give another --name"
        )
    }

    private func head(of path: FilePath) throws -> [UInt8] {
        let descriptor = try Files.open(path, O_RDONLY)
        defer { try? descriptor.close() }
        return try Files.read(descriptor, count: 64, subject: path.escaped)
    }

    private func restore(_ trainer: Trainer, from bytes: [UInt8]) throws {
        do {
            try bytes.withUnsafeBytes { try trainer.restore($0) }
        } catch {
            throw checkpointFailure(error)
        }
    }

    private func checkpointFailure(_ error: any Error) -> UnusableCheckpoint {
        UnusableCheckpoint(path: plan.resumes ?? plan.checkpoint, cause: "\(error)")
    }

    /// Bytes of all images that are in memory: as they were read, and those of the training split once more, filtered.
    private var pixels: Int {
        let splits = plan.data.splits
        let count = splits.values.reduce(splits["train"]?.count ?? 0) { $0 + $1.count } + (plan.heldBack?.count ?? 0)
        return count * plan.data.info.height * plan.data.info.width * 3
    }

    /// The epochs that fit a time, 1 at least; of a training that is gone on with, those that it has.
    private func epochs(
        within budget: TrainingPlan.Budget, _ network: Network, _ training: ChainSource, _ resumed: [UInt8]?
    ) throws -> Int {
        if let resumed {
            do {
                return try resumed.withUnsafeBytes { try Trainer.settings(of: $0).epochs }
            } catch {
                throw checkpointFailure(error)
            }
        }
        let trial = try Trainer(network, settings: settings)
        let epoch: Double
        do {
            epoch = try trial.measuredSecondsPerEpoch(
                training, development: plan.development.count, isStopped: { Interruption.signal != nil })
        } catch is CancellationError {
            throw Failure.tryAgain("stopped before the first step")
        }
        let fitting = max(1, min(budget.most, Int(0.95 * budget.seconds / epoch)))
        console.note(
            "an epoch takes about \(Units.show(seconds: epoch)) here: \(fitting) in "
                + "\(Units.show(seconds: budget.seconds))"
                + (epoch > budget.seconds ? ", though one alone takes longer" : ""))
        return fitting
    }

    /// What decides a training beside the network and the settings.
    private func inputs() throws -> [String: String] {
        let division = Digest()
        for index in plan.development { division.update(Array("\(index),".utf8)) }
        let labels = plan.data.info.labels
        return [
            "images": "\(try plan.data.images("train").count)",
            "labels": "\(labels.count) (\(labels.prefix(20).joined(separator: ", "))\(labels.count > 20 ? ", …" : ""))",
            "the data's SHA-256": try plan.data.images("train").sha256,
            "development": "\(plan.development.count) images (\(hexadecimal(division.finish()).prefix(8)))",
            "the chain": JSONValue.array(try plan.chain.map { try JSONValue(encoding: $0) }).text,
        ]
    }

    // MARK: - Data

    /// The chain without its classifier.
    private func preparation() throws -> Chain {
        try Chain(
            plan.chain, shape: ImageShape(height: plan.data.info.height, width: plan.data.info.width),
            classes: plan.data.info.labels.count, maxCount: min(settings.batch, 256),
            search: configuration.pluginSearch,
            preparationOnly: true)
    }

    private func sources() throws -> (training: ChainSource, development: ChainSource?) {
        let raw = try plan.data.images("train")
        let filters = try preparation()
        let filtered = try filtered(raw, by: filters)
        let training = Augmentation(settings.augmentation).blurs ? raw : filtered
        return (
            ChainSource(training, selection: plan.train, chain: filters, augmentation: settings.augmentation),
            plan.development.isEmpty
                ? nil : ChainSource(filtered, selection: plan.development, chain: try preparation())
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
        let size = plan.data.info.height * plan.data.info.width
        let count = min(5000, plan.train.count, max(1, 5000 * 1024 / size))
        let chain = try preparation()
        let selection = Whitening.sample(plan.train, count)
        let source = ChainSource(
            try filtered(try plan.data.images("train").selecting(selection), by: chain),
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

    private func storeModel(_ trained: Trained) throws -> ModelStore.Model {
        let (result, weights) = (trained.result, trained.weights)
        var model = ModelConfiguration(
            name: plan.name, version: try plan.version?() ?? store.nextVersion(of: plan.name),
            description: plan.description,
            labels: plan.data.info.labels, superclasses: plan.data.info.superclasses,
            superclassOf: plan.data.info.superclassOf,
            input: .init(plan.data.target), chain: plan.chain,
            network: try JSONValue(encoding: trained.network), weights: .init(dtype: plan.weights),
            training: try description(result)
        )
        .averaging(plan.averaging)
        .at(temperature: trained.temperature)

        // The classifier reads a folder: the weights are measured as they will be read, not as they were trained.
        let folder = sibling("model")
        try Files.removeTree(folder)  // of a training that was killed here
        try Files.makeDirectory(folder)
        defer { try? Files.removeTree(folder) }
        try Files.replace(folder.appending(ModelFolder.configurationName), with: model.encode() as [UInt8])
        try Files.replace(folder.appending(ModelFolder.weightsName), with: weights)
        let golden = try goldenSet(model, folder)
        let heldOut: TrainingRecord.HeldOut?
        (model.metrics, heldOut) = try metrics(model, folder)

        while true {
            let files = try ModelFolder.files(configuration: model, weights: weights, golden: golden)
            let record = TrainingRecord(
                configuration: model, settings: settings, images: Set(plan.train).count,
                perEpoch: plan.train.count, epochs: result.epochs,
                keptEpoch: result.epoch, heldOut: heldOut, hashes: files.mapValues { hexadecimal(Digest.sha256($0)) },
                finished: Date().timeIntervalSince1970)
            do {
                return try store.add(
                    configuration: model, weights: weights, golden: golden,
                    training: plan.files().merging(try report(record, console.note)) { $1 })
            } catch let error as ModelError where error.code == .exists && plan.version == nil {
                // Another training of this name was faster.
                model.version = try store.nextVersion(of: plan.name)
            }
        }
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
    ) throws -> (JSONValue, TrainingRecord.HeldOut?) {
        let evaluator = Evaluator(
            configuration: model, folder: folder, search: configuration.pluginSearch, threads: settings.threads,
            batch: 64, console: console)
        var metrics: [String: JSONValue] = [:]
        var heldOut: TrainingRecord.HeldOut?
        func measure(_ title: String, _ part: TrainingRecord.HeldOut.Part, _ images: LabelledImages) throws {
            let data = try EvaluationData(images, labels: plan.data.info.labels, model: model)
            let outcomes = try evaluator.run(data, title: title).outcomes
            metrics[title] = Score(outcomes, labels: model.labels, superclassOf: model.superclassOf).summary
            heldOut = heldOut ?? .init(part, images: images, outcomes: outcomes)
        }
        if let heldBack = plan.heldBack {
            try measure("dev", .heldBack, heldBack)
        } else if !plan.development.isEmpty {
            try measure("dev", .development, try plan.data.images("train").selecting(plan.development))
        }
        if plan.measuresTest { try measure("test", .test, try plan.data.images("test")) }
        return (.object(metrics), heldOut)
    }

    /// With three decimals, of the answers that will be served: averaged ones where the model averages.
    private func temperature(_ network: Network) -> (ChainSource) throws -> Double {
        { [views = plan.averaging.copies] source in
            (try network.fittedTemperature(source, views: views) * 1000).rounded() / 1000
        }
    }

    private func description(_ result: TrainingResult) throws -> JSONValue {
        let facts: [String: JSONValue] = [
            "data": .object([
                "name": .string(plan.data.info.name),
                "images": .int(Set(plan.train).count), "development": .int(plan.development.count),
            ]),
            "settings": try JSONValue(encoding: settings),
            "epoch": .int(result.epoch), "epochs": .int(result.epochs.count),
            "ended": .string(result.end == .patience ? "patience" : result.end == .target ? "target" : "finished"),
            "seconds": .number(result.epochs.reduce(0) { $0 + $1.seconds }),
        ]
        return .object(facts.merging(plan.provenance) { $1 })
    }
}
