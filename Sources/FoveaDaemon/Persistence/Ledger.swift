// The ledger: where every image is, on disk.
//
// An image is in the inbox, in the spool or in the outbox, and moves by rename. What decides is the journal:
//
//     claim     rename  inbox/a/cat.png → spool/<id>.a%2Fcat.png    the spool says of itself what it holds
//     commit    append the outcomes of a batch to the journal, one fdatasync
//     publish   the document first, the image second, neither over anything that is there
//     mark      append `published`, not synced: after a crash the same publication is recognised and not repeated
//
// A crash before `commit` leaves the image in the spool: it is classified again. A crash after it leaves an outcome
// that is published at the next start. Nothing is published that is not committed, so there is never a second result.
//
// Documents are not synced one by one. The journal keeps an outcome until a syncfs(2) of the outbox has put its
// document on disk (`compact`); if power fails before, the document is written again from the journal.
//
// An outcome that cannot be put where it belongs (a label's folder that may not be written, a name that the file system
// does not take) is held: it stays in the journal, is tried again now and then and at the next start, and the others
// pass it. A disk that is full or broken is another matter: then all wait.
//
// Everything that Fovea must not lose goes through the ledger, on one thread. It does not decide anything about images.
// Here are claim and commit, in Ledger+Publish.swift and Ledger+Recovery.swift what their names say.

import FoveaControl
import FoveaSystem
import Glibc
import SystemPackage

/// An image in the spool.
package struct ClaimedImage: Sendable, Equatable {
    package let id: DropID
    /// As it was below the inbox.
    package let file: FilePath
    /// Where it is now.
    package let path: FilePath

    package init(id: DropID, file: FilePath, path: FilePath) {
        self.id = id
        self.file = file
        self.path = path
    }
}

