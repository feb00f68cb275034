import CAllocations
import FoveaNN
import FoveaSystem
import Glibc
import Testing

@Suite struct TrainingTests {
    func settings(epochs: Int, threads: Int = 2) -> TrainingSettings {
        var settings = TrainingSettings()
        settings.epochs = epochs
        settings.batch = 16
        settings.learningRate = 0.01
        settings.threads = threads
        settings.weightDecay = 0.01
        settings.labelSmoothing = 0.05
        return settings
    }

    func trainer(
        _ settings: TrainingSettings, keep: Double = 0.8, block: Int = 1, inputs: [String: String] = ["data": "1"]
    ) throws -> Trainer {
        let network = try Network(
            smallVanilla(keep: keep, block: block), maxBatch: settings.batch, mode: .training,
            threads: settings.threads)
        return try Trainer(network, settings: settings, inputs: inputs)
    }

    /// The bits of all tensors.
    func bits(_ network: Network) -> [UInt32] { network.tensors.flatMap { network.read($0.name) }.map(\.bitPattern) }

    /// For images of 10 × 10 and less.
    private let smallFoveaNet = NetworkDefinition(
        architecture: "foveanet", input: Shape(height: 10, width: 10, channels: 3), classes: 4,
        settings: .object([
            "stem": .int(6), "widths": .array([.int(8), .int(16)]), "middles": .array([.int(8), .int(8)]),
            "kernels": .array([.int(3), .int(1)]),
            "pairs": .array([.array([.int(1), .int(3)]), .array([.int(3), .int(1)])]),
        ]))

    @Test func aTinyNetworkLearnsItsImages() throws {
        var settings = settings(epochs: 40)
        settings.labelSmoothing = 0
        let trainer = try trainer(settings, keep: 1)
        let result = try trainer.run(Stripes(count: 32))
        #expect(result.end == .finished && result.epoch == 40 && result.epochs.count == 40)
        #expect(result.epochs[39].loss < 0.2 * result.epochs[0].loss)
        let evaluation = try trainer.network.evaluate(Stripes(count: 32))
        #expect(evaluation.top1 == 1 && evaluation.images == 32 && evaluation.loss < 0.5)
    }

    @Test(arguments: [1, 3]) func theSameSeedGivesTheSameBits(block: Int) throws {
        func train(seed: UInt64) throws -> [UInt32] {
            var settings = settings(epochs: 2)
            settings.seed = seed
            let trainer = try trainer(settings, block: block)
            _ = try trainer.run(Stripes(count: 70))
            return bits(trainer.network)
        }
        let first = try train(seed: 1)
        #expect(try train(seed: 1) == first)
        #expect(try train(seed: 2) != first)
    }

    @Test func aStoppedTrainingGoesOnBitForBit() throws {
        let whole = try trainer(settings(epochs: 4))
        let development = Stripes(count: 20)
        let expected = try whole.run(Stripes(count: 64), development: development)
        // Stopped within an epoch (step 6 of 4 an epoch) and at an epoch's end (step 8).
        for stopAfter in [6, 8] {
            let stopped = try trainer(settings(epochs: 4))
            let stop = StopFlag()
            var steps = 0
            var saved: [UInt8] = []
            let part = try stopped.run(
                Stripes(count: 64), development: development, stop: stop,
                onStep: { _ in
                    steps += 1
                    if steps == stopAfter { stop.set() }
                }, saveCheckpoint: { saved = try $0.checkpoint() })
            #expect(part.end == .stopped && steps == stopAfter)
            let resumed = try trainer(settings(epochs: 4))
            try saved.withUnsafeBytes { try resumed.restore($0) }
            let result = try resumed.run(Stripes(count: 64), development: development)
            #expect(result.epoch == expected.epoch)
            #expect(result.epochs.map(\.loss) == expected.epochs.map(\.loss))
            #expect(result.epochs.map(\.development) == expected.epochs.map(\.development))
            #expect(bits(resumed.network) == bits(whole.network))
        }
    }

