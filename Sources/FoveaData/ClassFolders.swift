import FoveaModels
import FoveaSystem
import SystemPackage

// A folder per class as it lies on a disk. People's folders hold what file managers leave behind, subfolders, links, names
// in every spelling: all of it either counts or is listed with a reason, and nothing of it stops the rest.

/// Finds the files of labelled folders, sorted by bytes. No file is opened.
package struct ClassFolders: Sendable {
    package struct File: Sendable, Equatable {
        package let path: FilePath
        /// Printable, below the folder of all classes: `label/sub/file.png`.
        package let name: String
    }

    package struct Class: Sendable {
        package let label: String
        /// Printable; several where the label is there in several spellings.
        package var folders: [String]
        /// All that is in it and below, images or not.
        package var files: [File]
    }

    /// By the labels' bytes; also those without a file.
    package private(set) var classes: [Class] = []
    /// What does not count, with the reason.
    package private(set) var leftOut: [RefusedFile] = []
    /// What a person should know, sentences.
    package private(set) var notes: [String] = []

    /// - Throws: `.invalid` for a folder whose name cannot be a label, `.system` where `path` itself cannot be read.
    package init(_ path: FilePath) throws(DataError) {
        let content = try Self.content(of: path)
        let root = try system { () throws(SystemError) in try Files.status(path, followingLinks: true) }
        for stray in content.files {
            leftOut.append(RefusedFile(path: stray.escaped, reason: "not inside a class's folder"))
        }
        for folder in content.folders {
            let name = folder.lastComponent!
            guard let label = String(validating: name.bytes, as: UTF8.self) else {
                throw DataError(.invalid, "\(folder.escaped): a label must be UTF-8: rename the folder")
            }
            if let problem = Labels.problem(label, isNew: true) {
                throw DataError(.invalid, "\(folder.escaped): as a label '\(label)' \(problem): rename the folder")
            }
            var found: [File] = []
            visit(folder, FilePath(root: nil, components: name), above: [root], &found)
            add(label, folder, found)
        }
        classes.sort { $0.label.utf8.lexicographicallyPrecedes($1.label.utf8) }
    }

    /// One spelling of a label is as good as another: `ä` may be one character or two, and Swift, the daemon and most
    /// file managers take them for the same.
    private mutating func add(_ label: String, _ folder: FilePath, _ files: [File]) {
        guard let index = classes.firstIndex(where: { $0.label == label }) else {
            return classes.append(Class(label: label, folders: [folder.escaped], files: files))
        }
        // The shorter spelling is the composed one, which keyboards give.
        let shorter = [classes[index].label, label].min { $0.utf8.count < $1.utf8.count }!
        classes[index] = Class(
            label: shorter, folders: classes[index].folders + [folder.escaped], files: classes[index].files + files)
        notes.append(
            "the label '\(shorter)' has \(classes[index].folders.count) folders, whose names are spelled with different "
                + "bytes: they are taken together (\(classes[index].folders.joined(separator: ", ")))")
    }

    /// - Parameter above: the folders that this one is in.
    private mutating func visit(_ folder: FilePath, _ name: FilePath, above: [FileStatus], _ found: inout [File]) {
        do throws(SystemError) {
            let here = try Files.status(folder, followingLinks: true)
            guard !above.contains(where: here.isSameFile), above.count < 64 else {
                return leftOut.append(
                    RefusedFile(path: folder.escaped, reason: "a link to a folder that it is in: left out"))
            }
            for component in try Self.names(in: folder) {
                let path = folder.appending(component)
                let inner = name.appending(component)
                guard let status = try? Files.status(path, followingLinks: true) else {
                    leftOut.append(RefusedFile(path: path.escaped, reason: "a link to nothing"))
                    continue
                }
                if status.isDirectory {
                    visit(path, inner, above: above + [here], &found)
                } else if status.isRegular {
                    found.append(File(path: path, name: inner.escaped))
                } else {
                    leftOut.append(RefusedFile(path: path.escaped, reason: "not a file"))
                }
            }
        } catch {
            leftOut.append(
                RefusedFile(path: folder.escaped, reason: "the folder cannot be read and is left out: \(error)"))
        }
    }

    /// The folders in `path`, or links to such, and its other entries; without junk.
    static func content(of path: FilePath) throws(DataError) -> (folders: [FilePath], files: [FilePath]) {
        var (folders, files): ([FilePath], [FilePath]) = ([], [])
        for name in try system({ () throws(SystemError) in try names(in: path) }) {
            let entry = path.appending(name)
            let status = (try? Files.statusIfPresent(entry, followingLinks: true)) ?? nil
            if status?.isDirectory == true { folders.append(entry) } else { files.append(entry) }
        }
        return (folders, files)
    }

    private static func names(in path: FilePath) throws(SystemError) -> [FilePath.Component] {
        try Files.list(path).filter { !Junk.contains($0) }.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    }
}
