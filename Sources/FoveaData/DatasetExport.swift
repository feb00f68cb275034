import FoveaImage
import FoveaSystem
import Glibc
import SystemPackage

/// Writes images as files for people and for other programs.
package enum DatasetExport {
    /// Copies the pictures of a part as they are to `<folder>/<label>/<index>.png` or `.jpg`.
    ///
    /// - Throws: as below, and `.corrupt` for a picture that cannot be read.
    package static func write(
        _ pictures: [Picture], labels: [String], limits: ImageLimits, to folder: FilePath,
        progress: (Int) -> Void = { _ in }
    ) throws(DataError) {
        try makeFolders(Set(pictures.map { labels[$0.label] }), labels, in: folder)
        for (index, picture) in pictures.enumerated() {
            let bytes: [UInt8]
            do throws(RefusedFile) { bytes = try Picture.read(picture.file, limits: limits) } catch {
                throw DataError(.corrupt, "\(error.path): \(error.reason)")
            }
            let name = number(index) + (picture.format == .png ? ".png" : ".jpg")
            try write(bytes, to: folder.appending(labels[picture.label]).appending(name))
            progress(index + 1)
        }
    }

    private static func number(_ index: Int) -> String {
        let digits = String(index)
        return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
    }

    private static func write(_ bytes: [UInt8], to path: FilePath) throws(DataError) {
        try system { () throws(SystemError) in
            let descriptor = try Files.open(path, O_WRONLY | O_CREAT | O_EXCL)
            defer { try? descriptor.close() }
            try Files.write(bytes, to: descriptor, subject: path.escaped)
        }
    }

    private static func makeFolders(
        _ used: Set<String>, _ labels: [String], in folder: FilePath
    ) throws(DataError) {
        try LabelRules.check(labels)
        let isFree = try system { () throws(SystemError) in
            if try Files.statusIfPresent(folder, followingLinks: true) == nil { return true }
            return try Files.list(folder).isEmpty
        }
        guard isFree else { throw DataError(.exists, "\(folder.escaped) is not empty: give a new folder") }
        try system { () throws(SystemError) in
            try Files.makeDirectories(folder)
            for label in used { try Files.makeDirectory(folder.appending(label)) }
        }
    }

    /// Writes `<folder>/<label>/<index>.png` for every image; the index is its place in the split, with five digits.
    ///
    /// - Parameter progress: images written; called after each.
    /// - Throws: `.exists` where the folder is there and not empty, `.system`.
    package static func write(
        _ images: LabelledImages, labels: [String], to folder: FilePath, progress: (Int) -> Void = { _ in }
    ) throws(DataError) {
        try makeFolders(Set(images.labels.map { labels[Int($0)] }), labels, in: folder)
        for index in 0..<images.count {
            let image = images.image(index)
            let bytes = PNGEncoder.encode(image.pixels, width: image.width, height: image.height)
            try write(bytes, to: folder.appending(labels[Int(images.labels[index])]).appending(number(index) + ".png"))
            progress(index + 1)
        }
    }
}