    /// As above, with Muon, images that grow, and a network whose stem is not learned.
    @Test func theFastRecipeGoesOnBitForBit() throws {
        var settings = settings(epochs: 3)
        settings.optimizer = .muon
        settings.schedule = .linear
        settings.learningRate = 0.1
        settings.sizes = [.init(side: 6, until: 0.3), .init(side: 8, until: 0.6)]
        func make() throws -> Trainer {
            let network = try Network(smallFoveaNet, maxBatch: settings.batch, mode: .training, threads: 2)
            let trainer = try Trainer(network, settings: settings)
            try network.write("stem.conv.weight", random(2 * 2 * 3 * 6, seed: 12))
            return trainer
        }
        let source = Stripes(count: 64, side: 10)
        let whole = try make()
        let expected = try whole.run(source, development: source)
        #expect(expected.epochs[2].loss < expected.epochs[0].loss)
        for stopAfter in [2, 5, 8] {
            let stopped = try make()
            let stop = StopFlag()
            var (steps, saved) = (0, [UInt8]())
            _ = try stopped.run(
                source, development: source, stop: stop,
                onStep: { _ in
                    steps += 1
                    if steps == stopAfter { stop.set() }
                }, saveCheckpoint: { saved = try $0.checkpoint() })
            let resumed = try make()
            try saved.withUnsafeBytes { try resumed.restore($0) }
            _ = try resumed.run(source, development: source)
            #expect(bits(resumed.network) == bits(whole.network))
        }
    }

