import FoveaImage
import FoveaSystem
import Glibc
import SystemPackage

/// A folder per class, decoded as the worker decodes.
struct FolderOfClasses {
    /// RGB8, height × width × 3 bytes each.
    private(set) var pixels: [UInt8] = []
    private(set) var labels: [String] = []
    /// `label/file`, printable.
    private(set) var names: [String] = []
    /// Files that are no images, with the reason.
    private(set) var refused: [(path: String, reason: String)] = []
    /// All folders, also those without an image.
    private(set) var classes: [String] = []

    /// The folder of a part, `test` or `train`, of one that is divided; nil where it is not, and where that name is a label.
    static func part(_ split: String, of folder: FilePath, labels: [String]) throws -> FilePath? {
        let inner = folder.appending(split)
        let isThere = try Files.statusIfPresent(inner, followingLinks: true)?.isDirectory == true
        return isThere && !labels.contains(split) ? inner : nil
    }

    /// - Throws: where there is not one image.
    init(_ folder: FilePath, height: Int, width: Int, limit: Int? = nil) throws {
        func names(_ path: FilePath) throws -> [FilePath.Component] {
            try Files.list(path).filter { !$0.string.hasPrefix(".") }
                .sorted { $0.string.utf8.lexicographicallyPrecedes($1.string.utf8) }
        }
        let folders = try names(folder).filter {
            try Files.status(folder.appending($0), followingLinks: true).isDirectory
        }
        guard !folders.isEmpty else {
            throw Failure.data("\(folder.escaped): no folders in it; a folder per class with PNG or JPEG is needed")
        }
        classes = folders.map(\.string)
        for name in folders {
            for file in try names(folder.appending(name)) where limit.map({ labels.count < $0 }) ?? true {
                let path = folder.appending(name).appending(file)
                do {
                    let descriptor = try Files.open(path, O_RDONLY | O_NONBLOCK)
                    defer { try? descriptor.close() }
                    let bytes = try ImageDecoder.read(descriptor: descriptor.rawValue)
                    pixels += try ImageDecoder.decode(bytes, height: height, width: width).image.pixels
                    labels.append(name.string)
                    self.names.append("\(FilePath(root: nil, components: name, file).escaped)")
                } catch {
                    refused.append((path.escaped, "\(error)"))
                }
            }
        }
        guard !labels.isEmpty else {
            let first = refused.first.map { ": \($0.path): \($0.reason)" } ?? ""
            throw Failure.data("\(folder.escaped): not one image in it could be read\(first)")
        }
    }
}
