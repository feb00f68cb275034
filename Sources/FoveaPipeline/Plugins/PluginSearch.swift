import FoveaSystem
import SystemPackage

/// Where plugins are: `libfovea-NAME.so`, then `fovea-NAME.so`, in each folder of the configuration, then beside the
/// running program (where `swift build` puts them), then in `../lib/fovea` (where `make install` puts them).
package struct PluginSearch: Sendable {
    package let folders: [FilePath]

    package init(_ configured: [FilePath] = []) {
        let program = programDirectory()
        folders = configured + [program, program.removingLastComponent().appending("lib/fovea")]
    }

    /// The file of a plugin.
    package func find(_ name: String) throws(PluginError) -> FilePath {
        guard PluginLibrary.isName(name) else {
            throw PluginError(.missing, "'\(name)' is not a plugin's name (lower-case letters, digits, hyphens)")
        }
        for folder in folders {
            for file in ["libfovea-\(name).so", "fovea-\(name).so"] {
                let path = folder.appending(file)
                if (try? Files.statusIfPresent(path, followingLinks: true)) ?? nil != nil { return path }
            }
        }
        throw PluginError(
            .missing,
            "plugin '\(name)' is missing: no libfovea-\(name).so in \(folders.map(\.escaped).joined(separator: ", "))")
    }

    /// Finds and loads a plugin that must call itself by the name it was found by.
    package func load(_ name: String) throws(PluginError) -> PluginLibrary {
        let library = try PluginLibrary.load(try find(name))
        guard library.name == name else {
            throw PluginError(.malformed, file: library.path, "calls itself '\(library.name)', not '\(name)'")
        }
        return library
    }

    /// All files that look like plugins, each name once, as `find` would choose, in order of their names.
    package func all() -> [FilePath] {
        var found: [String: FilePath] = [:]
        for folder in folders {
            for file in ((try? Files.list(folder)) ?? []).map(\.string).sorted(by: >) {
                guard file.hasSuffix(".so"), let range = ["libfovea-", "fovea-"].first(where: file.hasPrefix) else {
                    continue
                }
                let name = String(file.dropFirst(range.count).dropLast(3))
                if PluginLibrary.isName(name), found[name] == nil { found[name] = folder.appending(file) }
            }
        }
        return found.sorted { $0.key < $1.key }.map(\.value)
    }
}
