import FoveaSystem
import SystemPackage

/// A file or class that did not make it into a data set.
package struct RefusedFile: Error, Sendable, Equatable {
    /// Printable path.
    package let path: String
    /// A sentence.
    package let reason: String
}

/// A data set with what had to be left out of it.
package struct ImportedData: Sendable {
    package var dataset: Dataset
    package var refused: [RefusedFile] = []
}

/// How images become a data set.
package struct ImportOptions: Sendable {
    /// The data set's name; nil takes the file's or folder's, as far as it can be one.
    package var name: String?
    /// Pixels along a side of every image (`--size`).
    package var size = 32
    /// Share of each class that becomes the test split where a folder has none (`--test-fraction`).
    package var testFraction = 0.1
    /// Chooses that share.
    package var seed: UInt64 = 0

    package init(name: String? = nil, size: Int = 32, testFraction: Double = 0.1, seed: UInt64 = 0) {
        (self.name, self.size, self.testFraction, self.seed) = (name, size, testFraction, seed)
    }
}

/// What `--data` may be.
package enum DataSource: Sendable, Equatable {
    /// A folder with `dataset.json`.
    case dataset(FilePath)
    /// CIFAR-100, packed.
    case archive(FilePath)
    /// CIFAR-100, unpacked.
    case cifarFolder(FilePath)
    /// A folder per class.
    case imageFolder(FilePath)

    /// Finds what `argument` means: a data set's name, or the path of a data set, an archive, a CIFAR folder or a
    /// folder per class. A path that could be a name is taken as one first.
    ///
    /// - Parameter datasets: the folder of imported data sets.
    package static func find(_ argument: String, datasets: FilePath) throws(DataError) -> DataSource {
        if (try? LabelRules.check(name: argument)) != nil {
            let named = datasets.appending(argument)
            if isRegular(named.appending("dataset.json")) { return .dataset(named) }
        }
        let path = FilePath(argument)
        guard
            let status = try system({ () throws(SystemError) in
                try Files.statusIfPresent(path, followingLinks: true)
            })
        else {
            throw DataError(
                .missing,
                "\(argument): neither an imported data set nor a file or folder: `foveactl dataset fetch cifar100` "
                    + "or `foveactl dataset import PATH --name N` makes one")
        }
        if status.isRegular { return .archive(path) }
        guard status.isDirectory else { throw DataError(.foreign, "\(argument): neither a file nor a folder") }
        if isRegular(path.appending("dataset.json")) { return .dataset(path) }
        if CIFARArchive.isFolder(path) { return .cifarFolder(path) }
        let inner = path.appending("cifar-100-binary")
        if CIFARArchive.isFolder(inner) { return .cifarFolder(inner) }
        return .imageFolder(path)
    }

    /// Reads all of it.
    package func load(_ options: ImportOptions = ImportOptions()) throws(DataError) -> ImportedData {
        switch self {
        case .dataset(let path):
            return ImportedData(dataset: try Dataset.open(path))
        case .archive(let path), .cifarFolder(let path):
            return ImportedData(
                dataset: try CIFARArchive.read(
                    path, name: options.name ?? "cifar100", size: options.size))
        case .imageFolder(let path):
            return try ImageFolder.read(path, options: options)
        }
    }

    /// What tells, without reading the images, whether they may have changed: of a data set its description with its
    /// hashes, of files what stat(2) says.
    package func stamp() throws(DataError) -> String {
        func line(_ path: FilePath) throws(DataError) -> String {
            let status = try system { () throws(SystemError) in try Files.status(path, followingLinks: true) }
            if status.isDirectory {
                let names = try system { () throws(SystemError) in try Files.list(path) }
                var lines: [String] = []
                for name in names {
                    lines.append("\(FilePath(root: nil, components: name).escaped) \(try line(path.appending(name)))")
                }
                return lines.sorted().joined(separator: "\n")
            }
            return "\(status.size) \(status.modified) \(status.inode)"
        }
        switch self {
        case .dataset(let path):
            let description = path.appending("dataset.json")
            return hexadecimal(
                Digest.sha256(try system { () throws(SystemError) in try Files.read(description, limit: 64 << 20) }))
        case .archive(let path), .cifarFolder(let path), .imageFolder(let path):
            return hexadecimal(Digest.sha256(Array(try line(path).utf8)))
        }
    }

    /// Finds and reads.
    package static func open(
        _ argument: String, datasets: FilePath, options: ImportOptions = ImportOptions()
    ) throws(DataError) -> ImportedData {
        try find(argument, datasets: datasets).load(options)
    }

    private static func isRegular(_ path: FilePath) -> Bool {
        ((try? Files.statusIfPresent(path, followingLinks: true)) ?? nil)?.isRegular == true
    }
}
