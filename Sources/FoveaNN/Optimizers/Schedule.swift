import Glibc

/// How the learning rate goes: a linear warm-up, then one of four ways on.
package enum Schedule: Codable, Sendable, Equatable {
    case constant
    /// Half a cosine from the learning rate to zero at the last step.
    case cosine
    /// Evenly to zero, which is reached after the last step.
    case linear
    /// × factor at each epoch's start, as a staircase.
    case step(factor: Double)

    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let schedule = Schedule(text) else {
            throw NetworkDefinitionError(
                "'\(text)' is no schedule; there are: constant, cosine, linear, step:FACTOR (step:0.99)")
        }
        self = schedule
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }

    /// `constant`, `cosine`, `linear` or `step:0.99`.
    package init?(_ text: String) {
        let parts = text.split(separator: ":")
        switch (parts.first, parts.count) {
        case ("constant", 1): self = .constant
        case ("cosine", 1): self = .cosine
        case ("linear", 1): self = .linear
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
        if step < warmup { return Double(step + 1) / Double(warmup) }
        switch self {
        case .constant: return 1
        case .cosine:
            let along = Double(step - warmup) / Double(max(1, total - warmup))
            return 0.5 * (1 + cos(Double.pi * min(1, along)))
        case .linear: return max(0, Double(total - step) / Double(max(1, total - warmup)))
        case .step(let factor): return pow(factor, Double(step / max(1, perEpoch)))
        }
    }
}
