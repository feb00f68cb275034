import CKernels

/// The activations there are, as `config.json` names them: ReLU, SiLU (Elfwing et al. 2017), GELU in its tanh form
/// (Hendrycks & Gimpel 2016).
package enum Activation: String, Codable, Sendable, CaseIterable {
    case relu, silu, gelu

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
        }
    }

    /// None.
    static var identity: ck_activation { ck_activation(kind: Int32(CK_NO_ACTIVATION), linear: 0, cubic: 0) }
}

/// An activation that follows neither a batch norm nor, in inference, a convolution: those have it in them. ReLU works in
/// place, since its derivative can be seen from its result.
final class ActivationLayer: Layer {
    let name: String
    let input: Shape
    var output: Shape { input }
    var inPlace: Bool { kind == .relu }
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
}
