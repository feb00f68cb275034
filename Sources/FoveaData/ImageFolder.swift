import FoveaImage
import FoveaModels
import FoveaSystem
import Glibc
import SystemPackage

// A folder per class, in one of two layouts:
//
//   train/cat/1.png  train/dog/2.jpg  test/cat/3.png      the division is given
//   cat/1.png  dog/2.jpg                                  a share of each class becomes the test split
//
// Labels are the folders' names, sorted by their bytes. A file that cannot be read as an image is listed with its
// reason and the rest goes on, for one bad file among ten thousand must not cost the afternoon.

/// Reads labelled folders of PNG and JPEG.
package enum ImageFolder {
    /// - Throws: `.foreign` where not one image is left, `.invalid` for a folder whose name cannot be a label.
    package static func read(_ path: FilePath, options: ImportOptions = ImportOptions()) throws(DataError)
        -> ImportedData
    {
        guard (1...1024).contains(options.size) else {
            throw DataError(.invalid, "--size \(options.size): 1 to 1024 are possible")
        }
        guard options.testFraction >= 0, options.testFraction < 1 else {
            throw DataError(.invalid, "--test-fraction \(options.testFraction): 0 to below 1 are possible")
        }
        var reader = Reader(options: options)
        let top = try reader.folders(in: path)
        let divided = !top.isEmpty && top.allSatisfy { ["train", "test"].contains($0.string) }
        if divided {
            for split in top { try reader.readClasses(path.appending(split), split: split.string) }
        } else {
            try reader.readClasses(path, split: "all")
        }
        return try reader.finish(path, divided: divided)
    }

    /// The name that a path suggests for its data set.
    static func suggestedName(_ path: FilePath) -> String {
        let name = (path.lastComponent?.string ?? "").map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }
        let trimmed = String(name.drop { $0 == "-" }.prefix(60))
        return trimmed.isEmpty ? "images" : trimmed
    }
}

private struct Reader {
    let options: ImportOptions
    var refused: [RefusedFile] = []
    /// By split and class.
    var images: [String: [String: LabelledImages]] = [:]
    var pixels: [UInt8]

    init(options: ImportOptions) {
        self.options = options
        pixels = [UInt8](repeating: 0, count: options.size * options.size * 3)
    }

    /// Names in a folder, sorted, without those that file managers leave behind.
    func names(in path: FilePath) throws(DataError) -> [FilePath.Component] {
        let names = try system { () throws(SystemError) in try Files.list(path) }
        return names.filter { !$0.string.hasPrefix(".") && $0.string != "Thumbs.db" && $0.string != "@eaDir" }
            .sorted { $0.string.utf8.lexicographicallyPrecedes($1.string.utf8) }
    }

    func folders(in path: FilePath) throws(DataError) -> [FilePath.Component] {
        try names(in: path).filter { name in
            ((try? Files.statusIfPresent(path.appending(name), followingLinks: true)) ?? nil)?.isDirectory == true
        }
    }

    mutating func readClasses(_ path: FilePath, split: String) throws(DataError) {
        let classes = try folders(in: path)
        for name in try names(in: path) where !classes.contains(name) {
            refused.append(RefusedFile(path: path.appending(name).escaped, reason: "not inside a class's folder"))
        }
        for name in classes {
            let folder = path.appending(name)
            guard let label = String(validating: FilePath(root: nil, components: name).bytes, as: UTF8.self) else {
                throw DataError(.invalid, "\(folder.escaped): a label must be UTF-8")
            }
            if let problem = Labels.problem(label) {
                throw DataError(.invalid, "\(folder.escaped): as a label '\(label)' \(problem)")
            }
            var found = LabelledImages(height: options.size, width: options.size)
            for file in try names(in: folder) { take(folder.appending(file), &found) }
            if found.count == 0 {
                refused.append(RefusedFile(path: folder.escaped, reason: "a class without a single image"))
            } else {
                images[split, default: [:]][label] = found
            }
        }
    }

    private mutating func take(_ path: FilePath, _ found: inout LabelledImages) {
        do throws(SystemError) {
            let status = try Files.status(path, followingLinks: true)
            guard status.isRegular else {
                refused.append(RefusedFile(path: path.escaped, reason: "not a file"))
                return
            }
            let descriptor = try Files.open(path, O_RDONLY | O_NONBLOCK)
            defer { try? descriptor.close() }
            do throws(ImageError) {
                let bytes = try ImageDecoder.read(descriptor: descriptor.rawValue)
                let image = try ImageDecoder.decode(bytes, height: options.size, width: options.size).image
                found.append(image, label: 0)
            } catch {
                refused.append(RefusedFile(path: path.escaped, reason: error.description))
            }
        } catch {
            refused.append(RefusedFile(path: path.escaped, reason: error.description))
        }
    }

    func finish(_ path: FilePath, divided: Bool) throws(DataError) -> ImportedData {
        let labels = Set(images.values.flatMap(\.keys)).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        guard !labels.isEmpty else {
            let first = refused.first.map { ", such as \($0.path): \($0.reason)" } ?? ""
            throw DataError(
                .foreign, "\(path.escaped): not one image in a folder per class (\(refused.count) refused\(first))")
        }
        try LabelRules.check(labels)
        let empty = LabelledImages(height: options.size, width: options.size)
        var splits: [String: LabelledImages] = [:]
        for (split, classes) in images {
            for (index, label) in labels.enumerated() {
                guard let members = classes[label] else { continue }
                let parts = divided ? [split: Array(0..<members.count)] : divide(members.count, label)
                for (part, indices) in parts where !indices.isEmpty {
                    let chosen = members.selecting(indices)
                    splits[part, default: empty].pixels += chosen.pixels
                    splits[part, default: empty].labels += [UInt16](repeating: UInt16(index), count: chosen.count)
                }
            }
        }
        let info = DatasetInfo(
            name: options.name ?? ImageFolder.suggestedName(path), labels: labels, height: options.size,
            width: options.size, source: path.escaped)
        return ImportedData(dataset: Dataset(info: info, splits: splits), refused: refused)
    }

    /// The share of a class that becomes test images: rounded, at least one where the class has two, never all. It
    /// depends on the seed and the label, not on other classes.
    private func divide(_ count: Int, _ label: String) -> [String: [Int]] {
        var wanted = Int((Double(count) * options.testFraction).rounded())
        if options.testFraction > 0 { wanted = max(wanted, 1) }
        wanted = min(wanted, count - 1)
        var order = Array(0..<count)
        let mixed = label.utf8.reduce(options.seed) { SplitMix64.mixed($0 ^ UInt64($1) &+ 0x9E37_79B9_7F4A_7C15) }
        var random = SplitMix64(seed: mixed)
        random.shuffle(&order)
        return ["test": order.prefix(wanted).sorted(), "train": order.dropFirst(wanted).sorted()]
    }
}
