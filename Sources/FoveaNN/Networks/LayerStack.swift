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

    mutating func convolution(_ name: String, channels: Int, kernel: Int, bias: Bool = false) throws(ShapeError) {
        append(try Convolution(name, input: shape, channels: channels, kernel: kernel, bias: bias, mode: mode))
    }

    mutating func maxPool(_ name: String) throws(ShapeError) { append(try MaxPool(name, input: shape, mode: mode)) }

    mutating func batchNorm(_ name: String, momentum: Double, epsilon: Double, affine: Bool = true) {
        append(BatchNorm(name, input: shape, momentum: momentum, epsilon: epsilon, affine: affine))
    }

    mutating func relu(_ name: String) { append(ReLU(name, input: shape)) }

    /// Dropout for a block of 1, else DropBlock.
    mutating func dropout(_ name: String, keep: Double, block: Int = 1) throws(ShapeError) {
        append(
            try Dropout(name, input: shape, keep: keep, block: block, salt: UInt64(layers.count), mode: mode))
    }

    mutating func fullyConnected(_ name: String, outputs: Int, bias: Bool = false) throws(ShapeError) {
        append(try FullyConnected(name, input: shape, outputs: outputs, bias: bias))
    }
}
