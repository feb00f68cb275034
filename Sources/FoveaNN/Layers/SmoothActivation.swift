import CKernels

/// x · σ(u(x)): SiLU (Elfwing et al. 2017), or GELU (Hendrycks & Gimpel 2016) in its tanh form. Not in place, since
/// backward needs x.
final class SmoothActivation: Layer {
    enum Kind: String, Sendable {
        case silu, gelu

        /// u(x) = linear · x + cubic · x³. For GELU 2·√(2/π) and 0.044715 times that.
        fileprivate var factors: (linear: Float, cubic: Float) {
            switch self {
            case .silu: (1, 0)
            case .gelu: (1.595_769_121_6, 0.071_354_816_3)
            }
        }
    }

    let name: String
    let input: Shape
    var output: Shape { input }
    private let kind: Kind

    init(_ name: String, input: Shape, kind: Kind) {
        (self.name, self.input, self.kind) = (name, input, kind)
    }

    func forward(_ x: Floats, _ y: Floats, count: Int, _ pass: Pass) {
        let factors = kind.factors
        pass.pool.split(count * input.count, grain: 1024) { _, range in
            ck_gate(x + range.lowerBound, y + range.lowerBound, range.count, factors.linear, factors.cubic)
        }
    }

    func backward(_ x: Floats, _ dy: Floats, _ dx: Floats?, count: Int, _ pass: Pass) {
        guard let dx else { return }
        let factors = kind.factors
        pass.pool.split(count * input.count, grain: 1024) { _, range in
            let at = range.lowerBound
            ck_gate_back(x + at, dy + at, dx + at, range.count, factors.linear, factors.cubic)
        }
    }
}
