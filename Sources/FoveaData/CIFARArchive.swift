import FoveaModels
import FoveaSystem
import SystemPackage

/// Reads CIFAR-100 in its binary layout, packed or unpacked. `train.bin` or `test.bin` may be missing, not both.
package enum CIFARArchive {
    /// Whether a folder has the record files of CIFAR-100.
    package static func isFolder(_ path: FilePath) -> Bool {
        ["train.bin", "test.bin"].contains { name in
            ((try? Files.statusIfPresent(path.appending(name), followingLinks: true)) ?? nil)?.isRegular == true
        }
    }

    /// Reads the archive or folder at `path`.
    ///
    /// - Parameters:
    ///   - name: of the data set.
    ///   - target: what its images shall become; nil leaves them as they are.
    /// - Throws: `DataError` with the member and the byte at fault.
    package static func read(
        _ path: FilePath, name: String = "cifar100", target: ImageTarget? = nil
    ) throws(DataError) -> Dataset {
        let status = try system { () throws(SystemError) in try Files.status(path, followingLinks: true) }
        var members = Members()
        if status.isDirectory {
            try members.readFolder(path)
        } else {
            try members.readArchive(path)
        }
        let dataset = try members.dataset(name: name, source: path.escaped)
        return target.map { dataset.framed(as: $0) } ?? dataset
    }

    /// Whether an archive has the record files of CIFAR-100; only its members' names are read.
    ///
    /// - Throws: `.foreign` where the file is no archive that is read.
    static func isArchive(_ path: FilePath) throws(DataError) -> Bool {
        var source = try ArchiveSource(path)
        defer { source.close() }
        while let member = try source.next() {
            if Members.recordFiles[member] != nil { return true }
        }
        return false
    }
}

/// What was found of the four files.
private struct Members {
    var records: [String: CIFARRecords] = [:]
    var names: [String: [String]] = [:]

    static let recordFiles = ["train.bin": "train", "test.bin": "test"]
    static let nameFiles = [
        "fine_label_names.txt": CIFARRecords.labels, "coarse_label_names.txt": CIFARRecords.superclasses,
    ]

    mutating func take(_ member: String, _ path: String, _ source: inout some ByteSource) throws(DataError) {
        if let split = Self.recordFiles[member] {
            if records[split] != nil { throw DataError(.foreign, "\(path): a second \(member)") }
            records[split] = try CIFARRecords(reading: &source, name: path)
        } else if let count = Self.nameFiles[member] {
            names[member] = try Self.lines(&source, path, count)
        }
    }

    private static func lines(
        _ source: inout some ByteSource, _ path: String, _ count: Int
    ) throws(DataError) -> [String] {
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        var got = 0
        try bytes.withUnsafeMutableBufferPointer { buffer throws(DataError) in
            got = try source.read(into: UnsafeMutableRawBufferPointer(buffer))
        }
        guard let text = String(validating: bytes.prefix(got), as: UTF8.self) else {
            throw DataError(.corrupt, "\(path): not UTF-8")
        }
        let lines = text.split(whereSeparator: \.isNewline).map(String.init).filter { !$0.isEmpty }
        guard lines.count == count, got < bytes.count else {
            throw DataError(.corrupt, "\(path): \(lines.count) names, \(count) are wanted")
        }
        return lines
    }

    mutating func readFolder(_ path: FilePath) throws(DataError) {
        for member in Array(Self.recordFiles.keys) + Array(Self.nameFiles.keys) {
            let file = path.appending(member)
            let status = try system { () throws(SystemError) in
                try Files.statusIfPresent(file, followingLinks: true)
            }
            guard status?.isRegular == true else { continue }
            var source = try FileSource(file)
            defer { source.close() }
            try take(member, file.escaped, &source)
        }
    }

    mutating func readArchive(_ path: FilePath) throws(DataError) {
        var source = try ArchiveSource(path)
        defer { source.close() }
        while let member = try source.next() {
            try take(member, "\(path.escaped), \(member)", &source)
        }
    }

    func dataset(name: String, source: String) throws(DataError) -> Dataset {
        guard !records.isEmpty else {
            throw DataError(.foreign, "\(source): neither train.bin nor test.bin: not CIFAR-100 in its binary layout")
        }
        for (member, count) in Self.nameFiles where names[member] == nil {
            throw DataError(.missing, "\(source): \(member) with its \(count) names is missing")
        }
        let labels = names["fine_label_names.txt"] ?? []
        try LabelRules.check(labels, areNew: true)
        var superclassOf = [Int](repeating: -1, count: CIFARRecords.labels)
        for split in records.keys.sorted() {
            for (label, superclass) in (records[split]?.superclassOf ?? []).enumerated() where superclass >= 0 {
                guard superclassOf[label] == -1 || superclassOf[label] == superclass else {
                    throw DataError(
                        .corrupt, "\(source): train.bin and test.bin differ in the superclass of \(labels[label])")
                }
                superclassOf[label] = superclass
            }
        }
        // A part of the images may not tell every label's superclass; then none is claimed.
        let complete = !superclassOf.contains(-1)
        let info = DatasetInfo(
            name: name, labels: labels, superclasses: complete ? names["coarse_label_names.txt"] : nil,
            superclassOf: complete ? superclassOf : nil, height: CIFARRecords.side, width: CIFARRecords.side,
            source: source)
        return Dataset(info: info, splits: records.mapValues(\.images))
    }
}

/// A file, read once from its start.
private struct FileSource: ByteSource {
    private let descriptor: FileDescriptor
    private let path: FilePath

    init(_ path: FilePath) throws(DataError) {
        self.path = path
        descriptor = try system { () throws(SystemError) in try Files.open(path) }
    }

    func close() { try? descriptor.close() }

    mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(DataError) -> Int {
        var filled = 0
        while filled < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
            do {
                let got = try descriptor.read(into: rest)
                if got == 0 { break }
                filled += got
            } catch {
                throw DataError(.system, "read \(path.escaped): \(error)")
            }
        }
        return filled
    }
}

/// The regular files of an archive by the last part of their names.
private struct ArchiveSource: ByteSource {
    private var reader: ArchiveReader
    private var offset = 0

    init(_ path: FilePath) throws(DataError) { reader = try ArchiveReader(path) }

    func close() { reader.close() }

    /// The last component of the next regular file's path, nil at the end.
    mutating func next() throws(DataError) -> String? {
        while let member = try reader.next() {
            guard member.kind == .file else { continue }
            offset = 0
            return String(decoding: member.name.split(separator: UInt8(ascii: "/")).last ?? [], as: UTF8.self)
        }
        return nil
    }

    mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(DataError) -> Int {
        let got = try reader.read(into: buffer, at: offset)
        offset += got
        return got
    }
}
