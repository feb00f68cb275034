import FoveaModels
import FoveaSystem
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
        let top = try system { () throws(SystemError) in try ClassFolders.folders(in: path) }
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

    init(options: ImportOptions) { self.options = options }

    mutating func readClasses(_ path: FilePath, split: String) throws(DataError) {
        let folders = try system { () throws(SystemError) in try ClassFolders(path) }
        for stray in folders.strays {
            refused.append(RefusedFile(path: stray.escaped, reason: "not inside a class's folder"))
        }
        for one in folders.classes {
            let folder = one.folder
            guard let label = String(validating: FilePath(root: nil, components: one.name).bytes, as: UTF8.self) else {
                throw DataError(.invalid, "\(folder.escaped): a label must be UTF-8")
            }
            if let problem = Labels.problem(label, isNew: true) {
                throw DataError(.invalid, "\(folder.escaped): as a label '\(label)' \(problem)")
            }
            var found = LabelledImages(height: options.size, width: options.size)
            for file in one.files {
                do throws(RefusedFile) {
                    found.append(
                        try ClassFolders.decode(file, height: options.size, width: options.size), label: 0)
                } catch {
                    refused.append(error)
                }
            }
            if found.count == 0 {
                refused.append(RefusedFile(path: folder.escaped, reason: "a class without a single image"))
            } else {
                images[split, default: [:]][label] = found
            }
        }
    }

    func finish(_ path: FilePath, divided: Bool) throws(DataError) -> ImportedData {
        let labels = Set(images.values.flatMap(\.keys)).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        guard !labels.isEmpty else {
            let first = refused.first.map { ", such as \($0.path): \($0.reason)" } ?? ""
            throw DataError(
                .foreign, "\(path.escaped): not one image in a folder per class (\(refused.count) refused\(first))")
        }
        try LabelRules.check(labels, areNew: true)
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
