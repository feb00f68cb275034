import FoveaCLI
import FoveaData
import FoveaModels
import FoveaSystem
import SystemPackage

/// A folder per class, decoded as the worker decodes.
package struct FolderOfClasses {
    /// RGB8, height × width × 3 bytes each.
    private(set) var pixels: [UInt8] = []
    private(set) var labels: [String] = []
    /// `label/file`, printable.
    private(set) var names: [String] = []
    /// Files that are no images, with the reason.
    private(set) var refused: [RefusedFile] = []
    /// All folders, also those without an image.
    private(set) var classes: [String] = []

    /// The folder of a part, `test` or `train`, of one that is divided; nil where it is not, and where that name is a label.
    package static func part(_ split: String, of folder: FilePath, labels: [String]) throws -> FilePath? {
        let inner = folder.appending(split)
        let isThere = try Files.statusIfPresent(inner, followingLinks: true)?.isDirectory == true
        return isThere && !labels.contains(split) ? inner : nil
    }

    /// - Throws: where there is not one image.
    init(_ folder: FilePath, as target: ImageTarget, limit: Int? = nil) throws {
        let folders = try ClassFolders(folder).classes
        guard !folders.isEmpty else {
            throw Failure.data("\(folder.escaped): no folders in it; a folder per class with PNG or JPEG is needed")
        }
        classes = folders.map(\.name.string)
        for one in folders {
            for file in one.files where limit.map({ labels.count < $0 }) ?? true {
                do throws(RefusedFile) {
                    pixels += try ClassFolders.decode(file, as: target).pixels
                    labels.append(one.name.string)
                    names.append(FilePath(root: nil, components: one.name, file.lastComponent!).escaped)
                } catch {
                    refused.append(error)
                }
            }
        }
        guard !labels.isEmpty else {
            let first = refused.first.map { ": \($0.path): \($0.reason)" } ?? ""
            throw Failure.data("\(folder.escaped): not one image in it could be read\(first)")
        }
    }
}
