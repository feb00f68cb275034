// From the journal to the outbox: placing documents and images under free names, and finishing what was cut.

import FoveaSystem
import Glibc
import SystemPackage

extension Ledger {
    /// Puts the document and the image of each committed outcome into the outbox.
    ///
    /// One that cannot be placed goes to `held`, and those behind it are published.
    ///
    /// - Parameter done: called for each that is published, with the image's path below the outbox.
    /// - Throws: a failure that would befall the others as well, such as a full disk; what is not published by then
    ///   stays in `unpublished`.
    package func publish(_ done: (Outcome, FilePath) -> Void) throws(SystemError) {
        var count = 0
        defer { unpublished.removeFirst(count) }
        for outcome in unpublished {
            do throws(SystemError) {
                let path = try place(outcome)
                mark(outcome.id, at: path)
                done(outcome, path)
            } catch {
                if error.isTransient || held.count >= Self.mostHeld { throw error }
                held.append(Held(outcome: outcome, reason: error))
            }
            count += 1
        }
    }

    /// With more, it is not a few places that cannot be had, and nothing more should be taken.
    private static let mostHeld = 1000

    /// Lets the next `publish` try again what is held.
    package func retryHeld() {
        unpublished += held.map(\.outcome)
        held = []
    }

    private func place(_ outcome: Outcome) throws(SystemError) -> FilePath {
        do throws(SystemError) {
            var search = EarlierPublications()
            let earlier = interrupted.contains(outcome.id) ? try finishEarlier(outcome, &search) : .none
            let path = if case .found(let found) = earlier { found } else { try publishAnew(outcome) }
            interrupted.remove(outcome.id)
            return path
        } catch {
            interrupted.insert(outcome.id)
            throw error
        }
    }

    func publishAnew(_ outcome: Outcome) throws(SystemError) -> FilePath {
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
                try Files.moveNoReplace(staged, to: documentTarget, staging: staged)
            } catch  where error.errno == .fileExists {
                numbers.taken()
                continue
            }
            do throws(SystemError) {
                try Files.moveNoReplace(
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
    /// extension whose name came back as a folder's), the folder above takes it, so that it holds up nothing. Where the
    /// path would be longer than the kernel takes, which the inbox's was not, the label's own folder does.
    private func folder(for outcome: Outcome) throws(SystemError) -> FilePath {
        var folder = FilePath(outcome.folder)
        let longest = outbox.bytes.count + outcome.folder.utf8.count + outcome.file.bytes.count + 32
        if longest > Int(PATH_MAX) { return folder }
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
    enum Earlier {
        /// It had not begun.
        case none
        /// It is complete now, with the image at this path.
        case found(FilePath)
        /// It was complete, and its owner has taken it away.
        case takenAway
    }

    /// Completes an earlier publication of an outcome. It is known by its document; a document that lost its content
    /// in a power cut is known by being this outcome's but for bytes that are missing or zero, and is written again.
    func finishEarlier(
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
                    try Files.moveNoReplace(
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

    enum Content { case whole, torn, other }

    /// What stands where an outcome's document should.
    func content(of path: FilePath, of outcome: Outcome) throws(SystemError) -> Content {
        guard let status = try Files.statusIfPresent(path), status.isRegular,
            status.size <= outcome.document.count + 1
        else { return .other }
        let expected = outcome.document + [0x0A]
        let found = try Files.read(path)
        if found == expected { return .whole }
        return zip(found, expected).allSatisfy { $0 == $1 || $0 == 0 } ? .torn : .other
    }

    /// Puts the document over a torn one.
    func rewrite(_ outcome: Outcome, at path: FilePath) throws(SystemError) {
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

    func removeSpoolFolder(_ id: DropID, _ file: FilePath) {
        let place = SpoolPlace(id, file, in: spool)
        guard let root = place.folder else { return }
        var folder = place.path.removingLastComponent()
        while folder.starts(with: root) {
            try? Files.removeDirectory(folder)
            folder.removeLastComponent()
        }
    }
}
