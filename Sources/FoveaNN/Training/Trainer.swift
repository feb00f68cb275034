import Glibc
import Synchronization

/// Asks a running training to stop after its step; may be set from any thread.
package final class StopFlag: Sendable {
    private let flag = Atomic<Bool>(false)
    package init() {}
    package func set() { flag.store(true, ordering: .relaxed) }
    package var isSet: Bool { flag.load(ordering: .relaxed) }
}

/// Accuracy and loss over a set of images.
package struct Evaluation: Codable, Sendable, Equatable {
    package var loss = 0.0
    /// The share of images whose best class is theirs.
    package var top1 = 0.0
    package var images = 0
    package init() {}
}

/// After a step: figures of that step.
package struct StepReport: Sendable {
    package let epoch: Int
    /// Steps of this epoch that are done, of `steps`.
    package let step: Int
    package let steps: Int
    package let loss: Double
    package let top1: Double
    package let imagesPerSecond: Double
    package let learningRate: Double
}

/// After an epoch.
package struct EpochReport: Codable, Sendable, Equatable {
    /// Counts from 1.
    package let epoch: Int
    package let epochs: Int
    /// Means over the epoch's steps, with dropout and augmentation.
    package let loss: Double
    package let top1: Double
    package let development: Evaluation?
    /// The best so far on the development images, where the best one is kept.
    package let best: Bool
    package let learningRate: Double
    package let seconds: Double
    package let imagesPerSecond: Double
}

/// How a training ended.
package struct TrainingResult: Sendable {
    /// All epochs done; no better epoch for as long as `patience`; the target's accuracy reached; by the caller.
    package enum End: Sendable, Equatable { case finished, patience, target, stopped }
    package let end: End
    /// The epoch whose parameters the network now has, from 1; 0 when no epoch was finished.
    package let epoch: Int
    package let epochs: [EpochReport]
}

/// The loss or a weight is no longer a number: nothing more can be learned.
package struct Divergence: Error, Sendable, Equatable, CustomStringConvertible {
    /// Both count from 1.
    package let epoch: Int
    package let step: Int

    /// Where it happened, a clause.
    package var place: String { "the loss is no longer a number in epoch \(epoch), step \(step)" }

    package var description: String {
        "\(place): try a lower learning rate, a longer warm-up or a smaller norm for clipping"
    }
}

