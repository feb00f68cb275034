/// EfficientNet-Lite (Tan & Le 2019, "EfficientNet"; the Lite family by Google 2020): no squeeze-and-excitation, ReLU6, and
/// neither stem nor head grows with the network.
///
/// ```
///   stem:    conv 3×3/2 → BN → ReLU6                                                              224 → 112
///   block:   conv 1×1 × expansion → BN → ReLU6 → depthwise k×k/s → BN → ReLU6 → conv 1×1 → BN     (MBConv)
///            + x, where s is 1 and the channels are the same; an expansion of 1 has no first convolution
///   stages:  1×16, 2×24 /2, 2×40 5×5/2, 3×80 /2, 3×112 5×5, 4×192 5×5/2, 1×320                112 → … → 7
///   head:    conv 1×1 → BN → ReLU6 → global mean → dropout → matmul                                  1,280
/// ```
/// Windows are padded as TensorFlow's SAME has it. Names count blocks from 0, as the published weights do.
package struct EfficientNetLiteSettings: Codable, Sendable, Equatable {
    // MARK: Hyper-parameters
    /// Channels of stem and head.
    package var stem = 32
    package var head = 1280
    /// Of each stage: channels and blocks before they are scaled, side of the depthwise filters, stride of the first block,
    /// and factor of the channels inside a block.
    package var channels = [16, 24, 40, 80, 112, 192, 320]
    package var blocks = [1, 2, 2, 3, 3, 4, 1]
    package var kernels = [3, 3, 5, 3, 5, 5, 3]
    package var strides = [1, 2, 2, 2, 1, 2, 1]
    package var expansions = [1, 6, 6, 6, 6, 6, 6]
    /// Factors of the stages' channels and of their blocks.
    package var width: Double
    package var depth: Double
    package var activation = Activation.relu6
    /// Probability that a feature survives dropout.
    package var keep: Double
    package var bnMomentum = 0.99
    package var bnEpsilon = 1e-3

    init(_ size: EfficientNetLite) {
        (width, depth, keep) = (size.width, size.depth, size.keep)
    }
}

/// The sizes of the family that fit a processor.
package enum EfficientNetLite: String, Sendable, CaseIterable {
    case lite0 = "efficientnet-lite0"
    case lite1 = "efficientnet-lite1"
    case lite2 = "efficientnet-lite2"

    /// The side of the images that it was made for.
    package var side: Int {
        switch self {
        case .lite0: 224
        case .lite1: 240
        case .lite2: 260
        }
    }

    var width: Double { self == .lite2 ? 1.1 : 1 }
    var depth: Double {
        switch self {
        case .lite0: 1
        case .lite1: 1.1
        case .lite2: 1.2
        }
    }
    var keep: Double { self == .lite2 ? 0.7 : 0.8 }

    /// Channels times a factor, to the nearest multiple of 8 that is no more than a tenth smaller.
    static func rounded(_ channels: Int, _ factor: Double) -> Int {
        if factor == 1 { return channels }
        let wanted = Double(channels) * factor
        let near = max(8, Int(wanted + 4) / 8 * 8)
        return Double(near) < 0.9 * wanted ? near + 8 : near
    }
}

func efficientNetLite(
    _ size: EfficientNetLite, _ definition: NetworkDefinition, _ net: inout LayerStack
) throws {
    let settings = try definition.settings(over: EfficientNetLiteSettings(size))
    let stages = settings.channels.count
    guard stages > 0,
        [settings.blocks, settings.kernels, settings.strides, settings.expansions].allSatisfy({ $0.count == stages })
    else {
        throw ShapeError(
            definition.architecture,
            given: "\(stages) channels, \(settings.blocks.count) blocks, \(settings.kernels.count) kernels, "
                + "\(settings.strides.count) strides, \(settings.expansions.count) expansions",
            expected: "as many of each, at least one")
    }
    for (name, factor) in [("width", settings.width), ("depth", settings.depth)] where !(0.01...64).contains(factor) {
        throw ShapeError(definition.architecture, given: "\(name) \(factor)", expected: "a factor from 0.01 to 64")
    }
    let limit = 1 << 16
    for (name, numbers) in [
        ("channels", settings.channels + [settings.stem, settings.head]), ("blocks", settings.blocks),
        ("expansions", settings.expansions),
    ] {
        let most = name == "channels" ? limit : 64
        for number in numbers where !(1...most).contains(number) {
            throw ShapeError(definition.architecture, given: "\(name) of \(number)", expected: "from 1 to \(most)")
        }
    }
    func follow(_ stack: inout LayerStack, _ name: String, _ activation: Activation?) throws(ShapeError) {
        try stack.batchNorm("\(name).norm", momentum: settings.bnMomentum, epsilon: settings.bnEpsilon)
        if let activation { stack.activation("\(name).activation", activation) }
    }
    func block(
        _ stack: inout LayerStack, _ name: String, stage: Int, stride: Int, channels: Int
    ) throws(ShapeError) {
        if settings.expansions[stage] > 1 {
            try stack.convolution(
                "\(name).expand.conv", channels: stack.shape.channels * settings.expansions[stage], kernel: 1)
            try follow(&stack, "\(name).expand", settings.activation)
        }
        try stack.depthwiseConvolution("\(name).depthwise.conv", kernel: settings.kernels[stage], stride: stride)
        try follow(&stack, "\(name).depthwise", settings.activation)
        try stack.convolution("\(name).project.conv", channels: channels, kernel: 1)
        try follow(&stack, "\(name).project", nil)
    }

    try net.convolution("stem.conv", channels: settings.stem, kernel: 3, stride: 2)
    try follow(&net, "stem", settings.activation)
    var number = 0
    for stage in 0..<stages {
        let channels = EfficientNetLite.rounded(settings.channels[stage], settings.width)
        // The first and the last stage keep their one block.
        let isEnd = stage == 0 || stage == stages - 1
        let repeats =
            isEnd ? settings.blocks[stage] : Int((Double(settings.blocks[stage]) * settings.depth).rounded(.up))
        for repetition in 0..<repeats {
            let name = "blocks.\(number)"
            let stride = repetition == 0 ? settings.strides[stage] : 1
            if stride == 1 && net.shape.channels == channels {
                try net.residual(name) { branch throws(ShapeError) in
                    try block(&branch, name, stage: stage, stride: 1, channels: channels)
                }
            } else {
                try block(&net, name, stage: stage, stride: stride, channels: channels)
            }
            number += 1
        }
    }
    try net.convolution("head.conv", channels: settings.head, kernel: 1)
    try follow(&net, "head", settings.activation)
    try net.averagePool("head.pool")
    try net.dropout("head.dropout", keep: .init(first: settings.keep))
    try net.fullyConnected("head.linear", outputs: definition.classes, bias: true)
}
