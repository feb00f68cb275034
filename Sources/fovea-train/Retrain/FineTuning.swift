import FoveaNN

/// Training on from weights that are good already.
enum FineTuning {
    /// Of the champion's learning rates: enough to learn what is new, too little to forget.
    static let share = 0.25

    /// - Parameter settings: what the champion was trained with.
    static func settings(_ settings: TrainingSettings, epochs: Int) -> TrainingSettings {
        var settings = settings
        settings.epochs = epochs
        settings.learningRate *= share
        settings.muonLearningRate *= share
        settings.warmup = 0.1 * Double(epochs)
        // Growing images are for networks that know nothing yet.
        settings.sizes = []
        return settings
    }
}
