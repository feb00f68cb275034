/// The fast recipe's network, after NAVIER-STOKED (github.com/AIDDA-Institute/CIFAR-100-speedrun) and airbench
/// (Jordan 2024, "94% on CIFAR-10 in 3.29 seconds"): narrow while the map is large, wide when it is small.
///
/// ```
///   stem:    conv 2×2 valid, fitted to the data (whitening), with a learned bias → SiLU          32 → 31
///   group:   conv k → maxpool 2/2 → BN → SiLU → x + SiLU(BN(conv b(SiLU(BN(conv a x)))))         31 → 15 → 7 → 3
///   head:    global max + global mean → matmul × 1.25/9
/// ```
package struct FoveaNetSettings: Codable, Sendable, Equatable {
    // MARK: Hyper-parameters
    /// Channels of the stem: the whitening's directions and their negatives.
    package var stem = 24
    /// Channels of each group, and of the middle of its residual pair.
    package var widths = [64, 256, 768]
    package var middles = [64, 192, 512]
    /// Factor of all of these, for a narrower or wider network.
    package var width = 1.0
    /// Kernel sides of each group's first convolution and of its pair.
    package var kernels = [3, 3, 2]
    package var pairs = [[1, 1], [3, 1], [3, 3]]
    package var activation = Activation.silu
    /// Factor of the logits.
    package var scale = 1.25 / 9
    /// The head has a bias, as a head that is fitted in closed form needs.
    package var headBias = false
    package var bnMomentum = 0.9
    package var bnEpsilon = 1e-5

    package init() {}
}

func foveaNet(_ definition: NetworkDefinition, _ net: inout LayerStack) throws {
    let settings = try definition.settings(over: FoveaNetSettings())
    let groups = settings.widths.count
    guard groups > 0, settings.middles.count == groups, settings.kernels.count == groups,
        settings.pairs.count == groups
    else {
        throw ShapeError(
            "foveanet",
            given: "\(groups) widths, \(settings.middles.count) middles, \(settings.kernels.count) kernels, "
                + "\(settings.pairs.count) pairs",
            expected: "as many of each, at least one")
    }
    for pair in settings.pairs where pair.count != 2 || pair.contains(where: { $0 % 2 != 1 }) {
        throw ShapeError("foveanet", given: "the pair \(pair)", expected: "two odd kernels in each pair")
    }
    let widths = try settings.widths.scaled(by: settings.width)
    let middles = try settings.middles.scaled(by: settings.width)
    func norm(_ stack: inout LayerStack, _ name: String) throws(ShapeError) {
        try stack.batchNorm("\(name).norm", momentum: settings.bnMomentum, epsilon: settings.bnEpsilon)
        stack.activation("\(name).activation", settings.activation)
    }
    try net.convolution("stem.conv", channels: settings.stem, kernel: 2, bias: true, filters: .fitted)
    net.activation("stem.activation", settings.activation)
    for group in 0..<groups {
        let name = "group\(group + 1)"
        try net.convolution(
            "\(name).conv", channels: widths[group], kernel: settings.kernels[group], filters: .dirac)
        try net.maxPool("\(name).pool")
        try norm(&net, name)
        try net.residual("\(name).pair") { pair throws(ShapeError) in
            for (part, (channels, kernel)) in zip(
                ["a", "b"], zip([middles[group], widths[group]], settings.pairs[group]))
            {
                try pair.convolution("\(name).\(part).conv", channels: channels, kernel: kernel, filters: .dirac)
                try norm(&pair, "\(name).\(part)")
            }
        }
    }
    net.globalPool("head.pool")
    try net.fullyConnected("head.linear", outputs: definition.classes, bias: settings.headBias, start: .uniform)
    net.scale("head.scale", factor: settings.scale)
}