    /// From the end of one step to the end of the next, on the thread that trains: nothing by one thread; where there are
    /// more, the closures that they share, each some bytes.
    @Test(arguments: Architectures.names, [1, 2]) func noMemoryIsTakenInAStep(
        _ architecture: String, _ threads: Int
    ) throws {
        for optimizer in [TrainingSettings.OptimizerKind.adam, .sgd, .muon] {
            var settings = settings(epochs: 1, threads: threads)
            settings.optimizer = optimizer
            settings.learningRate = 1e-4
            settings.batch = 4
            settings.averaging = WeightAveraging(optimizer == .sgd ? "lookahead:2:0.5" : "ema:0.9")!
            settings.augmentation.cutMix = 0.5
            settings.hierarchy = 0.3
            let network = try Network(
                NetworkDefinition(
                    architecture: architecture, input: Shape(height: 32, width: 32, channels: 3), classes: 4,
                    settings: .object(try #require(smallSettings[architecture]))),
                maxBatch: settings.batch, mode: .training, threads: threads)
            let trainer = try Trainer(network, settings: settings, superclassOf: [0, 0, 1, 1])
            var counts = [Int](repeating: 0, count: 6)
            var step = 0
            _ = try trainer.run(
                Stripes(count: 24, side: 32),
                onStep: { _ in
                    counts[step] = threads == 1 ? allocations_of_this_thread() : large_allocations_of_this_thread()
                    step += 1
                })
            // The first steps may make what all of them use.
            #expect(counts[0] > 0 && Set(counts[1...]).count == 1, "\(optimizer): \(counts)")
        }
    }

    /// A factor on a tensor's rate is as if the rate were another one for that tensor alone; 0 leaves the tensor as it is.
    @Test(arguments: [TrainingSettings.OptimizerKind.adam, .sgd, .muon])
    func ratesHaveFactors(_ optimizer: TrainingSettings.OptimizerKind) throws {
        /// One step from the same start.
        func step(_ rate: Double, _ factor: (String) -> Double) throws -> Network {
            let network = try Network(smallFoveaNet, maxBatch: 4, mode: .training, threads: 1)
            network.initialize(seed: 3)
            let filters: [Float] = (0..<72).map { (i: Int) -> Float in Float(i % 7) / 7 - 0.4 }
            try network.write("stem.conv.weight", filters)
            let optimizer: any Optimizer =
                switch optimizer {
                case .adam: Adam(network, learningRate: rate, weightDecay: 0.1, rateFactor: factor)
                case .sgd: SGD(network, learningRate: rate, weightDecay: 0.1, rateFactor: factor)
                case .muon:
                    Muon(
                        network, learningRate: rate, momentum: 0.6,
                        rest: .nesterov(learningRate: rate, momentum: 0.9, weightDecay: 0.1), rateFactor: factor)
                case .muonAdam:
                    Muon(
                        network, learningRate: rate, momentum: 0.6,
                        rest: .adam(learningRate: rate, weightDecay: 0.1), rateFactor: factor)
                }
            let images: [Float] = (0..<1200).map { (i: Int) -> Float in Float(i * 37 % 100) / 50 - 1 }
            _ = network.forwardBackward(
                images, targets: (0..<4).map { Target(Int32($0)) }, count: 4, loss: Loss(), step: 0, seed: 1)
            optimizer.apply(factor: 1)
            return network
        }
        func factor(_ name: String) -> Double {
            name.hasPrefix("head") ? 10 : name.hasPrefix("group1.a") ? 0 : 1
        }
        let (mixed, slow, fast, still) = (
            try step(0.01, factor), try step(0.01) { _ in 1 }, try step(0.1) { _ in 1 }, try step(0) { _ in 0 }
        )
        for tensor in mixed.tensors where tensor.kind == .parameter {
            let expected = tensor.name.hasPrefix("head") ? fast : tensor.name.hasPrefix("group1.a") ? still : slow
            #expect(distance(mixed.read(tensor.name), expected.read(tensor.name)) < 1e-6, "\(tensor.name)")
            #expect(
                (mixed.read(tensor.name) == still.read(tensor.name)) == tensor.name.hasPrefix("group1.a"),
                "\(tensor.name)")
        }
    }

    /// Training goes on from what the network has, with frozen statistics where that is wanted, and measuring it first
    /// changes nothing.
    @Test func trainingGoesOnFromGivenWeights() throws {
        func make() throws -> Network {
            let network = try Network(smallVanilla(), maxBatch: 16, mode: .training, threads: 1)
            network.initialize(seed: 9)
            try network.write("block1.norm1.mean", [0.3, 0.2, 0.1])
            network.freezesStatistics = true
            return network
        }
        let start = try make()
        var settings = settings(epochs: 1, threads: 1)
        settings.learningRate = 1e-3
        let network = try make()
        let trainer = try Trainer(
            network, settings: settings, startsFresh: false, rateFactor: { $0.hasPrefix("block1") ? 0 : 1 })
        #expect(bits(network) == bits(start))
        _ = try trainer.measuredSecondsPerEpoch(Stripes(count: 32), development: 0)
        #expect(bits(network) == bits(start))
        _ = try trainer.run(Stripes(count: 32))
        for tensor in network.tensors {
            let isKept = tensor.kind == .buffer || tensor.name.hasPrefix("block1")
            #expect((network.read(tensor.name) == start.read(tensor.name)) == isKept, "\(tensor.name)")
        }
    }

    /// Every optimizer and every average, mixed images and superclasses, from checkpoints in the middle of epochs.
    @Test(arguments: [
        (TrainingSettings.OptimizerKind.adam, "ema:0.9", 0.0), (.sgd, "lookahead:3:0.5", 0.5), (.sgd, "none", 0),
        (.muon, "ema:0.95", 0.3),
    ])
    func whateverIsRememberedGoesOnBitForBit(
        _ optimizer: TrainingSettings.OptimizerKind, _ averaging: String, _ cutMix: Double
    ) throws {
        var settings = settings(epochs: 3)
        settings.optimizer = optimizer
        settings.averaging = WeightAveraging(averaging)!
        settings.augmentation.cutMix = cutMix
        settings.hierarchy = 0.3
        settings.schedule = .oneCycle
        func make() throws -> Trainer {
            let network = try Network(
                smallVanilla(keep: 0.8, block: 1), maxBatch: settings.batch, mode: .training, threads: 2)
            return try Trainer(network, settings: settings, superclassOf: [0, 0, 1, 1])
        }
        let source = Stripes(count: 80)
        for development in [Stripes(count: 20), nil] {
            let whole = try make()
            var checkpoints: [[UInt8]] = []
            let expected = try whole.run(
                source, development: development, saveEvery: 0,
                saveCheckpoint: { checkpoints.append(try $0.checkpoint()) })
            // Five steps an epoch: four in the middle, one at the end.
            #expect(checkpoints.count == 15)
            for place in [1, 4, 6, 12] {
                let resumed = try make()
                try checkpoints[place].withUnsafeBytes { try resumed.restore($0) }
                let result = try resumed.run(source, development: development)
                #expect(result.epochs.map(\.loss) == expected.epochs.map(\.loss))
                #expect(bits(resumed.network) == bits(whole.network))
            }
        }
    }

    @Test func averagesAreWhatTheyAreCalled() throws {
        func end(_ averaging: WeightAveraging, steps: Int) throws -> [Float] {
            var settings = settings(epochs: steps)
            settings.averaging = averaging
            settings.schedule = .constant
            let trainer = try trainer(settings, keep: 1)
            _ = try trainer.run(Stripes(count: 16))
            return trainer.network.read("logits.linear.weight")
        }
        let plain = try (0...3).map { try end(.none, steps: max(1, $0)) }
        // The mean's first step leaves (1 + 1) / (10 + 1) of what was, the second 3 / 12.
        let start = try trainer(settings(epochs: 1), keep: 1).network.read("logits.linear.weight")
        let first = zip(start, plain[1]).map { 2 / 11 * $0 + 9 / 11 * $1 }
        #expect(distance(try end(.ema(decay: 0.9), steps: 1), first) < 1e-6)
        let second = zip(first, plain[2]).map { 0.25 * $0 + 0.75 * $1 }
        #expect(distance(try end(.ema(decay: 0.9), steps: 2), second) < 1e-6)
        // After two steps half of the way back; the third step begins there.
        let back = zip(start, plain[2]).map { 0.5 * $0 + 0.5 * $1 }
        #expect(distance(try end(.lookahead(steps: 2, share: 0.5), steps: 2), back) < 1e-6)
        // A third step that the slow copy has not taken does not count.
        #expect(distance(try end(.lookahead(steps: 2, share: 0.5), steps: 3), back) < 1e-6)
        #expect(distance(plain[3], back) > 1e-3)
        for text in ["none", "ema:0.99", "lookahead:5:0.5"] { #expect(WeightAveraging(text)?.text == text) }
        for text in ["", "ema", "ema:1", "lookahead:0:0.5", "lookahead:5:2"] { #expect(WeightAveraging(text) == nil) }
    }

    /// A network that is far too sure of itself, or not sure enough, is told so; its answers stay.
    @Test(arguments: [Float(8), 0.1]) func theTemperatureMakesConfidencesTrue(_ factor: Float) throws {
        struct Noisy: TrainingSource {
            let count = 400
            func fill(
                _ images: UnsafeMutablePointer<Float>, labels: UnsafeMutablePointer<Int32>, indices: ArraySlice<Int>,
                epoch: Int, random: inout SeededGenerator
            ) {
                Stripes(count: count).fill(images, labels: labels, indices: indices, epoch: epoch, random: &random)
                // A fifth of the labels is wrong, so that nobody can be surer than four in five.
                for (n, index) in indices.enumerated() where index % 5 == 0 { labels[n] = (labels[n] + 1) % 4 }
            }
        }
        var settings = settings(epochs: 20)
        settings.labelSmoothing = 0
        let trainer = try trainer(settings, keep: 1)
        _ = try trainer.run(Stripes(count: 64))
        let network = trainer.network
        for name in ["logits.norm.scale", "logits.norm.shift"] {
            try network.write(name, network.read(name).map { factor * $0 })
        }
        let before = try network.evaluate(Noisy())
        let temperature = try network.fittedTemperature(Noisy())
        network.temperature = Float(temperature)
        let after = try network.evaluate(Noisy())
        #expect(after.top1 == before.top1 && after.loss < before.loss)
        #expect(factor > 1 ? temperature > 1 : temperature < 1)
        // No other one is better, with the prior that counts as much as one image or two.
        func objective(_ temperature: Double) throws -> Double {
            network.temperature = Float(temperature)
            return try network.evaluate(Noisy()).loss * Double(Noisy().count) + 2 * log(temperature) * log(temperature)
        }
        for other in [0.9, 1.1] { #expect(try objective(temperature * other) > objective(temperature)) }
    }

    /// Six images that are all right ask for endless confidence, and do not get it.
    @Test func aHandfulOfImagesDoesNotMakeSure() throws {
        var settings = settings(epochs: 20)
        settings.labelSmoothing = 0
        let trainer = try trainer(settings, keep: 1)
        _ = try trainer.run(Stripes(count: 64))
        let temperature = try trainer.network.fittedTemperature(Stripes(count: 6))
        #expect(try trainer.network.evaluate(Stripes(count: 6)).top1 == 1)
        #expect(temperature > 0.3 && temperature <= 1, "\(temperature)")
    }

    @Test func aTargetEndsTheTrainingWhereItIsReached() throws {
        let trainer = try trainer(settings(epochs: 60), keep: 1)
        let development = Stripes(count: 24)
        let result = try trainer.run(Stripes(count: 64), development: development, target: 0.6)
        #expect(result.end == .target && result.epochs.count < 60)
        #expect(try trainer.network.evaluate(development).top1 >= 0.6)
        #expect(result.epochs.dropLast().allSatisfy { $0.development!.top1 < 0.6 })
    }

    /// Measuring how long an epoch takes leaves nothing behind.
    @Test func aMeasuredTrainerIsAsNew() throws {
        var settings = settings(epochs: 2)
        settings.optimizer = .sgd
        let (measured, plain) = (try trainer(settings), try trainer(settings))
        #expect(try measured.measuredSecondsPerEpoch(Stripes(count: 64), development: 20) > 0)
        for trainer in [measured, plain] { _ = try trainer.run(Stripes(count: 64)) }
        #expect(bits(measured.network) == bits(plain.network))
    }

    @Test func mixedImagesAreBothInTheirProportion() {
        let batch = Self.mixedBatch(share: 0.5, count: 400)
        let touched = batch.targets.filter { $0.share > 0 }
        #expect((150...250).contains(touched.count))
        for (n, target) in batch.targets.enumerated() {
            // Image n is made of n's everywhere: what is pasted in is its partner's.
            let image = batch.images[n * 192..<(n + 1) * 192]
            let foreign = image.filter { $0 != Float(n) }
            #expect(abs(Float(foreign.count) / 192 - target.share) < 1e-6 || target.other == target.label)
            #expect(Set(foreign).count <= 1 && foreign.allSatisfy { Int32($0) % 4 == target.other })
        }
    }

    @Test func sizesThatTheNetworkCannotTakeAreRefused() throws {
        var settings = settings(epochs: 1)
        settings.sizes = [.init(side: 2, until: 0.5)]
        #expect(throws: ShapeError.self) { try trainer(settings) }
    }

    /// Of 20 pixels one is left where the widest filters are: there Winograd's transforms do not pay, and the other algorithm
    /// needs sums for each thread, more than all that the network for 32 pixels needs for few images.
    @Test func aSmallerMapMayNeedMoreMemory() throws {
        var settings = settings(epochs: 1, threads: 16)
        settings.sizes = [.init(side: 20, until: 0.5)]
        let definition = NetworkDefinition(architecture: "foveanet", classes: 4)
        let network = try Network(definition, maxBatch: 16, mode: .training, threads: 16)
        let trainer = try Trainer(network, settings: settings)
        #expect(try trainer.run(Stripes(count: 32, side: 32)).end == .finished)
        // What the machine has not is refused before it is taken.
        #expect(throws: NetworkDefinitionError.self) {
            try Trainer(network, settings: settings, beside: machineMemory - network.bytes - 1)
        }
    }

    @Test func damagedAndForeignCheckpointsAreRefused() throws {
        let one = try trainer(settings(epochs: 1))
        let good = try one.checkpoint()
        func refuse(_ bytes: [UInt8], by trainer: Trainer, saying words: String = "checkpoint") {
            let error = #expect(throws: CheckpointError.self) { try bytes.withUnsafeBytes { try trainer.restore($0) } }
            #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
        }
        refuse([], by: one)
        refuse(Array(good.dropLast()), by: one)
        refuse(Array("something else entirely, long enough".utf8), by: one)
        refuse(Array(good.prefix(40)), by: one)
        for place in [30, good.count / 2, good.count - 1] {
            var flipped = good
            flipped[place] ^= 1
            refuse(flipped, by: one, saying: "damaged")
        }
        refuse(good, by: try trainer(settings(epochs: 1), keep: 0.7), saying: "another network")
        var other = settings(epochs: 1)
        other.learningRate = 0.5
        refuse(good, by: try trainer(other), saying: "learningRate was 0.01, now 0.5")
        refuse(good, by: try trainer(settings(epochs: 1), inputs: ["data": "2"]), saying: "data was 1, now 2")
        // A cosine over more epochs would have gone another way from the first step on.
        refuse(good, by: try trainer(settings(epochs: 9)), saying: "epochs was 1, now 9")
        try good.withUnsafeBytes { try trainer(settings(epochs: 1, threads: 1)).restore($0) }
        var constant = settings(epochs: 1)
        constant.schedule = .constant
        let short = try trainer(constant).checkpoint()
        constant.epochs = 9
        try short.withUnsafeBytes { try trainer(constant).restore($0) }
    }

    @Test func aCheckpointOfMoreImagesIsRefusedBeforeItTrains() throws {
        let stopped = try trainer(settings(epochs: 2))
        let stop = StopFlag()
        var saved: [UInt8] = []
        _ = try stopped.run(
            Stripes(count: 64), stop: stop, onStep: { if $0.step == 3 { stop.set() } },
            saveCheckpoint: { saved = try $0.checkpoint() })
        let other = try trainer(settings(epochs: 2))
        try saved.withUnsafeBytes { try other.restore($0) }
        #expect(throws: CheckpointError.self) { try other.run(Stripes(count: 32)) }
    }

    @Test func aTrainingThatBlowsUpIsStoppedAndSaysWhere() throws {
        var settings = settings(epochs: 5)
        settings.learningRate = 1e30
        settings.clip = 0
        settings.warmup = 0
        let trainer = try trainer(settings, keep: 1)
        var saved = 0
        let error = #expect(throws: Divergence.self) {
            try trainer.run(Stripes(count: 64), saveCheckpoint: { _ in saved += 1 })
        }
        #expect(error?.epoch == 1 && saved == 0)
        #expect(error?.description.contains("lower learning rate") == true)
    }

    /// ReLU makes nothing finite of what is not a number, and what is saved in the middle of an epoch is sound.
    @Test(arguments: ["relu", "silu"]) func whatIsSavedIsSound(_ activation: String) throws {
        var definition = smallVanilla()
        definition.settings = definition.settings.merging(.object(["activation": .string(activation)]))
        let network = try Network(definition, maxBatch: 16, mode: .training, threads: 2)
        let trainer = try Trainer(network, settings: settings(epochs: 1))
        let name = try #require(network.tensors.first { $0.kind == .parameter }?.name)
        var saved = 0
        #expect(throws: Divergence.self) {
            try trainer.run(
                Stripes(count: 128), saveEvery: 0,
                onStep: { report in
                    guard report.step == 3 else { return }
                    var values = network.read(name)
                    values[0] = .infinity
                    try? network.write(name, values)
                },
                saveCheckpoint: { trainer in
                    saved += 1
                    let isSound = trainer.network.tensors.allSatisfy { tensor in
                        trainer.network.read(tensor.name).allSatisfy(\.isFinite)
                    }
                    #expect(isSound)
                })
        }
        #expect(saved == 2)
        // What is not a number comes through to the answer.
        var image = random(network.input.count)
        image[9] = .nan
        var probabilities = [Float](repeating: 0, count: 4)
        let serving = try Network(definition, maxBatch: 1, mode: .inference, threads: 1)
        serving.initialize(seed: 1)
        serving.predict(image, count: 1, probabilities: &probabilities)
        #expect(probabilities.contains { !$0.isFinite })
    }

    /// Running statistics that no image can be normalised by: training does not use them, and goes on with numbers.
    @Test func anEvaluationThatIsNoNumberIsADivergence() throws {
        let trainer = try trainer(settings(epochs: 2), keep: 1)
        let network = trainer.network
        let variance = try #require(network.tensors.first { $0.name.hasSuffix("variance") }?.name)
        let error = #expect(throws: Divergence.self) {
            try trainer.run(
                Stripes(count: 32), development: Stripes(count: 8),
                onStep: { _ in
                    let values = network.read(variance)
                    try? network.write(variance, values.map { _ in -1 })
                })
        }
        #expect(error?.epoch == 1 && error?.step == 2)
    }