/// Trains a network.
///
/// Each epoch has a new order of the images, from (seed, epoch); batches are prepared ahead on a thread of their own.
/// The best epoch on the development source is kept, or the last one where there is none. All randomness is a
/// function of (seed, epoch, step), so a training that was stopped and resumed gives the same bits as one that was not.
package final class Trainer {
    package let network: Network
    package let settings: TrainingSettings
    /// What else decides the training, such as the data's SHA-256, by name. A checkpoint of other ones is refused.
    package let inputs: [String: String]
    /// The superclass of each class, for `settings.hierarchy`.
    private let superclassOf: [Int32]?
    let optimizer: any Optimizer
    let averaged: AveragedWeights
    /// The networks for `settings.sizes`, with the same parameters; `network` itself for the full size.
    let stages: [(network: Network, until: Double)]
    var progress = Progress()
    /// The kept epoch's parameters and buffers; empty while the network's own are the ones to keep.
    var best: [Float] = []

    /// What the networks for smaller images need beside the memory that they share.
    package var stageBytes: Int { stages.filter { $0.network !== network }.reduce(0) { $0 + $1.network.bytes } }

    /// What a checkpoint holds beside the floats.
    struct Progress: Codable, Equatable {
        var epoch = 0
        var stepInEpoch = 0
        var steps = 0
        var lossSum = 0.0
        var hits = 0
        var seen = 0
        var seconds = 0.0
        var bestEpoch = 0
        var bestTop1 = -1.0
        var reports: [EpochReport] = []
    }

    /// - Parameters:
    ///   - network: built for training with the batch as its `maxBatch` at least.
    ///   - inputs: see `inputs`.
    ///   - startsFresh: `initialize` is called here; otherwise training goes on from the values that the network has.
    ///   - rateFactor: on the learning rate of each tensor.
    ///   - beside: bytes that are needed beside the networks.
    /// - Throws: `ShapeError` or `NetworkDefinitionError` where the network cannot be built for one of `settings.sizes`,
    ///   also for want of memory.
    package init(
        _ network: Network, settings: TrainingSettings, superclassOf: [Int]? = nil, inputs: [String: String] = [:],
        startsFresh: Bool = true, rateFactor: RateFactor = { _ in 1 }, beside: Int = 0
    ) throws {
        precondition(network.mode == .training && network.maxBatch >= settings.batch)
        self.network = network
        self.settings = settings
        self.inputs = inputs
        self.superclassOf = superclassOf?.map(Int32.init)
        if startsFresh { network.initialize(seed: settings.seed) }
        optimizer = settings.makeOptimizer(network, rateFactor: rateFactor)
        averaged = AveragedWeights(settings.averaging, network)
        var own = 0
        stages = try settings.sizes.map { size in
            if size.side == network.input.height && size.side == network.input.width { return (network, size.until) }
            var definition = network.definition
            (definition.input.height, definition.input.width) = (size.side, size.side)
            let smaller = try Network(
                definition, maxBatch: network.maxBatch, mode: .training, threads: network.threads,
                beside: { [own] _ in beside + own }, sharing: network)
            smaller.freezesStatistics = network.freezesStatistics
            own += smaller.bytes
            return (smaller, size.until)
        }
    }

    /// The network for a step.
    private func stage(_ step: Int, of total: Int) -> Network {
        stages.first { Double(step) < $0.until * Double(total) }?.network ?? network
    }

    private func loss(after steps: Int, of total: Int) -> Loss {
        Loss(
            smoothing: Float(settings.labelSmoothing),
            hierarchy: superclassOf == nil ? 0 : Float(settings.hierarchy * (1 - Double(steps) / Double(total))),
            superclassOf: superclassOf)
    }

    /// Trains to the last epoch, until patience ends, or until `stop` is set.
    ///
    /// - Parameters:
    ///   - development: decides which epoch is the best one; nil keeps the last.
    ///   - keepsBest: keeps the epoch that is best on `development`; otherwise the last one.
    ///   - target: the development accuracy after which nothing more needs to be learned; nil: none.
    ///   - saveCheckpoint: called after each epoch, `saveEvery` seconds after the last time, and when stopped, with what
    ///     `restore` takes.
    /// - Returns: when the network has the kept epoch's parameters; after `stopped` the kept ones so far, or the current
    ///   ones, as they are without averaging, where none are kept.
    /// - Throws: `Divergence`, `CheckpointError` where the restored place is none of this source's, and what the
    ///   source and the closures throw.
    package func run(
        _ source: any TrainingSource, development: (any TrainingSource)? = nil, keepsBest: Bool = true,
        target: Double? = nil, stop: StopFlag = StopFlag(), saveEvery: Double = .infinity,
        onStep: (StepReport) -> Void = { _ in },
        onEpoch: (EpochReport) throws -> Void = { _ in },
        saveCheckpoint: (Trainer) throws -> Void = { _ in }
    ) throws -> TrainingResult {
        precondition(source.count > 0)
        let batch = settings.batch
        let perEpoch = settings.stepsPerEpoch(images: source.count)
        let total = perEpoch * settings.epochs
        let warmup = Int((settings.warmup * Double(perEpoch)).rounded())
        guard (0..<perEpoch).contains(progress.stepInEpoch),
            progress.steps == progress.epoch * perEpoch + progress.stepInEpoch
        else { throw CheckpointError("the checkpoint belongs to a training with another number of images") }
        var end = TrainingResult.End.finished
        var saved = seconds()
        if progress.steps == 0 { averaged.begin() }

        training: while progress.epoch < settings.epochs {
            if settings.patience > 0, development != nil, progress.bestEpoch > 0,
                progress.epoch - progress.bestEpoch >= settings.patience
            {
                end = .patience
                break
            }
            if let target, progress.bestTop1 >= target {
                end = .target
                break
            }
            var shuffler = SeededGenerator(settings.seed, 0, UInt64(progress.epoch))
            let order = Array(0..<source.count).shuffled(using: &shuffler)
            let producer = try BatchProducer(
                source, order: order, batches: progress.stepInEpoch..<perEpoch, batch: batch,
                input: network.input, seed: settings.seed, epoch: progress.epoch,
                cutMix: settings.augmentation.cutMix,
                target: { [epoch = progress.epoch] in self.stage(epoch * perEpoch + $0, of: total).input })
            var rate = 0.0
            var clock = seconds()
            while try producer.take({ prepared in
                let factor = settings.schedule.factor(
                    step: progress.steps, total: total, perEpoch: perEpoch, warmup: warmup)
                rate = settings.learningRate * factor
                let stage = stage(progress.steps, of: total)
                stage.parametersChanged()
                let (loss, hits) = stage.forwardBackward(
                    prepared.images, targets: prepared.targets, count: prepared.count,
                    loss: loss(after: progress.steps, of: total), step: progress.steps, epoch: progress.epoch,
                    seed: settings.seed)
                guard loss.isFinite else { throw Divergence(epoch: progress.epoch + 1, step: progress.stepInEpoch + 1) }
                // HERE the gradients are complete and not yet applied: the place to average them over machines.
                optimizer.apply(factor: factor)
                let now = seconds()
                progress.steps += 1
                averaged.update(step: progress.steps)
                progress.stepInEpoch += 1
                progress.lossSum += loss * Double(prepared.count)
                progress.hits += hits
                progress.seen += prepared.count
                progress.seconds += now - clock
                onStep(
                    StepReport(
                        epoch: progress.epoch + 1, step: progress.stepInEpoch, steps: perEpoch, loss: loss,
                        top1: Double(hits) / Double(prepared.count),
                        imagesPerSecond: Double(prepared.count) / max(1e-9, now - clock), learningRate: rate))
                clock = now
            }) {
                if seconds() - saved >= saveEvery && progress.stepInEpoch < perEpoch {
                    try checkWeights()
                    try saveCheckpoint(self)
                    saved = seconds()
                }
                if stop.isSet && progress.stepInEpoch < perEpoch {
                    end = .stopped
                    break training
                }
            }
            try finishEpoch(development, keepsBest: keepsBest, learningRate: rate, onEpoch)
            try saveCheckpoint(self)
            saved = seconds()
            if stop.isSet && progress.epoch < settings.epochs {
                end = .stopped
                break
            }
        }
        if end == .stopped && progress.stepInEpoch > 0 {
            try checkWeights()
            try saveCheckpoint(self)
        }
        if !best.isEmpty {
            best.withUnsafeBufferPointer { network.values.update(from: $0.baseAddress!, count: best.count) }
            network.parametersChanged()
        } else if end != .stopped {
            averaged.settle()
        }
        return TrainingResult(end: end, epoch: progress.bestEpoch, epochs: progress.reports)
    }

    /// Before each checkpoint, so that the last one is sound: a finite loss does not say that all weights are.
    private func checkWeights() throws {
        guard (0..<network.valueFloats).allSatisfy({ network.values[$0].isFinite }) else {
            throw Divergence(epoch: progress.epoch + 1, step: progress.stepInEpoch)
        }
    }

    private func finishEpoch(
        _ development: (any TrainingSource)?, keepsBest: Bool, learningRate: Double,
        _ onEpoch: (EpochReport) throws -> Void
    ) throws {
        try checkWeights()
        let evaluation = try averaged.whileAveraged { () throws -> Evaluation? in
            guard let development else { return nil }
            let evaluation = try network.evaluate(development)
            // Batch norm's running statistics serve only here: training itself may well have gone on with numbers.
            guard evaluation.loss.isFinite else {
                throw Divergence(epoch: progress.epoch + 1, step: progress.stepInEpoch)
            }
            if keepsBest, evaluation.top1 > progress.bestTop1 {
                best = Array(UnsafeBufferPointer(start: network.values, count: network.valueFloats))
            }
            return evaluation
        }
        let better = keepsBest ? evaluation.map { $0.top1 > progress.bestTop1 } ?? true : true
        progress.epoch += 1
        if better {
            progress.bestEpoch = progress.epoch
            if let evaluation { progress.bestTop1 = evaluation.top1 }
        }
        let seen = Double(max(1, progress.seen))
        let report = EpochReport(
            epoch: progress.epoch, epochs: settings.epochs, loss: progress.lossSum / seen,
            top1: Double(progress.hits) / seen, development: evaluation, best: better && keepsBest && evaluation != nil,
            learningRate: learningRate,
            seconds: progress.seconds, imagesPerSecond: seen / max(1e-9, progress.seconds))
        progress.reports.append(report)
        (progress.stepInEpoch, progress.lossSum, progress.hits, progress.seen, progress.seconds) = (0, 0, 0, 0, 0)
        try onEpoch(report)
    }
}

