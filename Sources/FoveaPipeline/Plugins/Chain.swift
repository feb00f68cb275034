package enum Chain {
    static let mostStages = 32
}
