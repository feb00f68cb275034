import FoundationEssentials
import FoveaControl
import FoveaDaemon
import FoveaSystem
import FoveaTestKit
import Glibc
import SystemPackage

/// A ledger on folders of its own, and what a kill between two of its system calls leaves behind.
final class LedgerFixture {
    let folder: TemporaryFolder
    private(set) var ledger: Ledger

    var inbox: FilePath { folder.path.appending("inbox") }
    var outbox: FilePath { folder.path.appending("outbox") }
    var state: FilePath { folder.path.appending("state") }
    var spool: FilePath { state.appending("spool") }
    var journal: FilePath { state.appending("journal") }

    init() throws {
        folder = try TemporaryFolder()
        ledger = try Self.open(folder.path)
        _ = try ledger.recover()
    }

    private static func open(_ root: FilePath) throws(SystemError) -> Ledger {
        try Ledger(
            inbox: root.appending("inbox"), outbox: root.appending("outbox"), state: root.appending("state"))
    }

    /// As after kill -9: the object that knew is gone, the disk is as it was.
    @discardableResult
    func restart() throws(SystemError) -> Ledger.Recovery {
        ledger = try Self.open(folder.path)
        return try ledger.recover()
    }

    func drop(_ name: String, _ content: String) throws { try folder.write("inbox/\(name)", Array(content.utf8)) }

    func claim(_ name: String, _ content: String) throws -> ClaimedImage {
        try drop(name, content)
        guard let image = try ledger.claim(FilePath(name)) else {
            throw SystemError("claim", name, errno: .noSuchFileOrDirectory)
        }
        return image
    }

    /// A document like a real one, with its image's content in it, so that a test can tell whose it is.
    func outcome(_ image: ClaimedImage, label: String = "cat", says: String = "") -> Outcome {
        var record = ErrorRecord(
            id: image.id.description, file: image.file.escaped, sha256: nil, bytes: 0, reason: "test", message: says,
            received: image.id.received, published: Timestamp(milliseconds: 1), attempts: 1, model: nil)
        record.bytes = (try? Files.status(image.path).size) ?? 0
        return Outcome(id: image.id, file: image.file, folder: label, document: record.json())
    }

    /// Writes what `commit` writes, without this process's ledger.
    func appendToJournal(_ records: [JournalRecord]) throws {
        let descriptor = try Files.open(journal, O_WRONLY | O_APPEND | O_CREAT)
        defer { try? descriptor.close() }
        try Files.write(records.flatMap(\.line), to: descriptor)
    }

    /// All files below the outbox but the staging folder's: path to content.
    func published() throws -> [String: String] { try files(outbox) }

    func files(_ root: FilePath) throws -> [String: String] {
        var found: [String: String] = [:]
        func visit(_ folder: FilePath, _ prefix: String) throws {
            for name in try Files.list(folder) {
                let path = folder.appending(name)
                if try Files.status(path).isDirectory {
                    if name.string != OutboxNames.staging { try visit(path, prefix + name.string + "/") }
                } else {
                    found[prefix + name.string] = String(decoding: try Files.read(path), as: UTF8.self)
                }
            }
        }
        try visit(root, "")
        return found
    }

    /// The identities in the outbox's documents, those of torn ones as "torn".
    func documents() throws -> [String] {
        try published().filter { $0.key.hasSuffix(".json") }.map { _, text in
            (try? JSONDecoder().decode(ErrorRecord.self, from: Data(text.utf8)))?.id ?? "torn"
        }.sorted()
    }

    /// Nothing waits anywhere and nothing half-done lies about.
    func isAtRest() throws -> Bool {
        try Files.list(spool).isEmpty && Files.list(outbox.appending(OutboxNames.staging)).isEmpty
            && ledger.unpublished.isEmpty
    }
}

func text(_ document: [UInt8]) -> String { String(decoding: document + [0x0A], as: UTF8.self) }
