// What people do to the queue, and images that come over the control socket.

import FoundationEssentials
import FoveaControl
import FoveaModels
import FoveaPipeline
import FoveaSystem
import SystemPackage

extension Dispatcher {
    func pause() -> QueueAnswer {
        if mode == .running { mode = .paused }
        return QueueAnswer(verb: .pause, mode: status().mode, images: inbox.readyCount + inbox.settlingCount)
    }

    func resume() -> QueueAnswer {
        if mode == .paused { mode = .running }
        return QueueAnswer(verb: .resume, mode: status().mode, images: inbox.readyCount + inbox.settlingCount)
    }

    /// A client that waits until all that was in the inbox when it asked is published.
    struct Drain {
        let reply: OneShot<QueueAnswer>
        let publishedBefore: Int
        /// How many will have been published then; nil until a scan has shown what there is.
        var target: Int?
    }

    /// Answers when what is in the inbox now is published. What comes later is not waited for: where a camera never
    /// rests, nobody would ever be answered.
    func drain(reply: OneShot<QueueAnswer>) {
        if mode == .stopping {
            return reply.set(QueueAnswer(verb: .drain, mode: .stopping, images: 0))
        }
        if mode == .paused { mode = .running }
        drains.append(Drain(reply: reply, publishedBefore: counts.published))
        watcher.requestScan()
    }

    /// What there is to drain is known now.
    func scanFinished() {
        inbox.forgetGone()
        let left = inbox.readyCount + inbox.settlingCount + imagesTaken
        for index in drains.indices where drains[index].target == nil {
            drains[index].target = counts.published + left
        }
    }

    private var imagesTaken: Int {
        queue.count + suspects.count + setAside.count + imagesInFlight + decided.count + ledger.unpublished.count
    }

    func advanceDrains() {
        if drains.isEmpty { return }
        // Some of what was there may have been taken away by its owner.
        let isEmpty = inbox.readyCount == 0 && inbox.settlingCount == 0 && imagesTaken == 0
        endDrains { drain in drain.target.map { isEmpty || counts.published >= $0 } ?? false }
    }

    func endDrains(where isOver: (Drain) -> Bool) {
        for drain in drains where isOver(drain) {
            drain.reply.set(
                QueueAnswer(verb: .drain, mode: status().mode, images: counts.published - drain.publishedBefore))
        }
        drains.removeAll(where: isOver)
    }

    /// Puts what failed for a passing reason into the inbox again, and removes the documents that said why.
    ///
    /// - Parameter name: only this image below `failed/`, whatever its reason; nil is all whose reason may have passed.
    func retry(only name: ImageName?) -> QueueAnswer {
        let (count, problems) = putBack { image, record in
            name.map { name in
                [record.id, image.escaped, "\(OutboxFolder.failed)/\(image.escaped)"].contains(where: name.matches)
            } ?? Self.passing.contains(record.reason)
        }
        return QueueAnswer(verb: .retry, mode: status().mode, images: count, problems: problems)
    }

    /// The images that a model has ended its workers on before it was left: the one that serves now has not seen them.
    func retryImagesLost(by model: ModelIdentity) {
        _ = putBack { _, record in record.reason == WorkerFault.lost && record.model == model }
    }

    /// Puts failed images into the inbox again.
    ///
    /// - Parameter isMeant: asked of each image below `failed/` with its document.
    /// - Returns: how many, and why others that were meant are not.
    private func putBack(
        _ isMeant: (_ image: FilePath, _ record: ErrorRecord) -> Bool
    ) -> (count: Int, problems: [String]) {
        let failed = configuration.outbox.appending(OutboxFolder.failed)
        var count = 0
        var problems: [String] = []
        func visit(_ relative: FilePath) {
            for component in (try? Files.list(failed.pushing(relative))) ?? [] {
                let path = relative.appending(component)
                guard let status = try? Files.statusIfPresent(failed.pushing(path)) else { continue }
                if status.isDirectory {
                    visit(path)
                    continue
                }
                guard status.isRegular, let (image, record) = failure(path), isMeant(image, record) else { continue }
                do throws(SystemError) {
                    try putBack(image, failed)
                    try? Files.unlink(failed.pushing(path))
                    history.note("retried", "put into the inbox again", image: record.id)
                    count += 1
                } catch {
                    log.warning("retry of \(image.escaped): \(error)")
                    let text =
                        error.errno == .noSuchFileOrDirectory
                        ? "the image is no longer in failed/, only its document; delete that" : "\(error)"
                    problems.append("\(image.escaped): \(text)")
                }
            }
        }
        visit(FilePath())
        if count > 0 { log.notice("\(count) failed images are tried again") }
        return (count, problems)
    }

    /// Reasons that lie in the machine or the chain, not in the image.
    private static let passing: Set<String> = [WorkerFault.lost, "unreadable", "chain", "read", "internal"]

    /// The image below `failed/` that a document is about; nil for any other file.
    private func failure(_ document: FilePath) -> (image: FilePath, record: ErrorRecord)? {
        let suffix = Array(".error.json".utf8)
        let bytes = document.bytes
        guard bytes.suffix(suffix.count).elementsEqual(suffix) else { return nil }
        let image = FilePath(bytes: bytes.dropLast(suffix.count))
        let failed = configuration.outbox.appending(OutboxFolder.failed)
        guard let content = try? Files.read(failed.pushing(document), limit: 1 << 20),
            let record = try? JSONDecoder().decode(ErrorRecord.self, from: Data(content))
        else { return nil }
        return (image, record)
    }

    /// Moves an image from `failed/` into the inbox, under a free name.
    private func putBack(_ image: FilePath, _ failed: FilePath) throws(SystemError) {
        let folder = inbox.root.pushing(image.removingLastComponent())
        try Files.makeDirectories(folder)
        // Hidden, so that the inbox does not take half a copy.
        let staging = folder.appending(".retry-\(DropID(received: .now()))")
        var number = 1
        while true {
            let target = folder.appending(OutboxNames.name(image.lastComponent!, number: number, suffix: ""))
            do throws(SystemError) {
                return try Files.moveNoReplace(failed.pushing(image), to: target, staging: staging)
            } catch {
                guard error.errno == .fileExists else { throw error }
                number += 1
            }
        }
    }

    /// Classifies an image that a client has sent. It goes before what waits: somebody is looking at a terminal.
    func classify(
        _ descriptor: FileDescriptor, name: FilePath, bytes: Int, reply: OneShot<Result<ResultRecord, ErrorRecord>>
    ) {
        var item = Item(
            source: .request(descriptor, reply), id: DropID(received: .now()), file: name, taken: monotonicNanoseconds()
        )
        item.bytes = bytes
        if mode == .stopping || serving == nil {
            try? descriptor.close()
            let fault = WorkerFault(code: "not-serving", text: reasonForNotTaking ?? "no model serves")
            return reply.set(.failure(Records.error(item, fault, nil)))
        }
        queue.prepend(contentsOf: [item])
    }
}
