// One training from the data to the model in the store:
//
//     data ─ filters once ─┬─ training images ─ augment ─ normalize ─▶ trainer ─▶ weights
//                          └─ development images ───── normalize ──▶    │  (best epoch)
//     weights, rounded as they will be stored ─▶ whole chain ─▶ golden set, figures ─▶ model store
//
// TrainingImages is the left part, ModelWriter the last line. CheckpointFile keeps what is done so far.

import FoveaCLI
import FoveaControl
import FoveaData
import FoveaModels
import FoveaNN
import FoveaSystem

/// Makes a model of a plan.
package struct TrainingRun {
    /// What a training leaves for people beside its model, by file name: made from the record, told what to leave out.
    package typealias Report = (TrainingRecord, _ note: (String) -> Void) throws -> [String: [UInt8]]

    private let plan: TrainingPlan
    private let console: Console
    private let configuration: Configuration
    private let store: ModelStore
    private let report: Report
    private let checkpoint: CheckpointFile
    private let images: TrainingImages

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
        checkpoint = CheckpointFile(path: plan.checkpoint, resumed: plan.resumes, name: plan.name)
        images = TrainingImages(plan, search: configuration.pluginSearch)
    }

    /// - Returns: the model in the store.
    /// - Throws: `Failure.tryAgain` where it was stopped, by a signal or the plan's deadline, and has its checkpoint.
    package func run() throws -> ModelStore.Model {
        let begin = ContinuousClock.now
        // What would fail at the end fails better now than after hours.
        _ = try configuration.pluginSearch.find("classifier-net")
        try Files.makeDirectories(store.trained)
        return try checkpoint.locked {
            let trained = try train(since: begin)
            let model = try keepingCheckpoint {
                try ModelWriter(plan, settings: trained.settings, configuration: configuration, console: console)
                    .store(trained, in: store, beside: checkpoint.sibling("model"), report: report)
            }
            checkpoint.remove()
            return model
        }
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

    private func train(since begin: ContinuousClock.Instant) throws -> TrainedNetwork {
        var settings = plan.settings
        // Of the images, and of what the trainer needs; by the parameters.
        let beside = { [plan, settings, images] parameters in
            images.bytes + Trainer.bytes(beside: plan.network, parameters: parameters, settings: settings)
        }
        let network = try Network(
            plan.network, maxBatch: settings.batch, mode: .training, threads: settings.threads, beside: beside)
        let resumed = try checkpoint.read()
        let (training, development) = try images.sources()
        if let budget = plan.budget {
            // Speed is measured once: another epoch count, after a kill, would be another training.
            settings = try budget.settings(
                try resumed.map { try checkpoint.settings(in: $0).epochs }
                    ?? budget.measuredEpochs(
                        network, settings, training, development: plan.development.count, console))
        }
        let trainer = try Trainer(
            network, settings: settings, superclassOf: plan.data.info.superclassOf, inputs: try inputs(),
            beside: beside(network.parameterCount))
        try prepare(trainer, network, from: resumed)
        announce(
            network, trainer, settings, images: training.count, development: development?.count ?? 0,
            beside: beside(network.parameterCount))
        let result = try run(trainer, settings, training, development, since: begin)
        return try keepingCheckpoint {
            TrainedNetwork(
                result: result, settings: settings, definition: network.definition,
                weights: try ModelWriter.encode(network, as: plan.weights),
                temperature: try plan.temperature ?? development.map { try temperature(network, $0) } ?? 1)
        }
    }

    /// Weights and optimizer as they are before the next step.
    private func prepare(_ trainer: Trainer, _ network: Network, from resumed: [UInt8]?) throws {
        if let resumed { return try checkpoint.restore(trainer, from: resumed) }
        for (name, values) in plan.start { try network.write(name, values) }
        if plan.start[StemFitting.tensor] == nil { try StemFitting.fit(network, to: images, of: plan) }
        // The epochs of a budget are kept from here on.
        if plan.budget != nil { try checkpoint.save(trainer) }
    }

    private func announce(
        _ network: Network, _ trainer: Trainer, _ settings: TrainingSettings, images: Int, development: Int, beside: Int
    ) {
        let needed = network.bytes + trainer.stageBytes + beside
        console.note(
            "training \(plan.name): \(plan.network.architecture), \(Figures.grouped(network.parameterCount)) parameters, "
                + "\(Figures.grouped(images)) images, \(Figures.grouped(development)) for development, "
                + "\(settings.epochs) epochs, batches of \(settings.batch), \(settings.threads) threads, "
                + "seed \(settings.seed), at most \(Units.show(bytes: needed)) of \(Units.show(bytes: machineMemory)) memory"
        )
    }

    /// All epochs, or as many as there is time for.
    private func run(
        _ trainer: Trainer, _ settings: TrainingSettings, _ training: ChainSource, _ development: ChainSource?,
        since begin: ContinuousClock.Instant
    ) throws -> TrainingResult {
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
                    try checkpoint.save(trainer)
                } catch  where !stop.isSet {
                    // The hours that are in memory are worth more than a disk that is full for a while.
                    console.alert(
                        "the checkpoint is not written, and training goes on: \(error); the next one is tried again")
                }
            })
        progress.finish()
        if result.end == .stopped {
            throw Failure.tryAgain(try checkpoint.isThere ? "stopped; \(plan.goOn)" : "stopped before the first step")
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
        return result
    }

    /// What decides a training beside the network and the settings: a checkpoint is of these alone.
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

    /// With three decimals, of the answers that will be served: averaged ones where the model averages.
    private func temperature(_ network: Network, _ development: ChainSource) throws -> Double {
        (try network.fittedTemperature(development, views: plan.averaging.copies) * 1000).rounded() / 1000
    }
}
