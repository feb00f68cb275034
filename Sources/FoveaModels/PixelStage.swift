import FoveaSystem

/// What one of Fovea's own filters or its normalizer does to the pixels, in figures: for formats that know no plugins.
package enum PixelStage: Sendable, Equatable {
    /// x + amount (x − binomial5×5(x)), to whole numbers.
    case unsharp(amount: Float)
    /// Correlation with side × side weights, row by row, to whole numbers.
    case filter(kernel: [Float], side: Int)
    /// (x / 255 − mean) / std, by channel.
    case normalize(mean: [Double], std: [Double])

    /// nil for a stage of another plugin, and for parameters that the plugin would refuse.
    package init?(_ stage: StageConfiguration) {
        guard case .object(let parameters) = stage.parameters else { return nil }
        switch (stage.plugin, parameters.keys.sorted()) {
        case ("sharpen", []): self = .unsharp(amount: 1)
        case ("sharpen", ["amount"]):
            guard let amount = parameters["amount"]?.double, (0...16).contains(amount) else { return nil }
            self = .unsharp(amount: Float(amount))
        case ("sharpen", ["kernel"]):
            guard case .array(let rows)? = parameters["kernel"] else { return nil }
            let weights = rows.compactMap(Self.numbers)
            guard rows.count % 2 == 1, weights.count == rows.count, weights.allSatisfy({ $0.count == rows.count })
            else { return nil }
            self = .filter(kernel: weights.joined().map { Float($0) }, side: rows.count)
        case ("normalize", ["mode"]):
            guard parameters["mode"]?.string == "signed" else { return nil }
            self = .normalize(mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5])
        case ("normalize", ["mean", "std"]):
            guard let mean = Self.numbers(parameters["mean"]), let std = Self.numbers(parameters["std"]),
                mean.count == 3, std.count == 3, std.allSatisfy({ $0 > 0 })
            else { return nil }
            self = .normalize(mean: mean, std: std)
        default: return nil
        }
    }

    private static func numbers(_ value: JSONValue?) -> [Double]? {
        guard case .array(let elements)? = value else { return nil }
        let numbers = elements.compactMap(\.double)
        return numbers.count == elements.count ? numbers : nil
    }
}
