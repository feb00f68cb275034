// After a stop of any kind: what the journal and the spool tell, brought to where it belongs.

import FoveaSystem
import SystemPackage

extension Ledger {
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
            do throws(SystemError) {
                if lastAt[path] == outcome.id { try restoreTornDocument(outcome, at: path) }
                recovery.outcomes.append((outcome, path))
            } catch {
                keep(outcome, error)
            }
        }
        var search = EarlierPublications()
        for outcome in commits where published[outcome.id] == nil {
            do throws(SystemError) {
                switch try finishEarlier(outcome, &search) {
                case .found(let path): recovery.outcomes.append((outcome, path))
                case .none: recovery.outcomes.append((outcome, try publishAnew(outcome)))
                case .takenAway: break
                }
            } catch {
                keep(outcome, error)
            }
        }
        let withOutcome = Set(waiting.map(\.id))
        recovery.images = try spooledImages().filter { !withOutcome.contains($0.id) }
        do throws(SystemError) {
            try compact(always: true)
        } catch  where error.isTransient {
            // The old journal stays, and what it says is still true; the next commit begins a new one.
            recovery.postponed = error
        }
        return recovery
    }

    /// Neither a place that cannot be had nor a full disk keeps the daemon from starting: it must tell somebody.
    private func keep(_ outcome: Outcome, _ error: SystemError) {
        interrupted.insert(outcome.id)
        if error.isTransient {
            unpublished.append(outcome)
        } else {
            held.append(Held(outcome: outcome, reason: error))
        }
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
        for image in images { try? forgetCopiedSource(image.file, copy: image.path) }
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
}
