import FoveaImage
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
        func names(_ path: FilePath) throws -> [FilePath.Component] {
            try Files.list(path).filter { !$0.string.hasPrefix(".") }
                .sorted { $0.string.utf8.lexicographicallyPrecedes($1.string.utf8) }
        }
        self.folder = folder
        images = try names(folder).flatMap { label -> [Image] in
            let inside = folder.appending(label)
            guard try Files.status(inside, followingLinks: true).isDirectory else { return [] }
            return try names(inside).map { file in
                let bytes = try Files.read(inside.appending(file))
                return Image(
                    name: "\(label.string)/\(percentEscaped(Array(file.string.utf8)))",
                    ending: file.extension.map { ".\($0)" } ?? "", bytes: bytes,
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
