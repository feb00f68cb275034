/// The vanilla CNN of omar-mohamed/Object-Classification-CIFAR-100, whose figures are the defaults.
///
/// ```
///   block:   BN → conv k×k → maxpool 2/2 → BN → ReLU → DropBlock        (four of them: 32 → 16 → 8 → 4 → 2)
///   hidden:  matmul → BN → ReLU → dropout                               (two of them)
///   logits:  matmul → BN
/// ```
package struct VanillaSettings: Codable, Sendable, Equatable {
    // MARK: Hyper-parameters
    /// Output channels and kernel side of each block's convolution.
    package var channels = [64, 128, 256, 512]
    package var kernels = [7, 5, 3, 3]
    /// Factor of all channels and hidden widths, for a narrower or wider network.
    package var width = 1.0
    package var activation = Activation.relu
    /// Widths of the hidden fully connected layers.
    package var hidden = [2048, 2048]
    /// Probability that an element of a hidden layer survives dropout.
    package var keep = 0.5
    package var dropBlock = DropBlock()
    package var bnMomentum = 0.997
    package var bnEpsilon = 1e-5

    package struct DropBlock: Codable, Sendable, Equatable {
        /// Side of the cleared squares.
        package var block = 1
        /// Share of elements that survive.
        package var keep = 0.85
    }

    package init() {}
}

func vanilla(_ definition: NetworkDefinition, _ net: inout LayerStack) throws {
    try blocks(definition, &net) { net, block, _, channels, kernel throws(ShapeError) in
        try net.convolution("\(block).conv", channels: channels, kernel: kernel)
    }
}

/// What *vanilla* and *depthwise* have in common: all but the convolution of a block.
func blocks(
    _ definition: NetworkDefinition, _ net: inout LayerStack,
    convolution: (
        _ net: inout LayerStack, _ block: String, _ index: Int, _ channels: Int, _ kernel: Int
    ) throws(ShapeError) -> Void
) throws {
    let settings = try definition.settings(over: VanillaSettings())
    let widths = try settings.channels.scaled(by: settings.width)
    guard settings.channels.count == settings.kernels.count, !settings.channels.isEmpty else {
        throw ShapeError(
            definition.architecture, given: "\(settings.channels.count) channels and \(settings.kernels.count) kernels",
            expected: "as many kernels as channels, at least one")
    }
    func norm(_ name: String, affine: Bool = true) throws(ShapeError) {
        try net.batchNorm(name, momentum: settings.bnMomentum, epsilon: settings.bnEpsilon, affine: affine)
    }
    for (index, (channels, kernel)) in zip(widths, settings.kernels).enumerated() {
        let block = "block\(index + 1)"
        try norm("\(block).norm1", affine: index > 0)
        try convolution(&net, block, index, channels, kernel)
        try net.maxPool("\(block).pool")
        try norm("\(block).norm2")
        net.activation("\(block).relu", settings.activation)
        try net.dropout(
            "\(block).dropblock", keep: .init(first: settings.dropBlock.keep), block: settings.dropBlock.block)
    }
    try net.hidden(
        widths: try settings.hidden.scaled(by: settings.width), classes: definition.classes,
        activation: settings.activation, keep: settings.keep,
        momentum: settings.bnMomentum, epsilon: settings.bnEpsilon)
}

extension LayerStack {
    /// The end of the seed's networks: hidden layers and logits, all of them normalised.
    mutating func hidden(
        widths: [Int], classes: Int, activation: Activation, keep: Double, momentum: Double, epsilon: Double
    ) throws(ShapeError) {
        for (index, width) in widths.enumerated() {
            let hidden = "hidden\(index + 1)"
            try fullyConnected("\(hidden).linear", outputs: width)
            try batchNorm("\(hidden).norm", momentum: momentum, epsilon: epsilon)
            self.activation("\(hidden).relu", activation)
            try dropout("\(hidden).dropout", keep: .init(first: keep))
        }
        try fullyConnected("logits.linear", outputs: classes)
        try batchNorm("logits.norm", momentum: momentum, epsilon: epsilon)
    }
}
