import CKernels

/// A two-dimensional convolution, with or without bias. Filters are [k, k, in, out].
final class Convolution: FusingLayer {
    let name: String
    let input: Shape
    let output: Shape
    var tensors: [TensorSpecification] { ownTensors + fused.tensors }
    private let ownTensors: [TensorSpecification]
    private let algorithm: any ConvolutionAlgorithm
    private let mode: Mode
    private var memory: LayerMemory?
    private let hasBias: Bool
    private var stale = true
    private var algorithmFloats = 0
    private var fused = FusedEpilogue()

    /// How the filters begin, and whether they are learned.
    enum Filters: Sendable {
        case xavier
        /// The first filters hand one channel on (Zagoruyko & Komodakis 2017), the rest are PyTorch's uniform ones.
        case dirac
        /// Not learned: fitted to the data before a training, and stored with the buffers.
        case fitted
    }

    /// - Parameters:
    ///   - stride: 1 or 2.
    ///   - padding: nil is SAME for odd kernels and none for even ones.
    ///   - method: nil chooses the best one.
    init(
        _ name: String, input: Shape, channels: Int, kernel: Int, stride: Int = 1, padding: Padding? = nil,
        bias: Bool = false, filters: Filters = .xavier, mode: Mode, method: ConvolutionMethod? = nil
    ) throws(ShapeError) {
        let padding = padding ?? (kernel % 2 == 1 ? .same : .valid)
        // Before anything is computed from sizes that a file names.
        guard kernel > 0, channels > 0, [1, 2].contains(stride),
            kernel % 2 == 1 || padding == .valid && kernel <= min(input.height, input.width)
        else {
            throw ShapeError(
                "\(name) (convolution)", given: "kernel \(kernel), stride \(stride), \(channels) channels on \(input)",
                expected: "at least one channel, stride 1 or 2, and an even kernel no larger than the image")
        }
        try TensorSpecification.check(name, kernel, kernel, input.channels, channels)
        let shape = ConvolutionShape(
            height: input.height, width: input.width, inputs: input.channels, outputs: channels, kernel: kernel,
            stride: stride, padding: padding)
        guard shape.pixels > 0 else {
            throw ShapeError(
                "\(name) (convolution)", given: "\(input)", expected: "at least \(kernel)×\(kernel) pixels")
        }
        (self.name, self.input, self.mode) = (name, input, mode)
        output = Shape(height: shape.outputHeight, width: shape.outputWidth, channels: channels)
        algorithm = (method ?? .best(for: shape)).make(shape, mode: mode)
        let area = kernel * kernel
        ownTensors =
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

    func fuse(_ norm: BatchNorm) -> Bool { mode == .inference && !hasBias && fused.take(norm) }
    func fuse(_ activation: Activation) -> Bool { mode == .inference && fused.take(activation) }

    func needs(maxBatch: Int, mode: Mode) -> LayerNeeds {
        var needs = algorithm.needs(mode: mode)
        algorithmFloats = (needs.own + 15) / 16 * 16
        if hasBias { needs.scratch = max(needs.scratch, 2 * output.channels) }
        needs.own = algorithmFloats + fused.needs(maxBatch: maxBatch, mode: mode)
        return needs
    }

    func bind(_ memory: LayerMemory) {
        self.memory = memory
        algorithm.bind(filters: memory.tensors[0], own: memory.own)
        fused.bind(
            tensors: memory.tensors[ownTensors.count...], own: memory.own + algorithmFloats, shared: memory.shared)
    }

    func parametersChanged() {
        stale = true
        fused.parametersChanged()
    }

    func forward(_ x: Floats, _ y: Floats, count: Int, _ pass: Pass) {
        if stale {
            algorithm.filtersChanged(pass.pool, mode: mode)
            stale = false
        }
        fused.withKernel(bias: hasBias ? memory!.tensors[1] : nil) {
            algorithm.forward(x, y, count: count, $0, pass)
        }
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

    // MARK: - Descriptions

    var operation: String { "Conv2D" }

    /// Filters [k, k, in, out] become [out, in, k, k].
    func describe(_ x: ONNXValue, in export: inout ONNXExport) -> ONNXValue {
        let shape = algorithm.shape
        let filters = export.constant(
            ownTensors[0], from: ownTensors[0].shape, order: [3, 2, 0, 1],
            to: [shape.outputs, shape.inputs, shape.kernel, shape.kernel])
        let bias = hasBias ? [export.constant(ownTensors[1])] : []
        let y = export.add(name, "Conv", x, [filters] + bias, shape.attributes())
        return fused.describe(y, in: &export)
    }
}

extension LayerStack {
    mutating func convolution(
        _ name: String, channels: Int, kernel: Int, stride: Int = 1, padding: Padding? = nil, bias: Bool = false,
        filters: Convolution.Filters = .xavier, method: ConvolutionMethod? = nil
    ) throws(ShapeError) {
        append(
            try Convolution(
                name, input: shape, channels: channels, kernel: kernel, stride: stride, padding: padding, bias: bias,
                filters: filters, mode: mode, method: method))
    }
}

extension LayerProbe.Kind {
    /// - Parameter method: nil is what a network would choose.
    package static func convolution(
        channels: Int, kernel: Int, stride: Int = 1, padding: Padding? = nil, bias: Bool = false,
        method: ConvolutionMethod? = nil
    ) -> Self {
        Self { stack throws(ShapeError) in
            try stack.convolution(
                probe, channels: channels, kernel: kernel, stride: stride, padding: padding, bias: bias, method: method)
        }
    }
}

/// The gradient of a bias: sums over rows, in scratch of two floats a channel. One thread, since biases are rare here.
func sumColumns(_ dy: Floats, rows: Int, channels: Int, _ gradient: Floats, _ pass: Pass) {
    let sums = UnsafeMutableRawPointer(pass.scratch[0]).assumingMemoryBound(to: Double.self)
    sums.update(repeating: 0, count: channels)
    ck_moments(dy, rows, Int32(channels), sums, nil)
    for c in 0..<channels { gradient[c] = Float(sums[c]) }
}
