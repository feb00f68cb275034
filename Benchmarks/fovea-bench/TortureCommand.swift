import ArgumentParser

struct TortureCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "torture", abstract: "x")
}
