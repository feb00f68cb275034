import FoveaSystem

/// Averaging a classifier's answer over changed copies of an image: some accuracy for a multiple of the time.
///
/// It is a parameter of `classifier-net`, so that a model can have it, and may be chosen anew where a model is measured or
/// serves.
package enum TestTimeAugmentation: String, Codable, Sendable, CaseIterable {
    /// The image alone.
    case none
    /// The image and its mirror image, half each.
    case flip
    /// Those two, and both moved by one pixel up and left, and down and right, which count half as much (Jordan 2024,
    /// airbench).
    case shift

    /// Copies of each image that are classified.
    package var views: Int {
        switch self {
        case .none: 1
        case .flip: 2
        case .shift: 6
        }
    }

    /// The parameter's name.
    package static let parameter = "tta"
}

extension ModelConfiguration {
    /// What the classifier's parameters say.
    package var tta: TestTimeAugmentation {
        guard let stage = chain.last, usesNetwork,
            let text = stage.parameters[TestTimeAugmentation.parameter]?.string
        else { return .none }
        return TestTimeAugmentation(rawValue: text) ?? .none
    }

    /// What divides the logits: see `Network.temperature`.
    package var temperature: Double { usesNetwork ? chain.last?.parameters["temperature"]?.double ?? 1 : 1 }

    /// The same model with another averaging; one whose classifier knows none stays as it is.
    package func averaging(_ tta: TestTimeAugmentation) -> ModelConfiguration {
        guard usesNetwork, let stage = chain.last, case .object(var parameters) = stage.parameters else { return self }
        parameters[TestTimeAugmentation.parameter] = tta == .none ? nil : .string(tta.rawValue)
        return withClassifier(stage, parameters)
    }

    /// The same model with another temperature: see `Network.temperature`.
    package func at(temperature: Double) -> ModelConfiguration {
        guard usesNetwork, let stage = chain.last, case .object(var parameters) = stage.parameters else { return self }
        parameters["temperature"] = temperature == 1 ? nil : .number(temperature)
        return withClassifier(stage, parameters)
    }

    private func withClassifier(_ stage: StageConfiguration, _ parameters: [String: JSONValue]) -> ModelConfiguration {
        var result = self
        result.chain[result.chain.count - 1] = StageConfiguration(
            plugin: stage.plugin, parameters: .object(parameters))
        return result
    }
}
