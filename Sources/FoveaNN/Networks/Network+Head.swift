import FoveaSystem

// The last fully connected layer of a network is its head: what own classes replace.

extension Network {
    /// What multiplies the head's scores before they are logits: 1 where nothing follows the head, nil where something does that is
    /// no factor, such as a batch norm.
    package var headGain: Float? {
        guard let head, let index = layers.lastIndex(where: { $0.name == head }) else { return nil }
        var gain: Float = 1
        for layer in layers[(index + 1)...] {
            guard let scale = layer as? Scale else { return nil }
            gain *= scale.factor
        }
        return gain
    }
}

extension NetworkDefinition {
    /// The same network with a bias in its head: a `foveanet` has none by default, and a head that is fitted needs one.
    package var withHeadBias: NetworkDefinition {
        guard architecture == "foveanet", case .object(var members) = settings else { return self }
        var result = self
        members["headBias"] = .bool(true)
        result.settings = .object(members)
        return result
    }
}
