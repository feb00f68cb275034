import FoveaImage
import FoveaSystem
import Glibc
import SystemPackage

/// Writes images as files for people and for other programs.
package enum DatasetExport {
    /// Writes `<folder>/<label>/<index>.png` for every image; the index is its place in the split, with five digits.
    ///
    /// - Parameter progress: images written; called after each.
    /// - Throws: `.exists` where the folder is there and not empty, `.system`.
    package static func write(
        _ images: LabelledImages, labels: [String], to folder: FilePath, progress: (Int) -> Void = { _ in }
    ) throws(DataError) {
        try LabelRules.check(labels)
        let isFree = try system { () throws(SystemError) in
            if try Files.statusIfPresent(folder, followingLinks: true) == nil { return true }
            return try Files.list(folder).isEmpty
        }
        guard isFree else { throw DataError(.exists, "\(folder.escaped) is not empty: give a new folder") }
        try system { () throws(SystemError) in
            try Files.makeDirectories(folder)
            for label in Set(images.labels) { try Files.makeDirectory(folder.appending(labels[Int(label)])) }
            for index in 0..<images.count {
                let image = images.image(index)
                let digits = String(index)
                let name = String(repeating: "0", count: max(0, 5 - digits.count)) + digits + ".png"
                let path = folder.appending(labels[Int(images.labels[index])]).appending(name)
                let descriptor = try Files.open(path, O_WRONLY | O_CREAT | O_EXCL)
                defer { try? descriptor.close() }
                let bytes = PNGEncoder.encode(image.pixels, width: image.width, height: image.height)
                try Files.write(bytes, to: descriptor, subject: path.escaped)
                progress(index + 1)
            }
        }
    }
}