/// See the head of this file. Used by one thread only.
package final class Ledger {
    /// An outcome that waits for its place in the outbox.
    package struct Held: Sendable {
        package let outcome: Outcome
        package let reason: SystemError
    }

    /// What was found at start.
    package struct Recovery {
        /// Claimed, without an outcome: to be classified again, oldest first.
        package var images: [ClaimedImage] = []
        /// Outcomes that stood in the journal and were not published; they are now (others wait in `held` or `unpublished`).
        package var outcomes: [(outcome: Outcome, path: FilePath)] = []
        /// Bytes at the journal's end that a crash had left incomplete.
        package var tornBytes = 0
        /// Why a new journal could not be begun yet.
        package var postponed: SystemError?
    }

    let inbox: FilePath
    let outbox: FilePath
    let spool: FilePath
    let journalPath: FilePath
    private var journal: FileDescriptor?
    private var journalSize = 0
    /// Committed and not yet published, in order.
    package internal(set) var unpublished: [Outcome] = []
    /// Committed, and not to be had where they belong, with the reason.
    package internal(set) var held: [Held] = []
    /// Outcomes whose publication failed half-way, so that some of it may be in the outbox.
    var interrupted: Set<DropID> = []
    /// Folders in the outbox known to exist.
    var knownFolders: Set<FilePath> = []

    /// The journal is compacted when it is larger than this, in bytes.
    package var compactionSize = 16 << 20

    /// - Parameters:
    ///   - state: the state folder; the spool and the journal are in it.
    package init(inbox: FilePath, outbox: FilePath, state: FilePath) throws(SystemError) {
        self.inbox = inbox
        self.outbox = outbox
        spool = state.appending("spool")
        journalPath = state.appending("journal")
        for folder in [inbox, outbox, spool] { try Files.makeDirectories(folder) }
        // What a crash left half-written on its way into the outbox; the journal or the spool still has it.
        let staging = outbox.appending(OutboxNames.staging)
        try Files.removeTree(staging)
        try Files.makeDirectory(staging)
    }

    deinit { try? journal?.close() }

    // MARK: - Claim

    /// Takes a file out of the inbox.
    ///
    /// - Parameter file: below the inbox.
    /// - Returns: nil when it is no longer there or is not a regular file.
    package func claim(_ file: FilePath, received: Timestamp = .now()) throws(SystemError) -> ClaimedImage? {
        let source = inbox.pushing(file)
        guard let status = try Files.statusIfPresent(source), status.isRegular else { return nil }
        let id = DropID(received: received)
        let place = SpoolPlace(id, file, in: spool)
        do throws(SystemError) {
            if place.folder != nil { try Files.makeDirectories(place.path.removingLastComponent(), mode: 0o700) }
            do throws(SystemError) {
                try Files.rename(source, to: place.path)
            } catch  where error.errno == .improperLink {
                // Another file system: a copy under a name that recovery removes, whole and synced before it counts.
                let partial = spool.appending("\(Self.partialPrefix)\(id)")
                try Files.copy(source, to: partial, thenRenameTo: place.path, replace: true)
                do throws(SystemError) {
                    try Files.unlink(source)
                } catch {
                    // Not ours to take: a copy would be a second image.
                    try? Files.unlink(place.path)
                    throw error
                }
            }
            return ClaimedImage(id: id, file: file, path: place.path)
        } catch {
            removeSpoolFolder(id, file)
            if error.errno == .noSuchFileOrDirectory { return nil }
            throw error
        }
    }

    static let partialPrefix = ".partial-"

    /// Puts an image that has no outcome back where it came from, under a free name.
    package func unclaim(_ image: ClaimedImage) throws(SystemError) {
        var number = 1
        while true {
            let name = OutboxNames.name(image.file.lastComponent!, number: number, suffix: "")
            let target = inbox.pushing(image.file.removingLastComponent()).appending(name)
            do throws(SystemError) {
                // Across file systems by a copy whose name is junk to everybody who looks into the inbox.
                try Files.moveNoReplace(
                    image.path, to: target,
                    staging: target.removingLastComponent().appending(".fovea-\(image.id).tmp"))
                removeSpoolFolder(image.id, image.file)
                return
            } catch  where error.errno == .fileExists {
                number += 1
            }
        }
    }

    // MARK: - Commit

    /// Makes outcomes final: on return they are on disk and will be published, whatever happens.
    ///
    /// After a failure nothing is promised about them; the caller calls again with the same outcomes later.
    package func commit(_ outcomes: [Outcome]) throws(SystemError) {
        guard !outcomes.isEmpty else { return }
        do throws(SystemError) {
            guard let journal else { throw SystemError("write", journalPath.escaped, errno: .badFileDescriptor) }
            let lines = outcomes.flatMap { JournalRecord.commit($0).line }
            try Files.write(lines, to: journal, subject: journalPath.escaped)
            try Files.syncData(journal, subject: journalPath.escaped)
            journalSize += lines.count
        } catch {
            // A failed write may have left half a line, a failed sync is final for its descriptor (fsync(2)): what
            // counts goes into a new file. The old one backed documents that are not on disk yet.
            try Files.syncFileSystem(of: outbox)
            try rewriteJournal(waiting + outcomes)
        }
        unpublished += outcomes
    }

    /// All that the journal must keep.
    var waiting: [Outcome] { held.map(\.outcome) + unpublished }

    /// Replaces the journal by one with just these outcomes.
    func rewriteJournal(_ outcomes: [Outcome]) throws(SystemError) {
        try? journal?.close()
        journal = nil
        try Files.replace(journalPath, with: outcomes.flatMap { JournalRecord.commit($0).line }, mode: 0o640)
        journal = try Files.open(journalPath, O_WRONLY | O_APPEND)
        journalSize = try Files.status(journalPath).size
    }

    func mark(_ id: DropID, at path: FilePath) {
        guard let journal else { return }
        let line = JournalRecord.published(id, path).line
        do throws(SystemError) {
            try Files.write(line, to: journal)
            journalSize += line.count
        } catch {
            // Not lost: the publication is recognised after a crash. But a half-written line must not stay.
            try? journal.close()
            self.journal = nil
        }
    }

    /// Puts what is published on disk for good and begins a new journal, if the old one has grown or `always`.
    package func compact(always: Bool = false) throws(SystemError) {
        guard always || journalSize > compactionSize || journal == nil else { return }
        try Files.syncFileSystem(of: outbox)
        try rewriteJournal(waiting)
    }
}
