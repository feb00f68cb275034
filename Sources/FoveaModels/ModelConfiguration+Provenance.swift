extension ModelConfiguration {
    /// The model whose weights this one began with.
    package var base: Provenance.Base? { training?.trained?.base }

    /// What the images are that its figures `dev` are of: such as a training chose by, or such as a retraining was judged by.
    package var heldOut: String {
        if training?.ownClasses != nil { return "out-of-fold" }
        return isRetrained ? "held-back" : "development"
    }

    package var isRetrained: Bool { training?.trained?.retraining != nil }
}
