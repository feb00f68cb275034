import CKernels

/// The activations there are, as `config.json` names them: ReLU, SiLU (Elfwing et al. 2017), GELU in its tanh form
/// (Hendrycks & Gimpel 2016), ReLU6 (Krizhevsky 2010), hard-swish (Howard et al. 2019, MobileNetV3).
package enum Activation: String, Codable, Sendable, CaseIterable {
    case relu, silu, gelu, relu6
    case hardSwish = "hard-swish"

    package init(from decoder: any Decoder) throws {
        let name = try decoder.singleValueContainer().decode(String.self)
        guard let value = Activation(rawValue: name) else {
            let names = Self.allCases.map(\.rawValue).joined(separator: ", ")
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "one of \(names)"))
        }
        self = value
    }

    /// As the kernels take it. x · σ(linear · x + cubic · x³): for GELU 2·√(2/π) and 0.044715 times that.
    var kernel: ck_activation {
        switch self {
        case .relu: ck_activation(kind: Int32(CK_RELU), linear: 0, cubic: 0)
        case .silu: ck_activation(kind: Int32(CK_GATE), linear: 1, cubic: 0)
        case .gelu: ck_activation(kind: Int32(CK_GATE), linear: 1.595_769_121_6, cubic: 0.071_354_816_3)
        case .relu6: ck_activation(kind: Int32(CK_RELU6), linear: 0, cubic: 0)
        case .hardSwish: ck_activation(kind: Int32(CK_HARD_SWISH), linear: 0, cubic: 0)
        }
    }

    /// None.
    static var identity: ck_activation { ck_activation(kind: Int32(CK_NO_ACTIVATION), linear: 0, cubic: 0) }

    /// Whether its derivative can be seen from its result, so that it may work in place.
    var isInPlace: Bool {
        switch self {
        case .relu, .relu6: true
        case .silu, .gelu, .hardSwish: false
        }
    }

    // MARK: - Descriptions

    /// Its name in a drawing.
    var operation: String {
        switch self {
        case .relu: "ReLU"
        case .silu: "SiLU"
        case .gelu: "GELU"
        case .relu6: "ReLU6"
        case .hardSwish: "HardSwish"
        }
    }

    /// As ONNX nodes.
    func describe(_ x: ONNXValue, _ name: String, in export: inout ONNXExport) -> ONNXValue {
        switch self {
        case .relu: return export.add(name, "Relu", x)
        case .gelu: return export.add(name, "Gelu", x, [], ["approximate": .text("tanh")])
        case .hardSwish: return export.add(name, "HardSwish", x)
        case .relu6:
            let least = export.graph.constant("\(name).least", floats: [0])
            let most = export.graph.constant("\(name).most", floats: [6])
            return export.add(name, "Clip", x, [least, most])
        case .silu:
            // An operator of its own (Swish) only from opset 24 on.
            let gate = export.add("\(name).sigmoid", "Sigmoid", x)
            return export.add(name, "Mul", x, [gate.name])
        }
    }
}

/// An activation that follows neither a batch norm nor, in inference, a convolution: those have it in them.
final class ActivationLayer: Layer {
    let name: String
    let input: Shape
    var output: Shape { input }
    var inPlace: Bool { kind.isInPlace }
    let kind: Activation

    init(_ name: String, input: Shape, kind: Activation) {
        (self.name, self.input, self.kind) = (name, input, kind)
    }

    func forward(_ x: Floats, _ y: Floats, count: Int, _ pass: Pass) {
        pass.pool.split(count * input.count, grain: 1024) { [kernel = kind.kernel] _, range in
            withUnsafePointer(to: kernel) {
                ck_apply_activation(x + range.lowerBound, y + range.lowerBound, range.count, $0)
            }
        }
    }

    func backward(_ x: Floats, _ dy: Floats, _ dx: Floats?, count: Int, _ pass: Pass) {
        guard let dx else { return }
        pass.pool.split(count * input.count, grain: 1024) { [kernel = kind.kernel] _, range in
            let at = range.lowerBound
            withUnsafePointer(to: kernel) { ck_apply_activation_back(x + at, dy + at, dx + at, range.count, $0) }
        }
    }

    // MARK: - Descriptions

    var operation: String { kind.operation }

    func describe(_ x: ONNXValue, in export: inout ONNXExport) -> ONNXValue { kind.describe(x, name, in: &export) }
}

extension LayerStack {
    /// A batch norm does it on the way, and in inference a convolution.
    mutating func activation(_ name: String, _ kind: Activation) {
        if let norm = layers.last as? BatchNorm, norm.activation == nil {
            norm.activation = kind
        } else if (layers.last as? any FusingLayer)?.fuse(kind) != true {
            append(ActivationLayer(name, input: shape, kind: kind))
        }
    }
}

extension LayerProbe.Kind {
    package static func activation(_ kind: Activation) -> Self { Self { $0.activation(probe, kind) } }
}