    /// Full batches of the same images and no steps to speak of: only the superclass's share of the loss changes.
    @Test func theSuperclassCountsLessAndLess() throws {
        func losses(_ hierarchy: Double) throws -> [Double] {
            var settings = settings(epochs: 8)
            settings.learningRate = 1e-9
            settings.weightDecay = 0
            settings.hierarchy = hierarchy
            let network = try Network(smallVanilla(), maxBatch: 16, mode: .training, threads: 1)
            let trainer = try Trainer(network, settings: settings, superclassOf: [0, 0, 1, 1])
            var losses: [Double] = []
            _ = try trainer.run(Still(count: 16), onStep: { losses.append($0.loss) })
            return losses
        }
        let extra = zip(try losses(0.5), try losses(0)).map { $0 - $1 }
        #expect(extra[0] > 0.05)
        for (step, share) in extra.enumerated() { #expect(abs(share / extra[0] - (1 - Double(step) / 8)) < 1e-3) }
    }

    /// Stripes without noise of the moment.
    private struct Still: TrainingSource {
        var count: Int
        func fill(
            _ images: UnsafeMutablePointer<Float>, labels: UnsafeMutablePointer<Int32>, indices: ArraySlice<Int>,
            epoch: Int, random: inout SeededGenerator
        ) {
            var none = SeededGenerator(0)
            for (n, index) in indices.enumerated() {
                Stripes(count: count).fill(
                    images + n * 192, labels: labels + n, indices: [index], epoch: 0, random: &none)
                none = SeededGenerator(0)
            }
        }
    }

    /// Until their share of the steps is done the images are smaller, and then they are not.
    @Test func imagesAreSmallerForTheirShare() throws {
        func trained(_ sizes: [TrainingSettings.Size], steps: Int) throws -> [UInt32] {
            var settings = settings(epochs: 2)
            settings.sizes = sizes
            let network = try Network(smallFoveaNet, maxBatch: settings.batch, mode: .training, threads: 1)
            let trainer = try Trainer(network, settings: settings)
            try network.write("stem.conv.weight", random(2 * 2 * 3 * 6, seed: 12))
            let stop = StopFlag()
            var done = 0
            _ = try trainer.run(
                Stripes(count: 64, side: 10), stop: stop,
                onStep: { _ in
                    done += 1
                    if done == steps { stop.set() }
                })
            return bits(trainer.network)
        }
        let half = [TrainingSettings.Size(side: 6, until: 0.5)]
        let always = [TrainingSettings.Size(side: 6, until: 1)]
        for steps in [1, 3, 4] {
            #expect(try trained(half, steps: steps) == trained(always, steps: steps))
            #expect(try trained(half, steps: steps) != trained([], steps: steps))
        }
        #expect(try trained(half, steps: 5) != trained(always, steps: 5))
    }

    @Test func aCheckpointOfMoreEpochsIsRefused() throws {
        var settings = settings(epochs: 4)
        settings.schedule = .constant
        let whole = try trainer(settings)
        var saved: [[UInt8]] = []
        _ = try whole.run(Stripes(count: 32), saveCheckpoint: { saved.append(try $0.checkpoint()) })
        settings.epochs = 2
        let fewer = try trainer(settings)
        try saved[1].withUnsafeBytes { try fewer.restore($0) }
        let error = #expect(throws: CheckpointError.self) { try saved[2].withUnsafeBytes { try fewer.restore($0) } }
        #expect(error?.description.contains("in epoch 3 already") == true)
    }

    /// The thread that prepares batches ends with the training, however that ends.
    @Test func nothingIsPreparedForATrainingThatHasEnded() throws {
        final class Watched: TrainingSource {
            let count = 1600
            func fill(
                _ images: UnsafeMutablePointer<Float>, labels: UnsafeMutablePointer<Int32>, indices: ArraySlice<Int>,
                epoch: Int, random: inout SeededGenerator
            ) { Stripes(count: count).fill(images, labels: labels, indices: indices, epoch: epoch, random: &random) }
        }
        struct Enough: Error {}
        weak var source: Watched?
        do {
            let watched = Watched()
            source = watched
            let trainer = try trainer(settings(epochs: 1))
            #expect(throws: Enough.self) {
                try trainer.run(watched, saveEvery: 0, saveCheckpoint: { _ in throw Enough() })
            }
        }
        #expect(source == nil)
    }

