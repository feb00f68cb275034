import Glibc

/// How the learning rate goes: a warm-up, then one of five ways on.
package enum Schedule: Codable, Sendable, Equatable {
    case constant
    /// Half a cosine from the learning rate to zero, which is reached after the last step.
    case cosine
    /// Evenly to zero, which is reached after the last step.
    case linear
    /// Up by half a cosine from a 25th during the warm-up, and down by another to a 10,000th of where it began (Smith 2018,
    /// "Super-convergence", as PyTorch's OneCycleLR).
    case oneCycle
    /// × factor at each epoch's start, as a staircase.
    case step(factor: Double)

    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let schedule = Schedule(text) else {
            throw NetworkDefinitionError(
                "'\(text)' is no schedule; there are: constant, cosine, linear, one-cycle, step:FACTOR (step:0.99)")
        }
        self = schedule
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }

    /// Whether more epochs would change the first ones.
    var dependsOnLength: Bool {
        switch self {
        case .constant, .step: false
        case .cosine, .linear, .oneCycle: true
        }
    }

    /// `constant`, `cosine`, `linear`, `one-cycle` or `step:0.99`.
    package init?(_ text: String) {
        let parts = text.split(separator: ":")
        switch (parts.first, parts.count) {
        case ("constant", 1): self = .constant
        case ("cosine", 1): self = .cosine
        case ("linear", 1): self = .linear
        case ("one-cycle", 1): self = .oneCycle
        case ("step", 2):
            guard let factor = Double(parts[1]), factor > 0, factor <= 1 else { return nil }
            self = .step(factor: factor)
        default: return nil
        }
    }

    package var text: String {
        switch self {
        case .constant: "constant"
        case .cosine: "cosine"
        case .linear: "linear"
        case .oneCycle: "one-cycle"
        case .step(let factor): "step:\(factor)"
        }
    }

    /// The factor on the learning rate at a step.
    ///
    /// - Parameters:
    ///   - step: steps made so far, of `total`.
    ///   - perEpoch: steps of an epoch.
    ///   - warmup: steps of the warm-up; step s of it gets (s + 1) / warmup.
    package func factor(step: Int, total: Int, perEpoch: Int, warmup: Int) -> Double {
        /// From one value to another by half a cosine.
        func wave(_ from: Double, _ to: Double, _ along: Double) -> Double {
            to + (from - to) * 0.5 * (1 + cos(Double.pi * min(1, along)))
        }
        if self == .oneCycle {
            let start = 1.0 / 25
            return step < warmup
                ? wave(start, 1, Double(step) / Double(warmup))
                : wave(1, start / 10_000, Double(step - warmup) / Double(max(1, total - warmup - 1)))
        }
        if step < warmup { return Double(step + 1) / Double(warmup) }
        switch self {
        case .constant, .oneCycle: return 1
        case .cosine:
            let along = Double(step - warmup) / Double(max(1, total - warmup))
            return wave(1, 0, along)
        case .linear: return max(0, Double(total - step) / Double(max(1, total - warmup)))
        case .step(let factor): return pow(factor, Double(step / max(1, perEpoch)))
        }
    }
}
