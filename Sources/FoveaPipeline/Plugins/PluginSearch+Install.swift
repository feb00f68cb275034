import FoveaSystem
import SystemPackage

extension PluginSearch {
    /// What `install` has done.
    package enum Installation: Sendable, Equatable {
        /// The very file, or one of the same bytes, is where plugins are searched.
        case found(FilePath)
        /// It was copied there.
        case copied(FilePath)
    }

    /// Puts a plugin's file where the search finds it.
    ///
    /// - Parameters:
    ///   - file: that has been looked at.
    ///   - name: what the plugin calls itself.
    ///   - folder: gets a copy; one of the folders that are searched. It is made where it is missing.
    /// - Throws: `PluginError` where the search would find another plugin of that name: which one serves must not depend on the order
    ///   of folders. `SystemError`.
    package func install(_ file: FilePath, name: String, into folder: FilePath) throws -> Installation {
        let bytes = try Files.read(try Files.resolve(file), limit: 1 << 30)
        if let found = try? find(name) {
            guard try Files.read(try Files.resolve(found), limit: 1 << 30) == bytes else {
                throw PluginError(
                    .malformed, file: file,
                    "calls itself '\(name)', and another plugin of that name is in \(found.escaped). Models name plugins by their "
                        + "names: give yours another one, or remove that file if it is an older version of yours")
            }
            return .found(found)
        }
        try Files.makeDirectories(folder)
        let place = folder.appending("libfovea-\(name).so")
        try Files.replace(place, with: bytes)
        return .copied(place)
    }
}
