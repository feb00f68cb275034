import Glibc

// What a training will cost, before it begins: memory, and time.

extension Trainer {
    /// Bytes that a training needs beside its network: optimizer, averages, the kept epoch, two batches ahead and those of an
    /// evaluation, a checkpoint.
    ///
    /// - Parameter parameters: floats that are learned.
    package static func bytes(
        beside network: NetworkDefinition, parameters: Int, settings: TrainingSettings
    ) -> Int {
        /// What goes into a checkpoint, and what a step needs beside it.
        let (optimizer, working) =
            switch settings.optimizer {
            case .adam: (2 * parameters, 0)
            case .sgd: (parameters, 0)
            // Its products need two copies of the largest filters and two squares of their smaller side.
            case .muon: (parameters, 4 * parameters)
            case .muonAdam: (2 * parameters, 4 * parameters)
            }
        let averages = settings.averaging == .none ? 0 : parameters
        let kept = parameters
        // In training three of them, or four; in evaluation three, and the copies of up to six views.
        let batches =
            ((settings.augmentation.cutMix > 0 ? 4 : 3) * settings.batch + 9 * min(settings.batch, 256))
            * network.input.count
        let checkpoint = parameters + optimizer + averages + kept
        return 4 * (optimizer + working + averages + kept + batches + checkpoint)
    }

    /// Seconds of an epoch on this machine as it is now, by a few steps with images prepared beside them; the trainer is
    /// afterwards as new.
    ///
    /// - Parameters:
    ///   - source: what will be trained on.
    ///   - development: images that are measured after each epoch.
    ///   - isStopped: asked after each step.
    /// - Throws: `CancellationError` where it is stopped, and what the source throws.
    package func measuredSecondsPerEpoch(
        _ source: any TrainingSource, development: Int, isStopped: () -> Bool = { false }
    ) throws -> Double {
        precondition(progress.steps == 0)
        let start = Array(UnsafeBufferPointer(start: network.values, count: network.valueFloats))
        let batch = settings.batch
        let steps = 5
        let order = (0..<steps * batch).map { $0 % source.count }
        func step(of stage: Network) throws -> Double {
            let producer = try BatchProducer(
                source, order: order, batches: 0..<steps, batch: batch, input: network.input, seed: settings.seed,
                epoch: 0, cutMix: settings.augmentation.cutMix, target: { _ in stage.input })
            var times: [Double] = []
            var start = seconds()
            while try producer.take({ prepared in
                stage.parametersChanged()
                _ = stage.forwardBackward(
                    prepared.images, targets: prepared.targets, count: prepared.count, loss: Loss(smoothing: 0.1),
                    step: 0, seed: 1)
                optimizer.apply(factor: 1e-3)
            }) {
                if isStopped() { throw CancellationError() }
                times.append(seconds() - start)
                start = seconds()
            }
            // Without the first, which finds caches cold and waits for its images.
            return times.dropFirst().sorted()[(steps - 1) / 2]
        }
        var (mean, from) = (0.0, 0.0)
        for stage in stages {
            mean += (stage.until - from) * (try step(of: stage.network))
            from = stage.until
        }
        if from < 1 { mean += (1 - from) * (try step(of: network)) }
        var evaluation = 0.0
        if development > 0 {
            var random = SeededGenerator(settings.seed, 2)
            let noise = (0..<batch * network.input.count).map { _ in random.uniform() * 2 - 1 }
            var answers = [Float](repeating: 0, count: batch * network.classes)
            let start = seconds()
            network.predict(noise, count: batch, probabilities: &answers)
            evaluation = (seconds() - start) / Double(batch) * Double(development)
        }
        start.withUnsafeBufferPointer { network.values.update(from: $0.baseAddress!, count: start.count) }
        network.parametersChanged()
        optimizer.memory.update(repeating: 0)
        optimizer.steps = 0
        return mean * Double(settings.stepsPerEpoch(images: source.count)) + evaluation
    }
}
