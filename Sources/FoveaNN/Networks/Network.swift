import CKernels
import FoundationEssentials
import Glibc

/// A tensor of a network: its name, its shape, and whether training learns it or only keeps it up to date.
package struct TensorInfo: Sendable, Equatable {
    package enum Kind: String, Sendable { case parameter, buffer }
    package let name: String
    package let shape: [Int]
    package let kind: Kind
    package var count: Int { shape.reduce(1, *) }
}

/// A network with its memory: a chain of layers over one arena each for parameters, gradients and activations.
///
/// ```
///   values       | parameters of layer 0, 1, … | buffers (running statistics) |
///   gradients    | the same parameters                                        |      training only
///   activations  | outputs of the layers, whole batch | layers' own memory | per-thread scratch |
///   deltas       | two buffers of the largest activation, used in turn        |      training only
/// ```
/// Inference uses two activation buffers in turn and keeps nothing.
///
/// THREADING: one call at a time. `@unchecked Sendable`: a network may move between threads; whoever holds it calls it.
package final class Network: @unchecked Sendable {
    package let definition: NetworkDefinition
    package let mode: Mode
    /// Images of the largest batch that one pass takes; `predict` takes any number.
    package let maxBatch: Int
    package let tensors: [TensorInfo]
    /// Floats that training learns.
    package let parameterCount: Int
    /// Bytes of all arenas.
    package let bytes: Int

    package var input: Shape { definition.input }
    package var classes: Int { definition.classes }
    /// Multiplications and additions of convolutions and matrices, forward, for one image, by their definition.
    package var multiplications: Int { layers.reduce(0) { $0 + $1.multiplications } }
    package var threads: Int { pool.threads }

    /// Divides the logits before they become probabilities.
    package var temperature: Float = 1

    /// Training leaves the running statistics of all batch norms as they are, and normalises with them: for fine-tuning,
    /// where batches say less about the images than what was learnt before. Scale and shift go on learning.
    package var freezesStatistics = false

    /// Set it to be told how long each layer takes.
    package var clock: LayerClock?

    let pool: ThreadPool
    let layers: [any Layer]
    let values: Floats
    let gradients: Floats?
    /// The parts of the parameter arena that weight decay applies to.
    let decaying: [Range<Int>]
    /// Floats of the parameter part of `values`, padding included.
    let parameterFloats: Int
    let valueFloats: Int

    private let arenas: [Arena]
    private let specifications: [TensorSpecification]
    private let offsets: [Int]
    /// activations[i] is what layer i reads, activations[i + 1] what it writes; nil is the caller's images.
    private let activations: [Floats?]
    private let deltas: [Floats]
    private let scratch: [Floats]
    private let partial: [Floats]
    /// Loss and hit of each image; training only.
    private let lossRows: Floats?
    private let firstTrainable: Int
    /// The last fully connected layer.
    private let headIndex: Int?
    private let names: [String: Int]

    /// Builds the network; all memory is allocated here, zeroed.
    ///
    /// - Parameters:
    ///   - maxBatch: images of one pass, more memory for more.
    ///   - threads: the pool's size; 1 makes no thread at all.
    ///   - beside: bytes that its owner needs as well, by the floats that are learned.
    ///   - other: a network of the same parameters for images of another size, whose memory this one uses, parameters,
    ///     gradients and, as far as it goes, activations: only one of them runs at a time, after `parametersChanged`.
    /// - Throws: `NetworkDefinitionError`, also where the machine has less memory than all arenas need; `ShapeError`;
    ///   `SystemError` where the system gives no more threads.
    package init(
        _ definition: NetworkDefinition, maxBatch: Int, mode: Mode, threads: Int, beside: (Int) -> Int = { _ in 0 },
        sharing other: Network? = nil
    ) throws {
        precondition(maxBatch > 0 && threads > 0)
        let definition = try Architectures.resolved(definition)
        let layers = try Architectures.build(definition, mode: mode)
        let capacity = maxBatch
        self.definition = definition
        self.mode = mode
        self.maxBatch = capacity
        self.layers = layers
        pool = try other?.pool ?? ThreadPool(threads: threads)

        // Tensors: parameters first, so that the optimizer sees one run of floats.
        let all = layers.flatMap(\.tensors)
        let order = all.indices.sorted { (all[$0].kind == .buffer ? 1 : 0, $0) < (all[$1].kind == .buffer ? 1 : 0, $1) }
        let values = Arena()
        var offsets = [Int](repeating: 0, count: all.count)
        var parameterFloats = 0
        for index in order {
            offsets[index] = values.reserve(all[index].count)
            if all[index].kind == .parameter { parameterFloats = values.count }
        }
        specifications = all
        self.offsets = offsets
        self.parameterFloats = parameterFloats
        valueFloats = values.count
        parameterCount = all.filter { $0.kind == .parameter }.reduce(0) { $0 + $1.count }
        decaying = all.indices.filter { all[$0].decays }.map { offsets[$0]..<(offsets[$0] + all[$0].count) }
        tensors = all.map { TensorInfo(name: $0.name, shape: $0.shape, kind: $0.kind) }
        names = Dictionary(uniqueKeysWithValues: all.enumerated().map { ($1.name, $0) })
        let gradients = Arena()
        if mode == .training { _ = gradients.reserve(parameterFloats) }

        // Activations, the layers' own memory, scratch.
        let memory = Arena()
        let largest = layers.map { max($0.input.count, $0.output.count) }.max() ?? 0
        var places: [Int?] = [nil]
        let turns = mode == .inference ? [memory.reserve(capacity * largest), memory.reserve(capacity * largest)] : []
        var turn = 0
        for layer in layers {
            if layer.inPlace {
                places.append(places[places.count - 1])
            } else if mode == .training {
                places.append(memory.reserve(capacity * layer.output.count))
            } else {
                places.append(turns[turn])
                turn = 1 - turn
            }
        }
        let needs = layers.map { $0.needs(maxBatch: capacity, mode: mode) }
        let own = needs.map { memory.reserve($0.own) }
        let sharedPlace = memory.reserve(needs.map(\.shared).max() ?? 0)
        let scratchFloats = needs.map(\.scratch).max() ?? 0
        let partialFloats = needs.map(\.partial).max() ?? 0
        let scratch = (0..<threads).map { _ in memory.reserve(scratchFloats) }
        let partial = (0..<threads).map { $0 == 0 ? 0 : memory.reserve(partialFloats) }
        let lossRows = mode == .training ? memory.reserve(2 * capacity) : nil
        let deltas = Arena()
        let deltaPlaces =
            mode == .training ? [deltas.reserve(capacity * largest), deltas.reserve(capacity * largest)] : []

        arenas = [values, gradients, memory, deltas]
        // Another algorithm may need more for a smaller map.
        let isShared = arenas.enumerated().map { index, arena in
            other.map { arena.count <= $0.arenas[index].count } ?? false
        }
        bytes = zip(arenas, isShared).reduce(0) { $0 + ($1.1 ? 0 : $1.0.count * 4) }
        let needed = bytes + (other?.bytes ?? 0) + beside(parameterCount)
        guard needed < machineMemory else {
            let use = mode == .training ? "training in batches" : "batches"
            throw NetworkDefinitionError(
                "\(needed >> 20) MiB are needed for \(use) of \(capacity), the machine has \(machineMemory >> 20) MiB: make "
                    + "batches, images or layers smaller")
        }
        for (index, arena) in arenas.enumerated() {
            if let shared = other?.arenas[index] {
                guard index >= 2 || arena.count == shared.count else {
                    throw NetworkDefinitionError(
                        "\(definition.architecture) has other weights for images of \(definition.input): only networks that pool "
                            + "all pixels before their matrices, such as foveanet, can begin with smaller images; --sizes none "
                            + "begins with whole ones")
                }
                if isShared[index] { arena.share(shared) } else { arena.allocate() }
            } else {
                arena.allocate()
            }
        }
        self.values = values[0]
        self.gradients = mode == .training ? gradients[0] : nil
        activations = places.map { $0.map { memory[$0] } }
        self.deltas = deltaPlaces.map { deltas[$0] }
        self.scratch = scratch.map { memory[$0] }
        self.partial = partial.map { memory[$0] }
        self.lossRows = lossRows.map { memory[$0] }
        headIndex = layers.lastIndex { $0 is FullyConnected }
        firstTrainable = layers.firstIndex { $0.tensors.contains { $0.kind == .parameter } } ?? layers.count

        var next = 0
        for (layer, place) in zip(layers, own) {
            let mine = next..<(next + layer.tensors.count)
            next = mine.upperBound
            layer.bind(
                LayerMemory(
                    tensors: mine.map { values[offsets[$0]] },
                    gradients: mine.map {
                        mode == .training && all[$0].kind == .parameter ? gradients[offsets[$0]] : nil
                    },
                    own: memory[place], shared: memory[sharedPlace]))
        }
        for (spec, offset) in zip(all, offsets) where other == nil {
            if case .constant(let value) = spec.start {
                (values[offset]).update(repeating: value, count: spec.count)
            }
        }
    }

    // MARK: - Tensors

    /// What training learns, with its place in `values` and `gradients`.
    var parameters: [(tensor: TensorInfo, range: Range<Int>)] {
        zip(tensors, offsets).filter { $0.0.kind == .parameter }.map { ($0.0, $0.1..<($0.1 + $0.0.count)) }
    }

    /// Fresh parameters: Xavier uniform (Glorot & Bengio 2010) for filters and matrices, constants for the rest.
    package func initialize(seed: UInt64) {
        for (index, spec) in specifications.enumerated() {
            let place = values + offsets[index]
            switch spec.start {
            case .constant(let value): place.update(repeating: value, count: spec.count)
            case .xavier(let fanIn, let fanOut):
                var random = SeededGenerator(seed, UInt64(index))
                let limit = (6 / Float(fanIn + fanOut)).squareRoot()
                for i in 0..<spec.count { place[i] = (2 * random.uniform() - 1) * limit }
            case .uniform(let fanIn):
                var random = SeededGenerator(seed, UInt64(index))
                let limit = 1 / Float(fanIn).squareRoot()
                for i in 0..<spec.count { place[i] = (2 * random.uniform() - 1) * limit }
            case .dirac:
                var random = SeededGenerator(seed, UInt64(index))
                let (kernel, inputs, outputs) = (spec.shape[0], spec.shape[2], spec.shape[3])
                let limit = 1 / Float(kernel * kernel * inputs).squareRoot()
                for i in 0..<spec.count {
                    let (position, input, output) = (i / outputs / inputs, i / outputs % inputs, i % outputs)
                    let value = (2 * random.uniform() - 1) * limit
                    guard output < min(inputs, outputs) else {
                        place[i] = value
                        continue
                    }
                    place[i] = position == kernel / 2 * kernel + kernel / 2 && input == output ? 1 : 0
                }
            }
        }
        parametersChanged()
    }

    /// A tensor's floats, row-major. Traps on a name that is not in `tensors`.
    package func read(_ name: String) -> [Float] {
        guard let index = names[name] else { preconditionFailure("no tensor is called \(name)") }
        return Array(UnsafeBufferPointer(start: values + offsets[index], count: specifications[index].count))
    }

    /// A parameter's gradient after `forwardBackward`. Traps on a name that is no parameter.
    package func readGradient(_ name: String) -> [Float] {
        guard let index = names[name], let gradients, specifications[index].kind == .parameter else {
            preconditionFailure("\(name) has no gradient")
        }
        return Array(UnsafeBufferPointer(start: gradients + offsets[index], count: specifications[index].count))
    }

    /// Replaces a tensor's floats.
    /// - Throws: `ShapeError` for an unknown name or a wrong number of floats.
    package func write(_ name: String, _ floats: [Float]) throws(ShapeError) {
        guard let index = names[name] else {
            throw ShapeError(
                "network '\(definition.architecture)'", given: "a tensor called '\(name)'", expected: "one of its own")
        }
        let spec = specifications[index]
        guard floats.count == spec.count else {
            throw ShapeError(name, given: "\(floats.count) floats", expected: "\(spec.shape), \(spec.count) floats")
        }
        floats.withUnsafeBufferPointer { (values + offsets[index]).update(from: $0.baseAddress!, count: spec.count) }
        parametersChanged()
    }

    /// Tells the layers that the arena's values are new.
    func parametersChanged() { for layer in layers { layer.parametersChanged() } }

    // MARK: - Passes

    private func pass(training: Bool, step: Int = 0, epoch: Int = 0, seed: UInt64 = 0) -> Pass {
        Pass(
            training: training, freezesStatistics: freezesStatistics, pool: pool, scratch: scratch, partial: partial,
            step: step, epoch: epoch, seed: seed,
            clock: clock)
    }

    /// Runs all layers over at most `maxBatch` images; the result is in the network's own memory until the next call.
    ///
    /// - Parameter most: only the first ones; nil: all.
    func forward(_ images: UnsafePointer<Float>, count: Int, layers most: Int? = nil, _ pass: Pass) -> Floats {
        precondition(count <= maxBatch)
        let images = UnsafeMutablePointer(mutating: images)  // no layer in place comes first, so x is only read
        let last = most ?? layers.count
        for index in 0..<last {
            layers[index].run(activations[index] ?? images, activations[index + 1]!, count: count, pass)
        }
        return activations[last] ?? images
    }

    /// Inference in blocks of images whose activations stay in the cache.
    ///
    /// - Parameter body: gets the first image's number, how many there are, and the result of the first `layers` layers,
    ///   which it may change.
    private func eachBlock(
        _ images: UnsafePointer<Float>, count: Int, layers: Int, _ body: (Int, Int, Floats) -> Void
    ) {
        let most = min(maxBatch, imageBlock * pool.threads)
        let pass = pass(training: false)
        for first in stride(from: 0, to: count, by: most) {
            let present = min(most, count - first)
            body(first, present, forward(images + first * input.count, count: present, layers: layers, pass))
        }
    }

    /// Class probabilities of any number of images, in the mode of inference.
    ///
    /// - Parameters:
    ///   - images: count × height × width × channels.
    ///   - probabilities: count × classes, overwritten. Bit for bit the same for an image in any batch.
    ///   - features: count × `featureCount`, overwritten, as `features` gives them; nil where they are not needed.
    package func predict(
        _ images: UnsafePointer<Float>, count: Int, probabilities: UnsafeMutablePointer<Float>,
        features: UnsafeMutablePointer<Float>? = nil
    ) {
        eachBlock(images, count: count, layers: layers.count) { first, present, logits in
            // What follows the head works in place, so what entered the head still lies in the other buffer.
            if let features, let headIndex, let entered = activations[headIndex] {
                (features + first * featureCount).update(from: entered, count: present * featureCount)
            }
            func finish(_ images: Range<Int>) {
                for n in images {
                    let row = logits + n * classes
                    if temperature != 1 { for i in 0..<classes { row[i] /= temperature } }
                    ck_softmax(row, Int32(classes), probabilities + (first + n) * classes)
                }
            }
            // A few images take less than it takes to wake a thread.
            if present <= 16 { finish(0..<present) } else { pool.split(present, grain: 16) { finish($1) } }
        }
    }

    /// The last fully connected layer's name: its tensors, `NAME.weight` and perhaps `NAME.bias`, make class scores of
    /// features. Nil where a network has none.
    package var head: String? { headIndex.map { layers[$0].name } }

    /// Floats of an image that enter `head`; 0 where there is none.
    package var featureCount: Int { headIndex.map { layers[$0].input.count } ?? 0 }

    /// What enters the last fully connected layer, of any number of images, in the mode of inference.
    ///
    /// - Parameters:
    ///   - images: count × height × width × channels.
    ///   - features: count × `featureCount`, overwritten. Bit for bit the same for an image in any batch.
    package func features(
        _ images: UnsafePointer<Float>, count: Int, into features: UnsafeMutablePointer<Float>
    ) {
        guard let headIndex else { preconditionFailure("\(definition.architecture) has no features") }
        eachBlock(images, count: count, layers: headIndex) { first, present, result in
            (features + first * featureCount).update(from: result, count: present * featureCount)
        }
    }

    /// Loss and hits of one batch, and all parameter gradients in `gradients`.
    ///
    /// - Parameters:
    ///   - step: training steps made so far; with `seed` it decides the dropout masks.
    ///   - epoch: epochs finished so far, for what changes with them.
    /// - Returns: the mean loss, and how many images were classified rightly.
    package func forwardBackward(
        _ images: UnsafePointer<Float>, targets: UnsafePointer<Target>, count: Int, loss: Loss, step: Int,
        epoch: Int = 0, seed: UInt64
    ) -> (loss: Double, hits: Int) {
        precondition(mode == .training)
        let pass = pass(training: true, step: step, epoch: epoch, seed: seed)
        let logits = forward(images, count: count, pass)
        var dy = deltas[0]
        var spare = deltas[1]
        let result = loss.apply(
            logits, classes: classes, targets: targets, count: count, gradient: dy, rows: lossRows!, pool)
        let images = UnsafeMutablePointer(mutating: images)
        for index in stride(from: layers.count - 1, through: firstTrainable, by: -1) {
            let layer = layers[index]
            let x = activations[index] ?? images
            if layer.inPlace {
                layer.runBack(x, dy, dy, count: count, pass)
            } else {
                layer.runBack(x, dy, index == firstTrainable ? nil : spare, count: count, pass)
                swap(&dy, &spare)
            }
        }
        return result
    }
}
