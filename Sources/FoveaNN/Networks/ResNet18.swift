/// ResNet-18 (He et al. 2015, "Deep Residual Learning for Image Recognition"), layer for layer as torchvision has it.
///
/// ```
///   stem:    conv 7×7/2 → BN → ReLU → maxpool 3/2                                           224 → 112 → 56
///   block:   ReLU(shortcut(x) + BN(conv 3×3(ReLU(BN(conv 3×3/s x)))))
///   layers:  two blocks each; the first block of all layers but the first has s = 2 and shortcut BN(conv 1×1/2)
///   head:    global mean → matmul                                                       56 → 28 → 14 → 7 → 1
/// ```
/// Windows are padded alike on all sides, as PyTorch does it. Images of any size from 32 pixels on.
package struct ResNet18Settings: Codable, Sendable, Equatable {
    // MARK: Hyper-parameters
    /// Channels of the stem, and of each layer.
    package var stem = 64
    package var channels = [64, 128, 256, 512]
    /// Blocks of each layer: 2, 2, 2, 2 make ResNet-18, and 3, 4, 6, 3 ResNet-34.
    package var blocks = [2, 2, 2, 2]
    /// Factor of all channels, for a narrower or wider network.
    package var width = 1.0
    package var activation = Activation.relu
    package var bnMomentum = 0.9
    package var bnEpsilon = 1e-5

    package init() {}
}

func resNet18(_ definition: NetworkDefinition, _ net: inout LayerStack) throws {
    let settings = try definition.settings(over: ResNet18Settings())
    let channels = try settings.channels.scaled(by: settings.width)
    guard !channels.isEmpty, settings.blocks.count == channels.count,
        settings.blocks.allSatisfy({ (1...64).contains($0) })
    else {
        throw ShapeError(
            "resnet18", given: "\(channels.count) channels and \(settings.blocks) blocks",
            expected: "as many of each, from 1 to 64 blocks")
    }
    func norm(_ stack: inout LayerStack, _ name: String) throws(ShapeError) {
        try stack.batchNorm(name, momentum: settings.bnMomentum, epsilon: settings.bnEpsilon)
    }
    let stem = try [settings.stem].scaled(by: settings.width)[0]
    try net.convolution("stem.conv", channels: stem, kernel: 7, stride: 2, padding: .symmetric)
    try norm(&net, "stem.norm")
    net.activation("stem.relu", settings.activation)
    try net.maxPool("stem.pool", window: 3, padding: .symmetric)
    for (layer, (width, blocks)) in zip(channels, settings.blocks).enumerated() {
        for block in 0..<blocks {
            let name = "layer\(layer + 1).\(block)"
            let stride = layer > 0 && block == 0 ? 2 : 1
            var shortcut: ((inout LayerStack) throws(ShapeError) -> Void)?
            if stride > 1 || net.shape.channels != width {
                shortcut = { short throws(ShapeError) in
                    try short.convolution("\(name).shortcut.conv", channels: width, kernel: 1, stride: stride)
                    try norm(&short, "\(name).shortcut.norm")
                }
            }
            try net.residual(name, shortcut: shortcut) { branch throws(ShapeError) in
                try branch.convolution(
                    "\(name).conv1", channels: width, kernel: 3, stride: stride, padding: .symmetric)
                try norm(&branch, "\(name).norm1")
                branch.activation("\(name).relu1", settings.activation)
                try branch.convolution("\(name).conv2", channels: width, kernel: 3)
                try norm(&branch, "\(name).norm2")
            }
            net.activation("\(name).relu2", settings.activation)
        }
    }
    try net.averagePool("head.pool")
    try net.fullyConnected("head.linear", outputs: definition.classes, bias: true)
}
