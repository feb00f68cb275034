extension AveragedNetwork.View {
    /// The views of a test-time augmentation by its name: `none`, `flip` or `shift`; nil for another.
    package static func named(_ name: String) -> [Self]? {
        switch name {
        case "none": [Self()]
        case "flip": [Self(weight: 0.5), Self(mirrored: true, weight: 0.5)]
        case "shift":
            [false, true].flatMap { mirrored in
                [(0, 0.25), (-1, 0.125), (1, 0.125)].map { Self(mirrored: mirrored, move: $0, weight: $1) }
            }
        default: nil
        }
    }
}
