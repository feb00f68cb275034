import FoveaImage
import FoveaModels
import FoveaSystem
import Glibc
import SystemPackage

/// A folder per class as it lies on the disk, `label/file`: sorted by bytes, without what file managers leave behind.
package struct ClassFolders: Sendable {
    package struct Class: Sendable {
        /// The label.
        package let name: FilePath.Component
        package let folder: FilePath
        /// All that is in it, images or not.
        package let files: [FilePath]
    }

    /// Also those without a file.
    package let classes: [Class]
    /// What lies beside the classes' folders.
    package let strays: [FilePath]

    package init(_ path: FilePath) throws(SystemError) {
        let folders = try Self.folders(in: path)
        var classes: [Class] = []
        for name in folders {
            let folder = path.appending(name)
            classes.append(Class(name: name, folder: folder, files: try Self.names(in: folder).map(folder.appending)))
        }
        self.classes = classes
        strays = try Self.names(in: path).filter { !folders.contains($0) }.map(path.appending)
    }

    private static func names(in path: FilePath) throws(SystemError) -> [FilePath.Component] {
        try Files.list(path)
            .filter { !$0.string.hasPrefix(".") && $0.string != "Thumbs.db" && $0.string != "@eaDir" }
            .sorted { $0.string.utf8.lexicographicallyPrecedes($1.string.utf8) }
    }

    /// The names of the folders in `path`, or links to such.
    static func folders(in path: FilePath) throws(SystemError) -> [FilePath.Component] {
        try names(in: path).filter { name in
            ((try? Files.statusIfPresent(path.appending(name), followingLinks: true)) ?? nil)?.isDirectory == true
        }
    }

    /// The image in a file, as `target` says.
    package static func decode(_ path: FilePath, as target: ImageTarget) throws(RefusedFile) -> RGBImage {
        func refuse(_ reason: String) -> RefusedFile { RefusedFile(path: path.escaped, reason: reason) }
        let descriptor: FileDescriptor
        let isFile: Bool
        do throws(SystemError) {
            descriptor = try Files.open(path, O_RDONLY | O_NONBLOCK)
            isFile = (try? Files.status(of: descriptor))?.isRegular == true
        } catch {
            throw refuse(error.description)
        }
        defer { try? descriptor.close() }
        guard isFile else { throw refuse("not a file") }
        do throws(ImageError) {
            let bytes = try ImageDecoder.read(descriptor: descriptor.rawValue)
            return try ImageDecoder.decode(bytes, target: target).image
        } catch {
            throw refuse(error.description)
        }
    }
}
