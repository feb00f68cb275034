import FoveaModels
import FoveaSystem
import Glibc
import SystemPackage

/// A file or folder that is made under a name of its own beside its place: at the place is all of it or nothing, and
/// never over something that is there.
package enum NewPath {
    /// The folder that a new file or folder would be in.
    ///
    /// - Throws: `.notFound` where there is none.
    @discardableResult
    package static func existingFolder(of path: FilePath) throws(ModelError) -> FilePath {
        let folder = path.removingLastComponent()
        let directory = folder.isEmpty ? "." : folder
        guard (try? Files.status(directory, followingLinks: true))?.isDirectory == true else {
            throw ModelError(.notFound, directory.escaped, "there is no such folder to write into; make it first")
        }
        return directory
    }

    /// Lets `fill` make a file or folder and moves it to `path`.
    ///
    /// - Throws: `.exists` where something is at `path`; then `fill` is not called, or what it made is removed again.
    ///   `.notFound` where there is no folder for it.
    package static func make(
        _ path: FilePath, _ fill: (FilePath) throws(ModelError) -> Void
    ) throws(ModelError) {
        guard let name = path.lastComponent, name.kind == .regular else {
            throw ModelError(.invalidName, path.escaped, "is not a name that a new file can have")
        }
        let exists = ModelError(
            .exists, path.escaped, "there is something already, and nothing is written over it; give another path")
        let folder = path.removingLastComponent()
        let directory = try existingFolder(of: path)
        let temporary = folder.appending(FilePath.Component(".\(name.string).\(getpid()).tmp")!)
        if try storing({ () throws(SystemError) in try Files.statusIfPresent(path) }) != nil { throw exists }
        do throws(ModelError) {
            try fill(temporary)
            do throws(SystemError) {
                try Files.renameNoReplace(temporary, to: path)
                try Files.syncDirectory(directory)
            } catch {
                throw error.errno == .fileExists ? exists : ModelError(error)
            }
        } catch {
            try? Files.removeTree(temporary)
            throw error
        }
    }

    /// A new file of these bytes.
    package static func write(_ path: FilePath, _ bytes: [UInt8]) throws(ModelError) {
        try make(path) { temporary throws(ModelError) in
            try storing { () throws(SystemError) in
                let descriptor = try Files.open(temporary, O_WRONLY | O_CREAT | O_EXCL)
                defer { try? descriptor.close() }
                try Files.write(bytes, to: descriptor, subject: temporary.escaped)
                try Files.sync(descriptor, subject: temporary.escaped)
            }
        }
    }
}

/// Turns the errors of system calls into `ModelError`.
func storing<R>(_ body: () throws(SystemError) -> R) throws(ModelError) -> R {
    do throws(SystemError) { return try body() } catch { throw ModelError(error) }
}