    @Test func settingsThatCannotBeTrainedWithAreNamed() {
        #expect(TrainingSettings().problem(side: 32) == nil)
        func problem(_ change: (inout TrainingSettings) -> Void) -> String {
            var settings = TrainingSettings()
            change(&settings)
            return settings.problem(side: 32)?.description ?? ""
        }
        #expect(problem { $0.batch = 0 }.hasPrefix("batch"))
        #expect(problem { $0.clip = .infinity }.hasPrefix("clip must"), "JSON has no infinity")
        #expect(problem { $0.learningRate = .nan }.hasPrefix("learningRate must"))
        #expect(problem { $0.augmentation.blur = 2 }.hasPrefix("augmentation.blur"))
        #expect(problem { $0.augmentation.crop = -1 }.hasPrefix("augmentation.crop"))
        #expect(problem { $0.augmentation.crop = 32 }.hasPrefix("augmentation.crop"))
        #expect(problem { $0.sizes = [.init(side: 40, until: 0.5)] }.hasPrefix("sizes"))
    }

    @Test func theBestEpochIsKeptAndPatienceEnds() throws {
        var settings = settings(epochs: 30)
        settings.patience = 2
        let trainer = try trainer(settings, keep: 1)
        let development = Stripes(count: 24)
        let result = try trainer.run(Stripes(count: 32), development: development)
        #expect(result.end == .patience)
        #expect(result.epochs.count == result.epoch + 2)
        let best = result.epochs.compactMap { $0.development?.top1 }.max()
        #expect(try trainer.network.evaluate(development).top1 == best)
        #expect(result.epochs[result.epoch - 1].best)
    }