extension Network {
    /// Accuracy and loss over all images of a source, in the mode of inference.
    package func evaluate(_ source: any TrainingSource) throws -> Evaluation {
        var result = Evaluation()
        var hits = 0
        try eachPrediction(source) { row, label in
            result.loss -= crossEntropyLog(row[label])
            hits += row.indices.max(by: { row[$0] < row[$1] }) == label ? 1 : 0
            result.images += 1
        }
        result.loss /= Double(max(1, result.images))
        result.top1 = Double(hits) / Double(max(1, result.images))
        return result
    }

    /// Calls `body` with each image's probabilities, view after view, and its label.
    func eachPrediction(
        _ source: any TrainingSource, views: [AveragedNetwork.View] = [.init()],
        _ body: (UnsafeBufferPointer<Float>, Int) -> Void
    ) throws {
        let batch = min(maxBatch, 256)
        let producer = try BatchProducer(
            source, order: Array(0..<source.count), batches: 0..<((source.count + batch - 1) / batch), batch: batch,
            input: input, seed: 0, epoch: 0, target: { _ in self.input })
        let answers = AveragedNetwork(self, views: views, block: batch)
        while try producer.take({ prepared in
            answers.eachView(prepared.images, count: prepared.count) { n, row in
                body(row, Int(prepared.targets[n].label))
            }
        }) {}
    }
}

/// The logarithm of a probability, bounded where it is 0; what is not a number stays none.
func crossEntropyLog(_ probability: Float) -> Double {
    probability.isNaN ? .nan : log(max(1e-30, Double(probability)))
}

/// Monotonic time.
func seconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}
