import FoveaSystem
import SystemPackage

extension ModelFolder {
    /// Copies a model's files, and those in `training/`, without believing any of them: `verify` looks at the copy.
    ///
    /// - Parameters:
    ///   - source: a folder, or a link to one; the files in it must be no links.
    ///   - target: an empty folder.
    ///   - names: the files to take, with the names that they get; nil takes all as they are.
    package static func copy(
        _ source: FilePath, to target: FilePath, names: [String: String]? = nil
    ) throws(ModelError) {
        let status = try storing { () throws(SystemError) in try Files.status(source, followingLinks: true) }
        guard status.isDirectory else {
            throw ModelError(.damaged, source.escaped, "is not a folder with a model's files")
        }
        let present = try storing { () throws(SystemError) in try Files.list(source).map(\.string) }
        guard present.contains(manifestName) else {
            throw ModelError(.damaged, source.escaped, "has no \(manifestName): not a model's folder")
        }
        for name in present where name != trainingName {
            guard let copy = names == nil ? name : names?[name] else { continue }
            try copyFile(source.appending(name), to: target.appending(copy), limit: limit(copy))
        }
        guard present.contains(trainingName) else { return }
        let (from, to) = (source.appending(trainingName), target.appending(trainingName))
        guard try storing({ () throws(SystemError) in try Files.status(from) }).isDirectory else {
            throw ModelError(.damaged, from.escaped, "is not a folder")
        }
        try storing { () throws(SystemError) in try Files.makeDirectory(to) }
        for name in try storing({ () throws(SystemError) in try Files.list(from) }) {
            try copyFile(from.appending(name), to: to.appending(name), limit: goldenLimit)
        }
    }

    private static func copyFile(_ source: FilePath, to target: FilePath, limit: Int) throws(ModelError) {
        let bytes = try read(source, limit: limit)
        try storing { () throws(SystemError) in try Files.replace(target, with: bytes) }
    }
}
