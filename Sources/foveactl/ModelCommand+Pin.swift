import ArgumentParser
import FoveaCLI
import FoveaModels
import FoveaSystem
import SystemPackage

extension ModelCommand {
    struct Pin: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Keeps a model, however many newer ones there are.")
        @Argument(help: "NAME@VERSION, in full.")
        var model: String
        @OptionGroup var common: CommonOptions
        @OptionGroup var store: StateOption

        func run() throws {
            let configuration = try common.configuration(store)
            let found = try ModelCommand.store(configuration).resolve(try ModelCommand.identifier(model).description)
            try ModelCommand.pin(found.identifier, true, configuration.pinnedFile)
            if common.json { return try Console.json(["pinned": found.identifier.description]) }
            common.note("\(found.identifier) is pinned.")
        }
    }

    struct Unpin: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "No longer keeps a model at any price.")
        @Argument(help: "NAME@VERSION, in full.")
        var model: String
        @OptionGroup var common: CommonOptions
        @OptionGroup var store: StateOption

        func run() throws {
            let configuration = try common.configuration(store)
            let identifier = try ModelCommand.identifier(model)
            guard try PinnedModels.read(configuration.pinnedFile).models.contains(identifier) else {
                throw Failure("\(safe(model)) is not pinned. `foveactl model list` shows which models are.", .noInput)
            }
            try ModelCommand.pin(identifier, false, configuration.pinnedFile)
            if common.json { return try Console.json(["unpinned": identifier.description]) }
            common.note("\(identifier) is no longer pinned.")
        }
    }

    private static func pin(_ identifier: ModelIdentifier, _ isPinned: Bool, _ path: FilePath) throws {
        var pinned = try PinnedModels.read(path)
        if isPinned { pinned.models.insert(identifier) } else { pinned.models.remove(identifier) }
        try Files.makeDirectories(path.removingLastComponent())
        try pinned.write(path)
    }

    struct Compare: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "compare", abstract: "On which images two models differ.", helpNames: [])

        @Argument(parsing: .captureForPassthrough, help: "Such as cifar100@1 cifar100@2 --last 500.")
        var arguments: [String] = []

        func run() throws { try becomeTrainer("compare", arguments, as: "foveactl model") }
    }
}
