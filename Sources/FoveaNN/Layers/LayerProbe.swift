/// One layer by itself, over arrays: for tests and measurements. Networks do not use it.
package final class LayerProbe {
    package enum Kind: Sendable {
        /// `method` nil is what a network would choose.
        case convolution(channels: Int, kernel: Int, bias: Bool = false, method: ConvolutionMethod? = nil)
        case maxPool(window: Int = 2)
        case depthwise(kernel: Int, naive: Bool = false)
        case batchNorm(affine: Bool = true, momentum: Double = 0.997, activation: Activation? = nil)
        case activation(Activation)
        case fullyConnected(outputs: Int, bias: Bool = false)
        case dropout(keep: Double, block: Int = 1)
        case globalPool
        case superclasses([Int])
        case scale(Float)
        /// x + SiLU(BN(conv 3×3)), then dropout in place where `keep` is below 1.
        case residual(keep: Double = 1)
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

    package var output: Shape { layer.output }
    /// Names of the layer's tensors, without the layer's own.
    package var names: [String] { layer.tensors.map { String($0.name.dropFirst(layer.name.count + 1)) } }

    /// - Throws: `ShapeError`.
    package init(_ kind: Kind, input: Shape, maxBatch: Int, mode: Mode = .training, threads: Int = 1) throws {
        layer =
            switch kind {
            case .convolution(let channels, let kernel, let bias, let method):
                try Convolution(
                    "probe", input: input, channels: channels, kernel: kernel, bias: bias, mode: mode,
                    method: method)
            case .maxPool(let window): try MaxPool("probe", input: input, window: window, mode: mode)
            case .depthwise(let kernel, let naive):
                try DepthwiseConvolution("probe", input: input, kernel: kernel, naive: naive)
            case .batchNorm(let affine, let momentum, let activation):
                Self.norm(input, momentum: momentum, affine: affine, activation)
            case .activation(let kind): ActivationLayer("probe", input: input, kind: kind)
            case .fullyConnected(let outputs, let bias):
                try FullyConnected("probe", input: input, outputs: outputs, bias: bias)
            case .dropout(let keep, let block):
                try Dropout("probe", input: input, keep: .init(first: keep), block: block, salt: 7, mode: mode)
            case .globalPool: GlobalPool("probe", input: input)
            case .superclasses(let groups): try HierarchicalSoftmax("probe", input: input, groupOf: groups)
            case .scale(let factor): Scale("probe", input: input, factor: factor)
            case .residual(let keep):
                try Residual("probe", input: input, branch: Self.branch(input, keep: keep, mode: mode))
            }
        pool = try ThreadPool(threads: threads)
        let capacity = (maxBatch + imageBlock - 1) / imageBlock * imageBlock
        let needs = layer.needs(maxBatch: capacity, mode: mode)
        let arena = Arena()
        let places = layer.tensors.map { (arena.reserve($0.count), arena.reserve($0.count)) }
        let own = arena.reserve(needs.own)
        let scratch = (0..<threads).map { _ in arena.reserve(needs.scratch) }
        let partial = (0..<threads).map { _ in arena.reserve(needs.partial) }
        let ends = [layer.input, layer.output, layer.output, layer.input].map { arena.reserve(capacity * $0.count) }
        arena.allocate()
        arenas = [arena]
        memory = LayerMemory(
            tensors: places.map { arena[$0.0] },
            gradients: zip(places, layer.tensors).map { $1.kind == .parameter ? arena[$0.1] : nil }, own: arena[own])
        self.scratch = scratch.map { arena[$0] }
        self.partial = partial.map { arena[$0] }
        (x, y, dy, dx) = (arena[ends[0]], arena[ends[1]], arena[ends[2]], arena[ends[3]])
        layer.bind(memory)
    }

    private static func norm(_ input: Shape, momentum: Double, affine: Bool, _ activation: Activation?) -> BatchNorm {
        let norm = BatchNorm("probe", input: input, momentum: momentum, affine: affine)
        norm.activation = activation
        return norm
    }

    private static func branch(_ input: Shape, keep: Double, mode: Mode) throws(ShapeError) -> [any Layer] {
        var stack = LayerStack(input: input, mode: mode)
        try stack.convolution("probe.conv", channels: input.channels, kernel: 3)
        try stack.batchNorm("probe.norm", momentum: 0.9, epsilon: 1e-5)
        stack.activation("probe.silu", .silu)
        try stack.dropout("probe.dropout", keep: .init(first: keep))
        return stack.layers
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
        Pass(training: training, pool: pool, scratch: scratch, partial: partial, step: step, seed: seed)
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
