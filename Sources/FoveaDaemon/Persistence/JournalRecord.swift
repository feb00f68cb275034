import FoundationEssentials
import FoveaControl
import FoveaModels
import FoveaSystem
import SystemPackage

/// What a claimed image ends with: the document to publish beside it, and where.
package struct Outcome: Sendable, Equatable {
    package let id: DropID
    /// As it was below the inbox.
    package let file: FilePath
    /// The folder below the outbox: see `OutboxFolder`.
    package let folder: String
    /// The JSON document (`fovea.result/1` or `fovea.error/1`), one line.
    package let document: [UInt8]

    package init(id: DropID, file: FilePath, folder: String, document: [UInt8]) {
        self.id = id
        self.file = file
        self.folder = folder
        self.document = document
    }

    /// What is put behind the image's name for the document's.
    package var documentSuffix: String { folder == OutboxFolder.failed ? ".error.json" : ".json" }
}

/// One line of the journal.
///
/// A line is `CRC-32C in 8 hexadecimal digits, space, JSON of strings, tab, the document, line end`, so that an
/// administrator can read and search it with the usual tools. A line that was cut or damaged by a crash fails its sum
/// and ends the replay.
package enum JournalRecord: Sendable, Equatable {
    /// The outcome is decided. Once this line is on disk, it is what happens, whatever is killed when.
    case commit(Outcome)
    /// The outcome stands in the outbox at this path (below the outbox).
    case published(DropID, FilePath)

    /// The line, its line end included.
    package var line: [UInt8] {
        var writer = JSONWriter(capacity: 1536)
        switch self {
        case .commit(let outcome):
            // Raw: a JSON document of one line holds neither a tab nor a line end.
            writer.raw("{\"commit\":")
            writer.string(outcome.id.description)
            writer.raw(",\"file\":")
            writer.string(outcome.file.escaped)
            writer.raw(",\"folder\":")
            writer.string(outcome.folder)
            writer.raw("}\t")
        case .published(let id, let path):
            writer.raw("{\"published\":")
            writer.string(id.description)
            writer.raw(",\"path\":")
            writer.string(path.escaped)
            writer.raw("}\t")
        }
        var body = writer.bytes
        if case .commit(let outcome) = self { body += outcome.document }
        var line = Self.sum(body)
        line.reserveCapacity(10 + body.count)
        line.append(0x20)
        line += body
        line.append(0x0A)
        return line
    }

    /// In 8 lower-case hexadecimal digits.
    private static func sum(_ body: some Collection<UInt8>) -> [UInt8] {
        let sum = String(crc32c(body), radix: 16)
        return Array((String(repeating: "0", count: 8 - sum.utf8.count) + sum).utf8)
    }

    /// Reads a line without its line end; nil where it is not whole.
    package init?(line: ArraySlice<UInt8>) {
        guard line.count > 9, line[line.startIndex + 8] == 0x20 else { return nil }
        let body = line.dropFirst(9)
        guard line.prefix(8).elementsEqual(Self.sum(body)), let tab = body.firstIndex(of: 0x09),
            let members = try? JSONDecoder().decode([String: String].self, from: Data(body[..<tab]))
        else { return nil }
        func path(_ key: String) -> FilePath? { members[key].map { FilePath(bytes: percentUnescaped($0)) } }
        if let id = members["commit"].flatMap({ DropID($0) }), let file = path("file"), let folder = members["folder"] {
            self = .commit(Outcome(id: id, file: file, folder: folder, document: Array(body[(tab + 1)...])))
        } else if let id = members["published"].flatMap({ DropID($0) }), let path = path("path") {
            self = .published(id, path)
        } else {
            return nil
        }
    }
}
