/// The small residual network of Page 2019, "How to train your ResNet", that fast trainings are compared by.
///
/// ```
///   C(c):    conv 3×3 → BN → ReLU
///   network: C(64) → C(128) → pool → R(128) → C(256) → pool → C(512) → pool → R(512) → pool 4 → matmul
///   R(c):    x + C(c)(C(c)(x))                                                         32 → 16 → 8 → 4
/// ```
package struct ResNet9Settings: Codable, Sendable, Equatable {
    // MARK: Hyper-parameters
    package var channels = [64, 128, 256, 512]
    /// Factor of all channels, for a narrower or wider network.
    package var width = 1.0
    package var activation = Activation.relu
    package var bnMomentum = 0.9
    package var bnEpsilon = 1e-5

    package init() {}
}

func resNet9(_ definition: NetworkDefinition, _ net: inout LayerStack) throws {
    let settings = try definition.settings(over: ResNet9Settings())
    guard settings.channels.count == 4 else {
        throw ShapeError("resnet9", given: "\(settings.channels.count) channels", expected: "four")
    }
    let widths = try settings.channels.scaled(by: settings.width)
    func c(_ stack: inout LayerStack, _ name: String, _ channels: Int) throws(ShapeError) {
        try stack.convolution("\(name).conv", channels: channels, kernel: 3)
        try stack.batchNorm("\(name).norm", momentum: settings.bnMomentum, epsilon: settings.bnEpsilon)
        stack.activation("\(name).relu", settings.activation)
    }
    func r(_ name: String, _ channels: Int) throws(ShapeError) {
        try net.residual(name) { branch throws(ShapeError) in
            try c(&branch, "\(name).a", channels)
            try c(&branch, "\(name).b", channels)
        }
    }
    try c(&net, "prepare", widths[0])
    for (index, channels) in widths.dropFirst().enumerated() {
        let layer = "layer\(index + 1)"
        try c(&net, layer, channels)
        try net.maxPool("\(layer).pool")
        if index != 1 { try r("\(layer).residual", channels) }
    }
    try net.maxPool("head.pool1")
    try net.maxPool("head.pool2")
    try net.fullyConnected("head.linear", outputs: definition.classes, bias: true)
}
