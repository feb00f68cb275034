/// The residual network of omar-mohamed/Object-Classification-CIFAR-100, whose figures are the defaults.
///
/// ```
///   f(x) = BN → ReLU → conv 3×3 → BN → ReLU → conv 3×3
///   stage:   h = ReLU(f1(x)),  ReLU(h + f2(h)) → DropBlock → maxpool 3/2         (four of them: 32 → 16 → 8 → 4 → 2)
///   hidden:  matmul → BN → ReLU → dropout                                        (two of them)
///   logits:  matmul → BN
/// ```
/// The seed begins with a ReLU on normalised pixels, which throws half of them away: `reluOnPixels` is that.
package struct ResNetSettings: Codable, Sendable, Equatable {
    // MARK: Hyper-parameters
    /// Channels of each stage.
    package var channels = [128, 256, 512, 1024]
    /// Factor of all channels and hidden widths, for a narrower or wider network.
    package var width = 1.0
    package var activation = Activation.relu
    package var reluOnPixels = false
    /// Widths of the hidden fully connected layers.
    package var hidden = [4096, 4096]
    /// Probability that an element of a hidden layer survives dropout.
    package var keep = 0.5
    package var dropBlock = DropBlock()
    package var bnMomentum = 0.997
    package var bnEpsilon = 1e-5

    package struct DropBlock: Codable, Sendable, Equatable {
        /// Side of the cleared squares.
        package var block = 5
        /// Share of elements that survive: at first, how much less each epoch, and at least.
        package var keep = 1.0
        package var fall = 0.005
        package var least = 0.8
    }

    package init() {}
}

func resNet(_ definition: NetworkDefinition, _ net: inout LayerStack) throws {
    let settings = try definition.settings(over: ResNetSettings())
    guard !settings.channels.isEmpty else {
        throw ShapeError("resnet", given: "no channels", expected: "those of one stage at least")
    }

    /// f of the drawing; `pixels` where it is the network's first.
    func f(_ stack: inout LayerStack, _ name: String, channels: Int, pixels: Bool = false) throws(ShapeError) {
        for part in 1...2 {
            let first = pixels && part == 1
            try stack.batchNorm(
                "\(name).norm\(part)", momentum: settings.bnMomentum, epsilon: settings.bnEpsilon, affine: !first)
            if !first || settings.reluOnPixels { stack.activation("\(name).relu\(part)", settings.activation) }
            try stack.convolution("\(name).conv\(part)", channels: channels, kernel: 3)
        }
    }

    for (index, channels) in try settings.channels.scaled(by: settings.width).enumerated() {
        let stage = "stage\(index + 1)"
        try f(&net, "\(stage).a", channels: channels, pixels: index == 0)
        net.activation("\(stage).a.relu", settings.activation)
        try net.residual("\(stage).b") { branch throws(ShapeError) in
            try f(&branch, "\(stage).b", channels: channels)
        }
        net.activation("\(stage).b.relu", settings.activation)
        let drop = settings.dropBlock
        try net.dropout(
            "\(stage).dropblock", keep: .init(first: drop.keep, fall: drop.fall, least: drop.least), block: drop.block)
        try net.maxPool("\(stage).pool", window: 3)
    }
    try net.hidden(
        widths: try settings.hidden.scaled(by: settings.width), classes: definition.classes,
        activation: settings.activation, keep: settings.keep,
        momentum: settings.bnMomentum, epsilon: settings.bnEpsilon)
}
