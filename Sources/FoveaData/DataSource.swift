import FoveaImage
import FoveaModels
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
    /// What a person should know, sentences.
    package var notes: [String] = []
}

/// The same, of a data set that keeps pictures.
package struct ImportedPictures: Sendable {
    package var set: PictureSet
    package var refused: [RefusedFile] = []
    package var notes: [String] = []
}

/// How images become a data set.
package struct ImportOptions: Sendable {
    /// The data set's name; nil takes the file's or folder's, as far as it can be one.
    package var name: String?
    /// What images become where they are needed as pixels.
    package var target = ImageTarget(height: 32, width: 32)
    /// Share of each class that becomes the test split where a folder has none (`--test-fraction`).
    package var testFraction = 0.1
    /// Chooses that share.
    package var seed: UInt64 = 0
    /// Of every picture: the configuration's.
    package var limits = ImageLimits()
    /// Takes every picture as it lies there, copies and contradictions too: to measure, not to learn.
    package var keepsAll = false
    /// Files that are looked at, as they are done; called from any thread.
    package var progress: @Sendable (Int) -> Void = { _ in }

    package init(
        name: String? = nil, target: ImageTarget = ImageTarget(height: 32, width: 32), testFraction: Double = 0.1,
        seed: UInt64 = 0, limits: ImageLimits = ImageLimits()
    ) {
        (self.name, self.target, self.testFraction, self.seed) = (name, target, testFraction, seed)
        self.limits = limits
    }
}

/// What `--data` may be.
package enum DataSource: Sendable, Equatable {
    /// A folder with `dataset.json`.
    case dataset(FilePath)
    /// CIFAR-100, or folders of classes, packed.
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

    /// Whether the images are there at one fixed size, of which no other can be made.
    package var isFixed: Bool {
        get throws(DataError) {
            if case .dataset(let path) = self { return try !Dataset.info(of: path).keepsPictures }
            return false
        }
    }

    /// Pixels along a side that were named at the import for trainings from scratch.
    package var usualSize: Int? {
        get throws(DataError) {
            guard case .dataset(let path) = self else { return nil }
            let height = try Dataset.info(of: path).height
            return height > 0 ? height : nil
        }
    }

    /// The pictures; nil where there are only pixels of one size, as of CIFAR-100.
    ///
    /// - Parameter scratch: a folder in which an archive may be unpacked.
    package func pictures(
        _ options: ImportOptions = ImportOptions(), scratch: FilePath = UnpackedArchive.usualScratch
    ) throws(DataError) -> ImportedPictures? {
        switch self {
        case .dataset(let path):
            guard try Dataset.info(of: path).keepsPictures else { return nil }
            return ImportedPictures(set: try PictureSet.open(path, limits: options.limits))
        case .cifarFolder: return nil
        case .archive(let path):
            guard try !CIFARArchive.isArchive(path) else { return nil }
            let unpacked = try UnpackedArchive(path, in: scratch, limits: options.limits)
            var options = options
            options.name = options.name ?? ImageFolder.suggestedName(path)
            var imported: ImportedPictures
            do throws(DataError) {
                imported = try ImageFolder.read(unpacked.root, options: options)
            } catch {
                throw DataError(error.code, unpacked.naming(error.description))
            }
            imported.set.info.source = path.escaped
            imported.set.unpacked = unpacked
            imported.refused =
                unpacked.leftOut
                + imported.refused.map { RefusedFile(path: unpacked.naming($0.path), reason: $0.reason) }
            imported.notes = imported.notes.map(unpacked.naming)
            return imported
        case .imageFolder(let path):
            return try ImageFolder.read(path, options: options)
        }
    }

    /// Reads all of it into memory, as `options.target` says; images of one fixed size stay as they are.
    ///
    /// - Parameter only: the parts to read, nil for all.
    package func load(
        _ options: ImportOptions = ImportOptions(), only: Set<String>? = nil
    ) throws(DataError) -> ImportedData {
        if let imported = try pictures(options) {
            return ImportedData(
                dataset: try imported.set.dataset(as: options.target, only: only), refused: imported.refused,
                notes: imported.notes)
        }
        switch self {
        case .dataset(let path): return ImportedData(dataset: try Dataset.open(path, only: only))
        case .archive(let path), .cifarFolder(let path), .imageFolder(let path):
            return ImportedData(
                dataset: try CIFARArchive.read(path, name: options.name ?? "cifar100", target: options.target))
        }
    }

    /// What tells, without reading the images, whether they may have changed: of a data set its description with its
    /// hashes, of files what stat(2) says.
    package func stamp() throws(DataError) -> String {
        // What cannot be looked at is a part of the stamp too: it may be readable the next time.
        func line(_ path: FilePath, above: [FileStatus]) -> String {
            do throws(SystemError) {
                let status = try Files.status(path, followingLinks: true)
                guard status.isDirectory else { return "\(status.size) \(status.modified) \(status.inode)" }
                if above.contains(where: status.isSameFile) { return "a link to above" }
                return try Files.list(path).map { name in
                    "\(FilePath(root: nil, components: name).escaped) \(line(path.appending(name), above: above + [status]))"
                }.sorted().joined(separator: "\n")
            } catch {
                return "\(error)"
            }
        }
        switch self {
        case .dataset(let path):
            let description = path.appending("dataset.json")
            return hexadecimal(
                Digest.sha256(try system { () throws(SystemError) in try Files.read(description, limit: 64 << 20) }))
        case .archive(let path), .cifarFolder(let path), .imageFolder(let path):
            return hexadecimal(Digest.sha256(Array(line(path, above: []).utf8)))
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
