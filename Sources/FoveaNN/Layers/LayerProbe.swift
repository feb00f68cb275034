/// One layer by itself, over arrays: for tests and measurements. Networks do not use it.
package final class LayerProbe {
    /// A layer that can be tried. Each layer's file says how.
    package struct Kind: Sendable {
        let build: @Sendable (inout LayerStack) throws(ShapeError) -> Void
        init(_ build: @escaping @Sendable (inout LayerStack) throws(ShapeError) -> Void) { self.build = build }

        /// What the layer is called.
        static var probe: String { "probe" }
    }

    private let layer: any Layer
    private let arenas: [Arena]
    private let memory: LayerMemory
    private let pool: ThreadPool
    private let scratch: [Floats]
    private let partial: [Floats]
    private let x: Floats
    private let y: Floats
    private let dy: Floats
    private let dx: Floats

    /// As `Network.freezesStatistics`.
    package var freezesStatistics = false

    package var output: Shape { layer.output }
    /// Names of the layer's tensors, without the layer's own.
    package var names: [String] { layer.tensors.map { String($0.name.dropFirst(layer.name.count + 1)) } }

    /// - Throws: `ShapeError`.
    package init(_ kind: Kind, input: Shape, maxBatch: Int, mode: Mode = .training, threads: Int = 1) throws {
        var stack = LayerStack(input: input, mode: mode)
        try kind.build(&stack)
        precondition(stack.layers.count == 1, "a probe is of one layer")
        layer = stack.layers[0]
        pool = try ThreadPool(threads: threads)
        let needs = layer.needs(maxBatch: maxBatch, mode: mode)
        let arena = Arena()
        let places = layer.tensors.map { (arena.reserve($0.count), arena.reserve($0.count)) }
        let (own, shared) = (arena.reserve(needs.own), arena.reserve(needs.shared))
        let scratch = (0..<threads).map { _ in arena.reserve(needs.scratch) }
        let partial = (0..<threads).map { _ in arena.reserve(needs.partial) }
        let ends = [layer.input, layer.output, layer.output, layer.input].map { arena.reserve(maxBatch * $0.count) }
        arena.allocate()
        arenas = [arena]
        memory = LayerMemory(
            tensors: places.map { arena[$0.0] },
            gradients: zip(places, layer.tensors).map { $1.kind == .parameter ? arena[$0.1] : nil }, own: arena[own],
            shared: arena[shared])
        self.scratch = scratch.map { arena[$0] }
        self.partial = partial.map { arena[$0] }
        (x, y, dy, dx) = (arena[ends[0]], arena[ends[1]], arena[ends[2]], arena[ends[3]])
        layer.bind(memory)
    }

    package subscript(name: String) -> [Float] {
        get {
            let index = names.firstIndex(of: name)!
            return Array(UnsafeBufferPointer(start: memory.tensors[index], count: layer.tensors[index].count))
        }
        set {
            let index = names.firstIndex(of: name)!
            precondition(newValue.count == layer.tensors[index].count)
            for (i, value) in newValue.enumerated() { memory.tensors[index][i] = value }
            layer.parametersChanged()
        }
    }

    private func pass(_ training: Bool, step: Int, seed: UInt64) -> Pass {
        Pass(
            training: training, freezesStatistics: freezesStatistics, pool: pool, scratch: scratch, partial: partial,
            step: step, seed: seed)
    }

    package func forward(_ values: [Float], training: Bool = true, step: Int = 1_000_000, seed: UInt64 = 1) -> [Float] {
        let count = values.count / layer.input.count
        let to = layer.inPlace ? x : y
        for (i, value) in values.enumerated() { x[i] = value }
        layer.forward(x, to, count: count, pass(training, step: step, seed: seed))
        return Array(UnsafeBufferPointer(start: to, count: count * layer.output.count))
    }

    /// The gradients at the last `forward`; of the input, and of the parameters by name.
    package func backward(_ gradient: [Float], step: Int = 1_000_000, seed: UInt64 = 1)
        -> (input: [Float], parameters: [String: [Float]])
    {
        let count = gradient.count / layer.output.count
        for (i, value) in gradient.enumerated() { dy[i] = value }
        let to = layer.inPlace ? dy : dx
        layer.backward(x, dy, to, count: count, pass(true, step: step, seed: seed))
        var parameters: [String: [Float]] = [:]
        for (index, name) in names.enumerated() {
            guard let place = memory.gradients[index] else { continue }
            parameters[name] = Array(UnsafeBufferPointer(start: place, count: layer.tensors[index].count))
        }
        return (Array(UnsafeBufferPointer(start: to, count: count * layer.input.count)), parameters)
    }
}
