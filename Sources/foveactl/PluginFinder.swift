import FoveaCLI
import FoveaControl
import FoveaModels
import FoveaPipeline
import FoveaSystem
import SystemPackage

/// Finds the plugins of stages that people type, by name or by file, and puts files where the daemon finds them.
final class PluginFinder {
    private let search: PluginSearch
    private let folder: FilePath
    /// Files that were copied, for messages.
    private(set) var copied: [String] = []

    private let store: ModelStore
    private let replaces: Bool

    /// - Parameter replaces: a file takes the place of an older version that models use.
    init(_ configuration: Configuration, _ store: ModelStore, replaces: Bool) {
        (self.store, self.replaces) = (store, replaces)
        search = PluginSearch(configuration.pluginFolders)
        folder = configuration.ownPlugins
    }

    /// - Throws: where there is no such plugin, where it is damaged, or of another kind.
    func stage(_ text: StageText, _ kind: PluginKind) throws -> StageConfiguration {
        let file = text.isFile ? FilePath(bytes: RawArguments.bytes(text.plugin)) : try search.find(text.plugin)
        guard try Files.statusIfPresent(file, followingLinks: true) != nil else {
            throw Failure.noInput("\(file.escaped): there is no such file")
        }
        // A plugin is other people's code: it is loaded in a process of its own.
        var options = PluginCheck.Options()
        options.brief = true
        let report = try PluginCheck.run(file, options)
        guard let plugin = report.plugin else {
            let fault = report.findings.first { $0.outcome == .failed }?.text ?? "is not a plugin"
            throw Failure.data(safe(fault.contains(file.escaped) ? fault : "\(file.escaped): \(fault)"))
        }
        guard plugin.kind == kind else {
            throw Failure.usage(
                safe("\(file.escaped) is a \(plugin.kind.rawValue), and a \(kind.rawValue) is wanted there"))
        }
        if text.isFile {
            let users = try store.list().filter { model in
                (try? model.configuration)?.chain.contains { $0.plugin == plugin.name } == true
            }
            let installed = try search.install(
                file, name: plugin.name, into: folder, users: users.map(\.identifier.description), replaces: replaces)
            if case .copied(let place) = installed { copied.append(place.escaped) }
        }
        return StageConfiguration(plugin: plugin.name, parameters: text.parameters ?? .object([:]))
    }
}
