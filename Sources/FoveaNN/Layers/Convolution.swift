import CKernels

/// A two-dimensional convolution with stride 1, with or without bias: SAME for odd kernels, VALID for even ones. Filters
/// are [k, k, in, out].
final class Convolution: Layer {
    let name: String
    let input: Shape
    let output: Shape
    private(set) var tensors: [TensorSpecification]
    let algorithm: any ConvolutionAlgorithm
    private let mode: Mode
    private var memory: LayerMemory?
    let hasBias: Bool
    private var stale = true
    private var algorithmFloats = 0
    /// In inference: a batch norm that follows, and an activation.
    private(set) var norm: BatchNorm?
    var activation: Activation?

    /// How the filters begin, and whether they are learned.
    enum Filters: Sendable {
        case xavier
        /// The first filters hand one channel on (Zagoruyko & Komodakis 2017), the rest are PyTorch's uniform ones.
        case dirac
        /// Not learned: fitted to the data before a training, and stored with the buffers.
        case fitted
    }

    /// - Parameter method: nil chooses the best one.
    init(
        _ name: String, input: Shape, channels: Int, kernel: Int, bias: Bool = false, filters: Filters = .xavier,
        mode: Mode,
        method: ConvolutionMethod? = nil
    ) throws(ShapeError) {
        guard kernel > 0, channels > 0, kernel % 2 == 1 || kernel <= min(input.height, input.width) else {
            throw ShapeError(
                "\(name) (convolution)", given: "kernel \(kernel), \(channels) channels on \(input)",
                expected: "at least one channel, and an even kernel no larger than the image")
        }
        try TensorSpecification.check(name, kernel, kernel, input.channels, channels)
        self.name = name
        self.input = input
        self.mode = mode
        let shape = ConvolutionShape(
            height: input.height, width: input.width, inputs: input.channels, outputs: channels, kernel: kernel)
        output = Shape(height: shape.outputHeight, width: shape.outputWidth, channels: channels)
        algorithm = (method ?? .best(for: shape)).make(shape, mode: mode)
        let area = kernel * kernel
        tensors =
            [
                TensorSpecification(
                    name: "\(name).weight", shape: [kernel, kernel, input.channels, channels],
                    kind: filters == .fitted ? .buffer : .parameter,
                    start: filters == .xavier
                        ? .xavier(fanIn: area * input.channels, fanOut: area * channels)
                        : filters == .dirac ? .dirac : .constant(0),
                    decays: filters != .fitted)
            ]
            + (bias
                ? [TensorSpecification(name: "\(name).bias", shape: [channels], kind: .parameter, start: .constant(0))]
                : [])
        hasBias = bias
    }

    var multiplications: Int { algorithm.shape.filters * algorithm.shape.pixels }

    /// Takes a batch norm that follows, with its tensors, in inference; false where it cannot.
    func follow(_ norm: BatchNorm) -> Bool {
        guard mode == .inference, self.norm == nil, activation == nil, !hasBias else { return false }
        self.norm = norm
        tensors += norm.tensors
        return true
    }

    func needs(maxBatch: Int, mode: Mode) -> LayerNeeds {
        var needs = algorithm.needs(mode: mode)
        algorithmFloats = (needs.own + 15) / 16 * 16
        if hasBias { needs.scratch = max(needs.scratch, 2 * output.channels) }
        needs.own = algorithmFloats + (norm?.needs(maxBatch: maxBatch, mode: mode).own ?? 0)
        return needs
    }

    func bind(_ memory: LayerMemory) {
        self.memory = memory
        algorithm.bind(filters: memory.tensors[0], own: memory.own)
        let before = tensors.count - (norm?.tensors.count ?? 0)
        norm?.bind(
            LayerMemory(
                tensors: Array(memory.tensors[before...]), gradients: [], own: memory.own + algorithmFloats))
    }

    func parametersChanged() {
        stale = true
        norm?.parametersChanged()
    }

    func forward(_ x: Floats, _ y: Floats, count: Int, _ pass: Pass) {
        if stale {
            algorithm.filtersChanged(pass.pool, mode: mode)
            stale = false
        }
        guard hasBias || norm != nil || activation != nil else {
            return algorithm.forward(x, y, count: count, nil, pass)
        }
        var epilogue = ck_epilogue(scale: nil, shift: nil, activation: activation?.kernel ?? Activation.identity)
        if let norm {
            let folded = norm.fold()
            (epilogue.scale, epilogue.shift) = (UnsafePointer(folded.scale), UnsafePointer(folded.shift))
        } else if hasBias {
            epilogue.shift = UnsafePointer(memory!.tensors[1])
        }
        withUnsafePointer(to: epilogue) { algorithm.forward(x, y, count: count, $0, pass) }
    }

    func backward(_ x: Floats, _ dy: Floats, _ dx: Floats?, count: Int, _ pass: Pass) {
        if let gradient = memory?.gradients[0] {
            algorithm.backwardFilters(x, dy, gradient, count: count, pass)
        }
        if hasBias, let gradient = memory?.gradients[1] {
            sumColumns(dy, rows: count * output.pixels, channels: output.channels, gradient, pass)
        }
        if let dx { algorithm.backwardData(dy, dx, count: count, pass) }
    }
}

/// The gradient of a bias: sums over rows, in scratch of two floats a channel. One thread, since biases are rare here.
func sumColumns(_ dy: Floats, rows: Int, channels: Int, _ gradient: Floats, _ pass: Pass) {
    let sums = UnsafeMutableRawPointer(pass.scratch[0]).assumingMemoryBound(to: Double.self)
    sums.update(repeating: 0, count: channels)
    ck_moments(dy, rows, Int32(channels), sums, nil)
    for c in 0..<channels { gradient[c] = Float(sums[c]) }
}
