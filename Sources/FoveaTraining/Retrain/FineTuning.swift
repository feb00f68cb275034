import FoveaNN

/// Training on from weights that are good already.
enum FineTuning {
    /// Of the recipe's learning rates: enough to learn what is new, too little to forget.
    static let share = 0.25

    /// - Parameter recipe: what the champion, or the first model of its line, was trained from scratch with: rates do not
    ///   shrink from night to night.
    static func settings(_ recipe: TrainingSettings, epochs: Int) -> TrainingSettings {
        var settings = recipe
        settings.epochs = epochs
        settings.learningRate *= share
        settings.muonLearningRate *= share
        settings.warmup = 0.1 * Double(epochs)
        // Growing images are for networks that know nothing yet.
        settings.sizes = []
        return settings
    }
}
