// Taking images from the inbox and sending them to workers.

import FoveaControl
import FoveaPipeline
import FoveaSystem
import Glibc
import SystemPackage

extension Dispatcher {
    /// Images that may wait for a worker: enough that no worker ever waits for the dispatcher, few enough that what
    /// waits, waits in the inbox, where its owner can still see it.
    private var roomInSpool: Int { workerCount * configuration.batch * Worker.depth - queue.count }

    /// Whether images are taken now.
    func canTake(_ now: Int) -> Bool {
        mode == .running && serving != nil && freeSpace >= configuration.minFree && now >= retryAt && roomInSpool > 0
    }

    /// Why nothing is taken, for people; nil when images are taken.
    var reasonForNotTaking: String? {
        switch mode {
        case .paused: return "paused; 'foveactl queue resume' goes on"
        case .stopping: return "stopping"
        case .running: break
        }
        if serving == nil { return "no model serves yet" }
        if freeSpace < configuration.minFree {
            return "\(freeSpace >> 20) MiB free where min-free asks for \(configuration.minFree >> 20) MiB"
        }
        return trouble
    }

    /// Claims ready files, at most a batch at a time so that the loop turns.
    func takeImages(_ now: Int) {
        guard canTake(now), decided.isEmpty else { return }
        for _ in 0..<min(roomInSpool, configuration.batch) {
            guard let file = inbox.takeReady(now: now) else { return }
            do throws(SystemError) {
                guard let image = try ledger.claim(file) else { continue }
                queue.append(Item(source: .spool(image), id: image.id, file: file, taken: monotonicNanoseconds()))
            } catch {
                // The file is still in the inbox.
                if error.isTransient {
                    inbox.see(file, .renamedIn, now: now)
                    return setTrouble("taking \(file.escaped): \(error)")
                }
                inbox.refuse(file, "\(error)", now: now)
                refusals = ((refusals?.count ?? 0) + 1, "\(file.escaped): \(error)")
            }
        }
        if trouble != nil { clearTrouble() }
    }

    /// Gives waiting images to workers that have room: what waits, without delay, split evenly.
    func sendBatches() {
        guard mode != .stopping, let serving else { return }
        while !suspects.isEmpty {
            guard let worker = serving.workers.first(where: { $0.hasRoom && $0.batches.isEmpty }) else { break }
            guard send([suspects.removeFirst()], to: worker, of: serving) else { return }
        }
        // A worker must come to rest before it can try a suspect alone: the one with the least to do gets no more.
        let reserved =
            suspects.isEmpty
            ? nil : serving.workers.filter { $0.state == .serving }.min { $0.imagesInFlight < $1.imagesInFlight }
        while !queue.isEmpty {
            let free = serving.workers.filter { $0.hasRoom && $0 !== reserved }
            guard let worker = free.min(by: { $0.imagesInFlight < $1.imagesInFlight }) else { return }
            let share = (queue.count + free.count - 1) / free.count
            var items: [Item] = []
            for _ in 0..<min(share, configuration.batch, queue.count) { items.append(queue.removeFirst()) }
            guard send(items, to: worker, of: serving) else { return }
        }
    }

    private func putBack(_ items: [Item]) {
        suspects = items.filter(\.isSuspect) + suspects
        queue.prepend(contentsOf: items.filter { !$0.isSuspect })
    }

    /// - Returns: false when nothing more should be sent now.
    @discardableResult
    private func send(_ items: [Item], to worker: Worker, of generation: Generation) -> Bool {
        var sent: [Item] = []
        var descriptors: [FileDescriptor] = []
        // Those of requests belong to their items.
        var opened: [FileDescriptor] = []
        defer { for descriptor in opened { try? descriptor.close() } }
        for (index, var item) in items.enumerated() {
            switch item.source {
            case .request(let descriptor, _):
                descriptors.append(descriptor)
                sent.append(item)
            case .spool(let image):
                do throws(SystemError) {
                    let descriptor = try Files.open(image.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
                    item.bytes = (try? Files.status(of: descriptor).size) ?? 0
                    opened.append(descriptor)
                    descriptors.append(descriptor)
                    sent.append(item)
                } catch  where error.errno == .tooManyOpenFiles || error.errno == .tooManyOpenFilesInSystem {
                    putBack(sent + items[index...])
                    setTrouble("\(error)")
                    return false
                } catch {
                    // Taken out of the spool behind the daemon's back, or unreadable: that is its result.
                    decide(item, failure: WorkerFault(code: "unreadable", text: "\(error.errno)"), generation)
                }
            }
        }
        if sent.isEmpty { return true }
        let batch = Worker.Batch(number: nextBatch, items: sent)
        nextBatch += 1
        do {
            try worker.send(batch, descriptors: descriptors)
            return true
        } catch {
            putBack(sent)
            // A full socket, or (unix(7)) too many descriptors under way: it takes them in a moment.
            if let error = error as? SystemError,
                [.resourceTemporarilyUnavailable, .tooManyReferences].contains(error.errno)
            {
                return false
            }
            lose(worker, of: generation, because: "\(error)")
            return false
        }
    }
}
