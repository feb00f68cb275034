import FoveaData
import FoveaSystem
import SystemPackage

/// The images that the daemon gets and that `evaluate` sees: a folder per class.
struct Corpus {
    struct Image {
        /// `label/file`, as `evaluate --scores` calls it.
        let name: String
        /// `.png` or `.jpg`, or whatever the file has.
        let ending: String
        let bytes: [UInt8]
        let sha256: String
    }

    let folder: FilePath
    let images: [Image]

    /// Reads a folder per class; in the order in which `evaluate` takes it.
    init(folder: FilePath) throws {
        self.folder = folder
        images = try ClassFolders(folder).classes.flatMap { one in
            try one.files.map { file in
                let path = file.path
                let bytes = try Files.read(path)
                return Image(
                    name: file.name,
                    ending: path.extension.map { ".\($0)" } ?? "", bytes: bytes,
                    sha256: hexadecimal(Digest.sha256(bytes)))
            }
        }
        if images.isEmpty { throw BenchError("\(folder): no folder per class with images in it") }
    }

    /// Makes PNGs of the model's size and files them under the model's labels in turn.
    static func made(_ count: Int, for model: BenchModel, in folder: FilePath) throws -> Corpus {
        let labels = model.configuration.labels
        let (height, width) = (model.configuration.input.height, model.configuration.input.width)
        for label in labels { try Files.makeDirectories(folder.appending(label)) }
        for index in 0..<count {
            let path = folder.appending(labels[index % labels.count]).appending("\(index).png")
            try Files.replaceUnsynced(path, with: Pictures.png(width: width, height: height, seed: UInt64(index)))
        }
        return try Corpus(folder: folder)
    }
}
