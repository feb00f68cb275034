import Glibc

// What a training will cost, before it begins: memory, and time.

extension Trainer {
    /// Bytes that a training needs beside its network: optimizer, averages, the kept epoch, two batches ahead, a checkpoint.
    ///
    /// - Parameters:
    ///   - parameters: floats that are learned.
    ///   - image: floats of an image.
    package static func bytes(
        beside network: NetworkDefinition, parameters: Int, settings: TrainingSettings
    ) -> Int {
        let optimizer =
            switch settings.optimizer {
            case .adam: 2 * parameters
            case .sgd: parameters
            // Its products need two copies of the largest filters and two squares of their smaller side.
            case .muon: 5 * parameters
            }
        let averages = settings.averaging == .none ? 0 : parameters
        let kept = parameters
        let batches = (settings.augmentation.cutMix > 0 ? 4 : 3) * settings.batch * network.input.count
        let checkpoint = parameters + optimizer + averages + kept
        return 4 * (optimizer + averages + kept + batches + checkpoint)
    }

    /// Seconds of an epoch on this machine as it is now, by a few steps with images of noise; the trainer is afterwards as
    /// new. Preparing images happens beside the steps and is not counted.
    ///
    /// - Parameters:
    ///   - images: of an epoch.
    ///   - development: images that are measured after each.
    package func measuredSecondsPerEpoch(images: Int, development: Int) -> Double {
        precondition(progress.steps == 0)
        let batch = settings.batch
        var random = SeededGenerator(settings.seed, 2)
        let noise = (0..<batch * network.input.count).map { _ in random.uniform() * 2 - 1 }
        let targets = (0..<batch).map { Target(Int32($0 % network.classes)) }
        func steps(of stage: Network) -> Double {
            var best = Double.infinity
            for _ in 0..<3 {
                let start = seconds()
                stage.parametersChanged()
                _ = stage.forwardBackward(
                    noise, targets: targets, count: batch, loss: Loss(smoothing: 0.1), step: 0, seed: 1)
                optimizer.apply(factor: 1e-3)
                best = min(best, seconds() - start)
            }
            return best
        }
        var (step, from) = (0.0, 0.0)
        for stage in stages {
            step += (stage.until - from) * steps(of: stage.network)
            from = stage.until
        }
        if from < 1 { step += (1 - from) * steps(of: network) }
        var evaluation = 0.0
        if development > 0 {
            var answers = [Float](repeating: 0, count: batch * network.classes)
            let start = seconds()
            network.predict(noise, count: batch, probabilities: &answers)
            evaluation = (seconds() - start) / Double(batch) * Double(development)
        }
        network.initialize(seed: settings.seed)
        optimizer.memory.update(repeating: 0)
        optimizer.steps = 0
        return step * Double(max(1, images / batch)) + evaluation
    }
}
