import CFoveaPlugin

/// What a plugin does in the chain.
package enum PluginKind: String, Codable, Sendable, Equatable {
    /// RGB8 to RGB8 of the same shape.
    case filter
    /// RGB8 to float32 of the same shape.
    case normalizer
    /// float32 images to one row of scores each.
    case classifier

    init?(_ kind: fovea_kind) {
        switch kind {
        case FOVEA_FILTER: self = .filter
        case FOVEA_NORMALIZER: self = .normalizer
        case FOVEA_CLASSIFIER: self = .classifier
        default: return nil
        }
    }
}
