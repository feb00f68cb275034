import CKernels

/// Averages of the weights along a training.
package enum WeightAveraging: Codable, Sendable, Equatable {
    case none
    /// What is measured and kept is an exponential mean of all weights and running statistics (Polyak & Juditsky 1992), over
    /// about 1 / (1 − decay) steps.
    case ema(decay: Double)
    /// Every so many steps the weights go back to their slow copy and a share of the way from there; the slow copy is what is
    /// measured and kept (Zhang et al. 2019).
    case lookahead(steps: Int, share: Double)

    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let value = WeightAveraging(text) else {
            throw NetworkDefinitionError("'\(text)' is no averaging; there are: none, ema:DECAY, lookahead:STEPS:SHARE")
        }
        self = value
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }

    /// `none`, `ema:0.999` or `lookahead:5:0.5`.
    package init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        switch (parts[0], parts.count) {
        case ("none", 1): self = .none
        case ("ema", 2):
            guard let decay = Double(parts[1]), decay > 0, decay < 1 else { return nil }
            self = .ema(decay: decay)
        case ("lookahead", 3):
            guard let steps = Int(parts[1]), steps > 0, let share = Double(parts[2]), share > 0, share <= 1 else {
                return nil
            }
            self = .lookahead(steps: steps, share: share)
        default: return nil
        }
    }

    package var text: String {
        switch self {
        case .none: "none"
        case .ema(let decay): "ema:\(decay)"
        case .lookahead(let steps, let share): "lookahead:\(steps):\(share)"
        }
    }
}

/// The second copy of a network's values that an averaging needs; empty for none.
final class AveragedWeights {
    private let kind: WeightAveraging
    private let network: Network
    private let arena = Arena()
    private let copy: Floats?

    /// For checkpoints.
    var memory: UnsafeMutableBufferPointer<Float> { UnsafeMutableBufferPointer(start: copy, count: arena.count) }

    init(_ kind: WeightAveraging, _ network: Network) {
        (self.kind, self.network) = (kind, network)
        guard kind != .none else {
            copy = nil
            return
        }
        _ = arena.reserve(network.valueFloats)
        arena.allocate()
        copy = arena.base
    }

    /// Before the first step: the weights as they are now are the first copy.
    func begin() { copy?.update(from: network.values, count: network.valueFloats) }

    /// After each step; counts from 1.
    func update(step: Int) {
        guard let copy else { return }
        let values = network.values
        switch kind {
        case .none: return
        case .ema(let decay):
            let keep = Float(min(decay, Double(1 + step) / Double(10 + step)))
            network.pool.split(network.valueFloats, grain: 1024) { _, range in
                ck_blend(values + range.lowerBound, copy + range.lowerBound, range.count, 1 - keep, keep)
            }
        case .lookahead(let steps, let share):
            guard step % steps == 0 else { return }
            network.pool.split(network.parameterFloats, grain: 1024) { _, range in
                ck_blend(
                    values + range.lowerBound, copy + range.lowerBound, range.count, Float(share), 1 - Float(share))
                (values + range.lowerBound).update(from: copy + range.lowerBound, count: range.count)
            }
            network.parametersChanged()
        }
    }

    /// Calls `body` while the network has the averaged weights, where they are what counts.
    func whileAveraged<T>(_ body: () throws -> T) rethrows -> T {
        guard let copy else { return try body() }
        swapValues(copy)
        defer { swapValues(copy) }
        return try body()
    }

    /// The averaged weights become the network's own.
    func settle() {
        guard let copy else { return }
        network.values.update(from: copy, count: averagedFloats)
        network.parametersChanged()
    }

    /// Lookahead's slow copy is of what is learned; running statistics stay as they are.
    private var averagedFloats: Int {
        if case .lookahead = kind { network.parameterFloats } else { network.valueFloats }
    }

    private func swapValues(_ copy: Floats) {
        for i in 0..<averagedFloats { swap(&copy[i], &network.values[i]) }
        network.parametersChanged()
    }
}
