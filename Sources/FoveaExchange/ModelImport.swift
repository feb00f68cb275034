import FoveaModels
import FoveaSystem
import SystemPackage

/// Takes models into a store, from wherever they come: a model's own folder, the Hugging Face layout, or a .tar.zst of
/// either. All end at the store's own checks, and nothing is left of what does not pass them.
package enum ModelImport {
    /// - Throws: `.damaged`, `.exists`, `.storage`.
    @discardableResult
    package static func take(_ path: FilePath, into store: ModelStore) throws(ModelError) -> ModelStore.Model {
        let status = try storing { () throws(SystemError) in try Files.status(path, followingLinks: true) }
        if status.isDirectory {
            let names = try storing { () throws(SystemError) in try Files.list(path).map(\.string) }
            let layout = try Layout(names: names, subject: path.escaped)
            return try store.importFolder(path, names: layout == .huggingFace ? HuggingFace.ours : nil)
        }
        guard status.isRegular else {
            throw ModelError(.damaged, path.escaped, "is neither a folder nor a file")
        }
        return try store.add { staging throws(ModelError) in
            try arrange(try TarReader.unpack(path, into: staging), in: staging, subject: path.escaped)
        }
    }

    /// Which files a model's folder has.
    enum Layout {
        /// A model's own.
        case own
        case huggingFace

        /// - Parameter names: what is in the folder.
        init(names: [String], subject: String) throws(ModelError) {
            let missing = [ModelFolder.manifestName, ModelFolder.goldenName].filter { !names.contains($0) }
            if names.contains(HuggingFace.ownConfiguration), missing.isEmpty {
                self = .huggingFace
            } else if names.contains(ModelFolder.manifestName), !names.contains(HuggingFace.ownConfiguration) {
                self = .own
            } else if names.contains(ModelFolder.configurationName) || names.contains(HuggingFace.ownConfiguration) {
                let absent = ([HuggingFace.ownConfiguration].filter { !names.contains($0) } + missing)
                    .joined(separator: ", ")
                throw ModelError(
                    .damaged, subject,
                    "is no model that Fovea has exported: \(absent) missing. Fovea runs networks that it has trained "
                        + "itself: train one with `foveactl train`, or export one with `foveactl model export`")
            } else {
                throw ModelError(
                    .damaged, subject,
                    "has no \(ModelFolder.manifestName): not a model's folder. Name the one with config.json in it")
            }
        }
    }

    /// Gives the unpacked files of a model their names, and removes those that are only the layout's.
    private static func arrange(
        _ members: [TarReader.Member], in staging: FilePath, subject: String
    ) throws(ModelError) {
        let root = try root(of: members, subject: subject)
        let names = members.filter { $0.path.count == root.count + 1 }.map { $0.path[root.count] }
        let layout = try Layout(names: names, subject: subject)
        for member in members {
            let path = Array(member.path.dropFirst(root.count))
            guard member.path.starts(with: root),
                path.count == (path[0] == ModelFolder.trainingName ? 2 : 1)
            else {
                throw ModelError(
                    .damaged, "\(subject), \(percentEscaped(Array(member.path.joined(separator: "/").utf8)))",
                    "does not belong to the model")
            }
            try storing { () throws(SystemError) in
                if path.count == 2 {
                    try Files.makeDirectories(staging.appending(path[0]))
                    try Files.renameNoReplace(member.file, to: staging.appending(path[0]).appending(path[1]))
                } else if let name = layout == .own ? path[0] : HuggingFace.ours[path[0]] {
                    try Files.renameNoReplace(member.file, to: staging.appending(name))
                } else {
                    try Files.unlink(member.file)
                }
            }
        }
    }

    /// The folder of the archive that the model is: the one that has the manifest.
    private static func root(of members: [TarReader.Member], subject: String) throws(ModelError) -> [String] {
        let manifests = members.map(\.path).filter {
            $0.last == ModelFolder.manifestName && $0.dropLast().last != ModelFolder.trainingName
        }
        if manifests.count > 1 { throw ModelError(.damaged, subject, "holds \(manifests.count) models, one is taken") }
        if let manifest = manifests.first { return manifest.dropLast() }
        // Then there is none to be taken; which files are missing is said of the folder that is most like a model's.
        let like = members.map(\.path).filter {
            $0.last == ModelFolder.configurationName || $0.last == ModelFolder.weightsName
        }
        return like.min { $0.count < $1.count }?.dropLast() ?? []
    }
}
