import FoundationEssentials
import FoveaImage
import FoveaSystem
import Glibc
import SystemPackage

// A data set that keeps pictures is a folder:
//
//   dataset.json                 what there is, written last (schema fovea.dataset/2)
//   pictures.jsonl               a line of JSON for each picture, in the order of the parts and labels
//   pictures/ab/ab12….png        the pictures' own bytes under their SHA-256; one file for one content
//
// The folder is made under a temporary name and renamed, so it is there whole or not at all. When it is opened, the list's
// SHA-256 and the size of every picture are checked; the pictures themselves are checked by their decoder.

extension PictureSet {
    private static let list = "pictures.jsonl"
    private static let folder = "pictures"

    /// One line of the list.
    private struct Line: Codable {
        var split: String
        var label: String
        var name: String
        var sha256: String
        var bytes: Int
        var width: Int
        var height: Int
        var format: ImageFormat
        /// 16 hexadecimal digits.
        var group: String
    }

    /// Copies the pictures to `<folder>/<name>/`.
    ///
    /// - Parameter replacing: what is there under that name gives way.
    /// - Returns: the data set's folder.
    /// - Throws: `.exists` where one is there and `replacing` is false; `.corrupt` where a picture has changed since it was
    ///   looked at.
    @discardableResult
    package func save(
        in folder: FilePath, replacing: Bool = false, progress: (Int) -> Void = { _ in }
    ) throws(DataError) -> FilePath {
        try LabelRules.check(info.labels)
        let (target, there) = try Dataset.place(of: info.name, in: folder, replacing: replacing)
        let temporary = folder.appending(".\(info.name).\(getpid()).tmp")
        do throws(DataError) {
            try system { () throws(SystemError) in
                try Files.makeDirectories(folder)
                try Files.removeTree(temporary)
                try Files.makeDirectory(temporary)
                try Files.makeDirectory(temporary.appending(Self.folder))
            }
            var lines: [UInt8] = []
            var (made, done): (Set<String>, Int) = ([], 0)
            for split in splits.keys.sorted() {
                for picture in splits[split]! {
                    let bytes = try copy(picture, to: temporary, &made)
                    let line = Line(
                        split: split, label: info.labels[picture.label], name: picture.name, sha256: picture.sha256,
                        bytes: bytes, width: picture.width, height: picture.height, format: picture.format,
                        group: Self.digits(picture.group))
                    let encoder = JSONEncoder()
                    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
                    lines += Array((try? encoder.encode(line)) ?? Data()) + [UInt8(ascii: "\n")]
                    done += 1
                    progress(done)
                }
            }
            var info = info
            info.list = hexadecimal(Digest.sha256(lines))
            try Self.finish(temporary, target, there, in: folder, list: lines, description: Dataset.description(info))
        } catch {
            try? Files.removeTree(temporary)
            throw error
        }
        return target
    }

    private static func finish(
        _ temporary: FilePath, _ target: FilePath, _ isThere: Bool, in folder: FilePath, list lines: [UInt8],
        description: [UInt8]
    ) throws(DataError) {
        try system { () throws(SystemError) in
            try Files.replace(temporary.appending(list), with: lines)
            try Files.replace(temporary.appending("dataset.json"), with: description)
            try Files.syncFileSystem(of: temporary)
            if isThere {
                try Files.exchange(temporary, target)
                try Files.syncDirectory(folder)
                try Files.removeTree(temporary)
            } else {
                try Files.renameNoReplace(temporary, to: target)
                try Files.syncDirectory(folder)
            }
        }
    }

    /// - Returns: bytes of the picture.
    private func copy(_ picture: Picture, to folder: FilePath, _ made: inout Set<String>) throws(DataError) -> Int {
        let bytes: [UInt8]
        do throws(RefusedFile) { bytes = try Picture.read(picture.file, limits: limits) } catch {
            throw DataError(.corrupt, "\(error.path): \(error.reason)")
        }
        guard hexadecimal(Digest.sha256(bytes)) == picture.sha256 else {
            throw DataError(
                .corrupt, "\(picture.file.escaped) has changed while it was imported: import it again")
        }
        let file = Self.place(picture.sha256, picture.format, in: folder)
        try system { () throws(SystemError) in
            if made.insert(String(picture.sha256.prefix(2))).inserted {
                try Files.makeDirectory(file.removingLastComponent())
            }
            guard made.insert(picture.sha256).inserted else { return }
            let descriptor = try Files.open(file, O_WRONLY | O_CREAT | O_EXCL)
            defer { try? descriptor.close() }
            try Files.write(bytes, to: descriptor, subject: file.escaped)
        }
        return bytes.count
    }

    private static func place(_ sha256: String, _ format: ImageFormat, in folder: FilePath) -> FilePath {
        folder.appending(Self.folder).appending(String(sha256.prefix(2)))
            .appending("\(sha256).\(format == .png ? "png" : "jpg")")
    }

    private static func digits(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// Opens a data set's folder and checks the list and the files' sizes.
    package static func open(_ folder: FilePath, limits: ImageLimits = ImageLimits()) throws(DataError) -> PictureSet {
        let info = try Dataset.info(of: folder)
        let path = folder.appending(list)
        func damaged(_ problem: String) -> DataError {
            DataError(.corrupt, "\(path.escaped): \(problem): import the data set anew")
        }
        let bytes = try system { () throws(SystemError) in try Files.read(path, limit: 4 << 30) }
        guard hexadecimal(Digest.sha256(bytes)) == info.list else {
            throw damaged("it has changed since it was imported (SHA-256)")
        }
        let places = Dictionary(uniqueKeysWithValues: info.labels.enumerated().map { ($1, $0) })
        var splits: [String: [Picture]] = [:]
        for (index, line) in bytes.split(separator: UInt8(ascii: "\n")).enumerated() {
            guard let line = try? JSONDecoder().decode(Line.self, from: Data(line)), let label = places[line.label],
                Part(rawValue: line.split) != nil, line.sha256.utf8.count == 64, line.sha256.allSatisfy(\.isHexDigit),
                let group = UInt64(line.group, radix: 16)
            else { throw damaged("line \(index + 1) is none of a picture") }
            let file = place(line.sha256, line.format, in: folder)
            let status = try system { () throws(SystemError) in try Files.statusIfPresent(file) }
            guard status?.size == line.bytes else {
                throw damaged("\(file.escaped) is \(status == nil ? "missing" : "of another size")")
            }
            splits[line.split, default: []].append(
                Picture(
                    file: file, label: label, name: line.name, sha256: line.sha256, group: group, width: line.width,
                    height: line.height, format: line.format))
        }
        let set = PictureSet(info: info, splits: splits, limits: limits)
        guard set.info.splits == info.splits else { throw damaged("it does not fit dataset.json") }
        return set
    }
}
