import FoveaSystem
import SystemPackage

extension PluginSearch {
    /// What `install` has done.
    package enum Installation: Sendable, Equatable {
        /// A file of the same bytes is where plugins are searched.
        case found(FilePath)
        /// It was copied there.
        case copied(FilePath)
    }

    /// Puts a plugin's file where the search finds it.
    ///
    /// Models name plugins by their names, so a name must go on meaning the plugin that models in the store were made with.
    ///
    /// - Parameters:
    ///   - file: that has been looked at.
    ///   - name: what the plugin calls itself.
    ///   - folder: gets a copy; one of the folders that are searched. It is made where it is missing.
    ///   - users: models in the store whose chains name this plugin.
    ///   - replaces: an older version in `folder` gives way although models use it; each proves itself by its golden set when it
    ///     starts.
    /// - Throws: `PluginError` where another plugin of that name is searched first, or is used; `SystemError`.
    package func install(
        _ file: FilePath, name: String, into folder: FilePath, users: [String], replaces: Bool
    ) throws -> Installation {
        let bytes = try Files.read(try Files.resolve(file), limit: 1 << 30)
        let place = folder.appending("libfovea-\(name).so")
        if let found = try? find(name) {
            if try Files.read(try Files.resolve(found), limit: 1 << 30) == bytes { return .found(found) }
            func refusal(_ remedy: String) -> PluginError {
                PluginError(
                    .malformed, file: file,
                    "calls itself '\(name)', and another plugin of that name is in \(found.escaped)" + remedy)
            }
            let own = folders.firstIndex(of: folder) ?? 0
            let isBefore = folders[..<own].contains { found.removingLastComponent() == $0 }
            if isBefore { throw refusal(", which is searched first: put yours there, or give it another name") }
            if !users.isEmpty, found != place || !replaces {
                let models = users.prefix(3).joined(separator: ", ") + (users.count > 3 ? " …" : "")
                throw refusal(
                    " and used by \(models): give yours another name"
                        + (found == place ? ", or let it take that one's place with --replace" : ""))
            }
        }
        try Files.makeDirectories(folder)
        try Files.replace(place, with: bytes)
        return .copied(place)
    }
}
