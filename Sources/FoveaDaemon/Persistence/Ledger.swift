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
// Everything that Fovea must not lose goes through this file, on one thread. It does not decide anything about images.

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
}

/// See the head of this file. Used by one thread only.
package final class Ledger {
    /// What was found at start.
    package struct Recovery {
        /// Claimed, without an outcome: to be classified again, oldest first.
        package var images: [ClaimedImage] = []
        /// Outcomes that stood in the journal and were not published; they are now (or wait in `unpublished`).
        package var outcomes: [(outcome: Outcome, path: FilePath)] = []
        /// Bytes at the journal's end that a crash had left incomplete.
        package var tornBytes = 0
    }

    private let inbox: FilePath
    private let outbox: FilePath
    private let spool: FilePath
    private let journalPath: FilePath
    private var journal: FileDescriptor?
    private var journalSize = 0
    /// Committed and not yet published, in order.
    package private(set) var unpublished: [Outcome] = []
    /// The outcome whose publication failed half-way, so that some of it may be in the outbox.
    private var interrupted: DropID?
    /// Folders in the outbox known to exist.
    private var knownFolders: Set<FilePath> = []

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
                try Self.copy(source, to: partial, thenRenameTo: place.path, replace: true)
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

    private static let partialPrefix = ".partial-"

    /// Puts an image that has no outcome back where it came from, under a free name.
    package func unclaim(_ image: ClaimedImage) throws(SystemError) {
        var number = 1
        while true {
            let name = OutboxNames.name(image.file.lastComponent!, number: number, suffix: "")
            let target = inbox.pushing(image.file.removingLastComponent()).appending(name)
            do throws(SystemError) {
                // Across file systems by a copy whose name is junk to everybody who looks into the inbox.
                try Self.move(
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
            try rewriteJournal(unpublished + outcomes)
        }
        unpublished += outcomes
    }

    /// Replaces the journal by one with just these outcomes.
    private func rewriteJournal(_ outcomes: [Outcome]) throws(SystemError) {
        try? journal?.close()
        journal = nil
        try Files.replace(journalPath, with: outcomes.flatMap { JournalRecord.commit($0).line }, mode: 0o640)
        journal = try Files.open(journalPath, O_WRONLY | O_APPEND)
        journalSize = try Files.status(journalPath).size
    }

    private func mark(_ id: DropID, at path: FilePath) {
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

    // MARK: - Publish

    /// Puts the document and the image of each committed outcome into the outbox.
    ///
    /// - Parameter done: called for each with the image's path below the outbox.
    /// - Throws: the first failure; the outcome it befell and those behind it stay in `unpublished`.
    package func publish(_ done: (Outcome, FilePath) -> Void) throws(SystemError) {
        var count = 0
        defer { unpublished.removeFirst(count) }
        for outcome in unpublished {
            let path: FilePath
            do throws(SystemError) {
                var search = EarlierPublications()
                let earlier = outcome.id == interrupted ? try finishEarlier(outcome, &search) : .none
                if case .found(let found) = earlier { path = found } else { path = try publishAnew(outcome) }
                interrupted = nil
            } catch {
                interrupted = outcome.id
                throw error
            }
            mark(outcome.id, at: path)
            count += 1
            done(outcome, path)
        }
    }

    private func publishAnew(_ outcome: Outcome) throws(SystemError) -> FilePath {
        let folder = try folder(for: outcome)
        let image = SpoolPlace(outcome.id, outcome.file, in: spool).path
        let staged = outbox.appending(OutboxNames.staging).appending("\(outcome.id).json")
        let absolute = outbox.pushing(folder)
        try ensureFolder(absolute)
        try writeDocument(outcome.document, to: staged)
        var numbers = CandidateNumbers()
        while true {
            let (name, imageTarget, documentTarget) = targets(outcome, absolute, numbers.current)
            guard try Files.statusIfPresent(imageTarget) == nil, try Files.statusIfPresent(documentTarget) == nil else {
                numbers.taken()
                continue
            }
            if numbers.advanceToLowestFree() { continue }
            do throws(SystemError) {
                try Self.move(staged, to: documentTarget, staging: staged)
            } catch  where error.errno == .fileExists {
                numbers.taken()
                continue
            }
            do throws(SystemError) {
                try Self.move(
                    image, to: imageTarget,
                    staging: outbox.appending(OutboxNames.staging).appending("\(outcome.id).image"))
            } catch  where error.errno == .fileExists {
                try Files.rename(documentTarget, to: staged)
                numbers.taken()
                continue
            } catch  where error.errno == .noSuchFileOrDirectory {
                // Somebody took the image out of the spool. Its result stands; there is no image to put beside it.
            } catch {
                // No document without its image; where even this fails, `interrupted` finds it.
                try? Files.rename(documentTarget, to: staged)
                throw error
            }
            removeSpoolFolder(outcome.id, outcome.file)
            return folder.appending(name)
        }
    }

    private func targets(
        _ outcome: Outcome, _ folder: FilePath, _ number: Int
    ) -> (name: FilePath.Component, image: FilePath, document: FilePath) {
        let name = OutboxNames.name(outcome.file.lastComponent!, number: number, suffix: outcome.documentSuffix)
        let document = FilePath(bytes: name.bytes + Array(outcome.documentSuffix.utf8)).lastComponent!
        return (name, folder.appending(name), folder.appending(document))
    }

    /// Where an outcome belongs below the outbox. Where one of its folders is a file there (an image without an
    /// extension whose name came back as a folder's), the folder above takes it, so that it holds up nothing.
    private func folder(for outcome: Outcome) throws(SystemError) -> FilePath {
        var folder = FilePath(outcome.folder)
        for component in outcome.file.removingLastComponent().components {
            let inner = folder.appending(component)
            if let status = try Files.statusIfPresent(outbox.pushing(inner), followingLinks: true), !status.isDirectory
            {
                return folder
            }
            folder = inner
        }
        return folder
    }

    /// What has become of a publication that a crash may have cut.
    private enum Earlier {
        /// It had not begun.
        case none
        /// It is complete now, with the image at this path.
        case found(FilePath)
        /// It was complete, and its owner has taken it away.
        case takenAway
    }

    /// Completes an earlier publication of an outcome. It is known by its document; a document that lost its content
    /// in a power cut is known by being this outcome's but for bytes that are missing or zero, and is written again.
    private func finishEarlier(
        _ outcome: Outcome, _ search: inout EarlierPublications
    ) throws(SystemError) -> Earlier {
        let folder = try folder(for: outcome)
        let absolute = outbox.pushing(folder)
        let image = SpoolPlace(outcome.id, outcome.file, in: spool).path
        let imageWaits = try Files.statusIfPresent(image) != nil
        for number in try search.numbers(of: outcome, in: absolute) {
            let (name, imageTarget, documentTarget) = targets(outcome, absolute, number)
            let document = try content(of: documentTarget, of: outcome)
            if document == .other { continue }
            let imageIsThere = try Files.statusIfPresent(imageTarget) != nil
            if document == .torn {
                // The image is in one of the two places, or this is the document of another.
                guard imageWaits != imageIsThere else { continue }
                try rewrite(outcome, at: documentTarget)
            }
            if imageWaits {
                do throws(SystemError) {
                    try Self.move(
                        image, to: imageTarget,
                        staging: outbox.appending(OutboxNames.staging).appending("\(outcome.id).image"))
                } catch  where error.errno == .fileExists {
                    // The image's name was taken between document and image: begin again under another.
                    try Files.unlink(documentTarget)
                    return .none
                }
            }
            removeSpoolFolder(outcome.id, outcome.file)
            return .found(folder.appending(name))
        }
        // The image leaves the spool last.
        return imageWaits ? .none : .takenAway
    }

    private enum Content { case whole, torn, other }

    /// What stands where an outcome's document should.
    private func content(of path: FilePath, of outcome: Outcome) throws(SystemError) -> Content {
        guard let status = try Files.statusIfPresent(path), status.isRegular,
            status.size <= outcome.document.count + 1
        else { return .other }
        let expected = outcome.document + [0x0A]
        let found = try Files.read(path)
        if found == expected { return .whole }
        return zip(found, expected).allSatisfy { $0 == $1 || $0 == 0 } ? .torn : .other
    }

    /// Puts the document over a torn one.
    private func rewrite(_ outcome: Outcome, at path: FilePath) throws(SystemError) {
        let staged = outbox.appending(OutboxNames.staging).appending("\(outcome.id).json")
        try writeDocument(outcome.document, to: staged)
        try Files.rename(staged, to: path)
    }

    private func ensureFolder(_ folder: FilePath) throws(SystemError) {
        if knownFolders.contains(folder), try Files.statusIfPresent(folder) != nil { return }
        try Files.makeDirectories(folder)
        if knownFolders.count > 10_000 { knownFolders.removeAll() }
        knownFolders.insert(folder)
    }

    private func writeDocument(_ document: [UInt8], to path: FilePath) throws(SystemError) {
        let descriptor = try Files.open(path, O_WRONLY | O_CREAT | O_TRUNC)
        defer { try? descriptor.close() }
        try Files.write(document + [0x0A], to: descriptor, subject: path.escaped)
    }

    private func removeSpoolFolder(_ id: DropID, _ file: FilePath) {
        let place = SpoolPlace(id, file, in: spool)
        guard let root = place.folder else { return }
        var folder = place.path.removingLastComponent()
        while folder.starts(with: root) {
            try? Files.removeDirectory(folder)
            folder.removeLastComponent()
        }
    }

    // MARK: - Moves

    /// A rename that replaces nothing (`.fileExists`), also across file systems and where renameat2(2) is not known.
    private static func move(_ source: FilePath, to target: FilePath, staging: FilePath) throws(SystemError) {
        do throws(SystemError) {
            try Files.renameNoReplace(source, to: target)
        } catch  where error.errno == .improperLink {
            try copy(source, to: staging, thenRenameTo: target, replace: false)
            try Files.unlink(source)
        } catch  where error.errno == .invalidArgument {
            // NFS and some FUSE file systems know no RENAME_NOREPLACE.
            if try Files.statusIfPresent(target) != nil {
                throw SystemError("rename", target.escaped, errno: .fileExists)
            }
            try Files.rename(source, to: target)
        }
    }

    /// Copies, syncs and renames; the source stays.
    private static func copy(
        _ source: FilePath, to partial: FilePath, thenRenameTo target: FilePath, replace: Bool
    ) throws(SystemError) {
        let input = try Files.open(source, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
        defer { try? input.close() }
        let status = try Files.status(of: input)
        do throws(SystemError) {
            let output = try Files.open(partial, O_WRONLY | O_CREAT | O_TRUNC, mode: status.mode & 0o777)
            defer { try? output.close() }
            var offset = 0
            while true {
                let piece = try Files.read(input, count: 1 << 20, at: offset, subject: source.escaped)
                if piece.isEmpty { break }
                try Files.write(piece, to: output, subject: partial.escaped)
                offset += piece.count
            }
            var times = [timespec(), timespec()]
            times[0] = timespec(tv_sec: status.modified / 1_000_000_000, tv_nsec: status.modified % 1_000_000_000)
            times[1] = times[0]
            futimens(output.rawValue, times)
            try Files.sync(output, subject: partial.escaped)
            if replace {
                try Files.rename(partial, to: target)
            } else {
                try Files.renameNoReplace(partial, to: target)
            }
            try Files.syncDirectory(target.removingLastComponent())
        } catch {
            try? Files.unlink(partial)
            throw error
        }
    }

    // MARK: - Recovery and compaction

    /// Brings everything to where it belongs after a stop of any kind. To be called once, first.
    package func recover() throws(SystemError) -> Recovery {
        var recovery = Recovery()
        var published: [DropID: FilePath] = [:]
        var commits: [Outcome] = []
        if try Files.statusIfPresent(journalPath) != nil {
            let bytes = try Files.read(journalPath, limit: 1 << 33)
            var start = bytes.startIndex
            while let end = bytes[start...].firstIndex(of: 0x0A), let record = JournalRecord(line: bytes[start..<end]) {
                switch record {
                case .commit(let outcome): commits.append(outcome)
                case .published(let id, let path): published[id] = path
                }
                start = end + 1
            }
            recovery.tornBytes = bytes.count - start
        }
        // Those whose place is known first: what is left among torn documents then belongs to the others, which were
        // published in the order of the journal. A name that was used again belongs to the last.
        let lastAt = Dictionary(
            commits.compactMap { outcome in published[outcome.id].map { ($0, outcome.id) } }, uniquingKeysWith: { $1 })
        for outcome in commits {
            guard let path = published[outcome.id] else { continue }
            if lastAt[path] == outcome.id { try restoreTornDocument(outcome, at: path) }
            recovery.outcomes.append((outcome, path))
        }
        var search = EarlierPublications()
        for outcome in commits where published[outcome.id] == nil {
            switch try finishEarlier(outcome, &search) {
            case .found(let path): recovery.outcomes.append((outcome, path))
            case .none: recovery.outcomes.append((outcome, try publishAnew(outcome)))
            case .takenAway: break
            }
        }
        recovery.images = try spooledImages()
        try Files.syncFileSystem(of: outbox)
        try rewriteJournal([])
        return recovery
    }

    /// After a power cut a published document may be there and empty. One that its user has moved, changed or deleted
    /// stays so.
    private func restoreTornDocument(_ outcome: Outcome, at path: FilePath) throws(SystemError) {
        let target = outbox.pushing(FilePath(bytes: path.bytes + Array(outcome.documentSuffix.utf8)))
        if try content(of: target, of: outcome) == .torn { try rewrite(outcome, at: target) }
    }

    private func spooledImages() throws(SystemError) -> [ClaimedImage] {
        var images: [ClaimedImage] = []
        for name in try Files.list(spool) {
            if name.string.hasPrefix(Self.partialPrefix) { try Files.unlink(spool.appending(name)) }
            guard let (id, known) = SpoolPlace.parse(name) else { continue }
            let place = spool.appending(name)
            if let file = known {
                images.append(ClaimedImage(id: id, file: file, path: place))
            } else if let file = try Self.firstFile(below: place, path: FilePath()) {
                images.append(ClaimedImage(id: id, file: file, path: place.pushing(file)))
            } else {
                try Files.removeTree(place)
            }
        }
        for image in images { try forgetCopiedSource(image.file, copy: image.path) }
        return images.sorted { $0.id < $1.id }
    }

    private static func firstFile(below root: FilePath, path: FilePath) throws(SystemError) -> FilePath? {
        for name in try Files.list(root.pushing(path)) {
            let inner = path.appending(name)
            if try Files.status(root.pushing(inner)).isDirectory {
                if let file = try firstFile(below: root, path: inner) { return file }
            } else {
                return inner
            }
        }
        return nil
    }

    /// A claim across file systems that was cut between copy and unlink has left its source in the inbox.
    private func forgetCopiedSource(_ file: FilePath, copy: FilePath) throws(SystemError) {
        let source = inbox.pushing(file)
        guard let original = try Files.statusIfPresent(source), original.isRegular else { return }
        let taken = try Files.status(copy)
        guard original.device != taken.device, original.size == taken.size, original.modified == taken.modified,
            try Digest.sha256(fileAt: source) == Digest.sha256(fileAt: copy)
        else { return }
        try Files.unlink(source)
    }

    /// Puts what is published on disk for good and begins a new journal, if the old one has grown or `always`.
    package func compact(always: Bool = false) throws(SystemError) {
        guard always || journalSize > compactionSize || journal == nil else { return }
        try Files.syncFileSystem(of: outbox)
        try rewriteJournal(unpublished)
    }
}
