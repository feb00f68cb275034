/// Builds a chain of layers, each taking what the one before gives.
struct LayerStack {
    private(set) var layers: [any Layer] = []
    private(set) var shape: Shape
    let mode: Mode

    init(input: Shape, mode: Mode) {
        shape = input
        self.mode = mode
    }

    private mutating func append(_ layer: any Layer) {
        layers.append(layer)
        shape = layer.output
    }

    mutating func convolution(
        _ name: String, channels: Int, kernel: Int, bias: Bool = false, filters: Convolution.Filters = .xavier
    ) throws(ShapeError) {
        append(
            try Convolution(
                name, input: shape, channels: channels, kernel: kernel, bias: bias, filters: filters, mode: mode))
    }

    mutating func depthwiseConvolution(_ name: String, kernel: Int) throws(ShapeError) {
        append(try DepthwiseConvolution(name, input: shape, kernel: kernel))
    }

    mutating func maxPool(_ name: String, window: Int = 2) throws(ShapeError) {
        append(try MaxPool(name, input: shape, window: window, mode: mode))
    }

    mutating func globalPool(_ name: String) { append(GlobalPool(name, input: shape)) }

    /// In inference a convolution does it on the way.
    mutating func batchNorm(
        _ name: String, momentum: Double, epsilon: Double, affine: Bool = true
    ) throws(ShapeError) {
        guard (0...1).contains(momentum), epsilon > 0, epsilon.isFinite else {
            throw ShapeError(
                "\(name) (batch norm)", given: "momentum \(momentum), epsilon \(epsilon)",
                expected: "a momentum from 0 to 1, an epsilon above 0")
        }
        let norm = BatchNorm(name, input: shape, momentum: momentum, epsilon: epsilon, affine: affine)
        if mode == .inference, let convolution = layers.last as? Convolution, convolution.follow(norm) { return }
        append(norm)
    }

    /// A batch norm does it on the way, and in inference a convolution.
    mutating func activation(_ name: String, _ kind: Activation) {
        if let norm = layers.last as? BatchNorm, norm.activation == nil {
            norm.activation = kind
        } else if mode == .inference, let convolution = layers.last as? Convolution, convolution.activation == nil {
            convolution.activation = kind
        } else {
            append(ActivationLayer(name, input: shape, kind: kind))
        }
    }

    /// Dropout for a block of 1, else DropBlock.
    mutating func dropout(_ name: String, keep: Dropout.Keep, block: Int = 1) throws(ShapeError) {
        // By its name, so that no two of a network draw the same masks: FNV-1a.
        let salt = name.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        append(try Dropout(name, input: shape, keep: keep, block: block, salt: salt, mode: mode))
    }

    mutating func fullyConnected(
        _ name: String, outputs: Int, bias: Bool = false, start: FullyConnected.Start = .xavier
    ) throws(ShapeError) {
        append(try FullyConnected(name, input: shape, outputs: outputs, bias: bias, start: start))
    }

    mutating func scale(_ name: String, factor: Double) {
        append(Scale(name, input: shape, factor: Float(factor)))
    }

    /// x + branch(x); `build` appends the branch's layers to an empty stack.
    mutating func residual(
        _ name: String, _ build: (inout LayerStack) throws(ShapeError) -> Void
    ) throws(ShapeError) {
        var branch = LayerStack(input: shape, mode: mode)
        try build(&branch)
        append(try Residual(name, input: shape, branch: branch.layers))
    }
}

extension [Int] {
    /// Numbers of channels times `width`, rounded, 1 at least; what is no number of channels stays for the layer to refuse.
    func scaled(by width: Double) throws(ShapeError) -> [Int] {
        guard width > 0, width <= 1024 else {
            throw ShapeError("width", given: "\(width)", expected: "a factor above 0, 1024 at most")
        }
        if width == 1 { return self }
        var result: [Int] = []
        for channels in self {
            guard let scaled = Int(exactly: (Double(channels) * width).rounded()) else {
                throw ShapeError("width", given: "\(width) times \(channels)", expected: "fewer channels")
            }
            result.append(channels > 0 ? Swift.max(1, scaled) : channels)
        }
        return result
    }
}