    @Test func aFailingSourceEndsTheTraining() throws {
        struct Broken: TrainingSource {
            struct Reason: Error {}
            let count = 64
            func fill(
                _ images: UnsafeMutablePointer<Float>, labels: UnsafeMutablePointer<Int32>, indices: ArraySlice<Int>,
                epoch: Int, random: inout SeededGenerator
            ) throws { throw Reason() }
        }
        let trainer = try trainer(settings(epochs: 1))
        #expect(throws: Broken.Reason.self) { try trainer.run(Broken()) }
    }

    @Test func schedulesAgreeWithPyTorch() throws {
        let g = try golden("schedules")
        for (schedule, name) in [(Schedule.cosine, "cosine"), (.step(factor: 0.9), "step")] {
            let factors = (0..<40).map { Float(schedule.factor(step: $0, total: 40, perEpoch: 10, warmup: 5)) }
            #expect(distance(factors, g.floats(name)) < 1e-6)
        }
        let cycle = (0..<40).map { Float(Schedule.oneCycle.factor(step: $0, total: 40, perEpoch: 10, warmup: 5)) }
        #expect(distance(cycle, try golden("onecycle").floats("factors")) < 1e-6)
        let linear = (0..<40).map { Schedule.linear.factor(step: $0, total: 40, perEpoch: 10, warmup: 5) }
        #expect(
            linear[4] == 1 && linear[5] == 1 && abs(linear[22] - 18.0 / 35) < 1e-12
                && abs(linear[39] - 1.0 / 35) < 1e-12)
        #expect(Schedule.constant.factor(step: 39, total: 40, perEpoch: 10, warmup: 5) == 1)
        for text in ["constant", "cosine", "linear", "one-cycle", "step:0.98"] { #expect(Schedule(text)?.text == text) }
        for text in ["", "step", "step:2", "step:x", "square"] { #expect(Schedule(text) == nil) }
    }

    @Test func randomNumbersAreTheDocumentedOnes() {
        // SplitMix64 of seed 1234567, from the reference implementation.
        var mix = SplitMix64(seed: 1_234_567)
        #expect(
            (0..<3).map { _ in mix.next() } == [
                6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
            ])
        var (a, b, c) = (SeededGenerator(1, 2), SeededGenerator(1, 2), SeededGenerator(1, 3))
        let first = a.next()
        #expect(first == b.next() && first != c.next())
    }

    /// Images of 8×8 that hold their own number, of class number % 4, after CutMix.
    private static func mixedBatch(share: Double, count: Int) -> (images: [Float], targets: [Target]) {
        var images = (0..<count * 192).map { Float($0 / 192) }
        var targets = (0..<count).map { Target(Int32($0 % 4)) }
        var random = SeededGenerator(3)
        CutMix(Shape(height: 8, width: 8, channels: 3), share: share, batch: count)
            .apply(&images, &targets, count: count, random: &random)
        return (images, targets)
    }
}
