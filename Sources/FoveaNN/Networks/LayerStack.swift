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

    mutating func maxPool(_ name: String) throws(ShapeError) { append(try MaxPool(name, input: shape, mode: mode)) }

    mutating func globalPool(_ name: String) { append(GlobalPool(name, input: shape)) }

    mutating func batchNorm(_ name: String, momentum: Double, epsilon: Double, affine: Bool = true) {
        append(BatchNorm(name, input: shape, momentum: momentum, epsilon: epsilon, affine: affine))
    }

    mutating func activation(_ name: String, _ kind: Activation) {
        switch kind {
        case .relu: append(ReLU(name, input: shape))
        case .silu: append(SmoothActivation(name, input: shape, kind: .silu))
        case .gelu: append(SmoothActivation(name, input: shape, kind: .gelu))
        }
    }

    /// Dropout for a block of 1, else DropBlock.
    mutating func dropout(_ name: String, keep: Double, block: Int = 1) throws(ShapeError) {
        append(
            try Dropout(name, input: shape, keep: keep, block: block, salt: UInt64(layers.count), mode: mode))
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

/// The activations there are, as `config.json` names them.
package enum Activation: String, Codable, Sendable { case relu, silu, gelu }
