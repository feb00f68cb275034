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
            guard let file = inbox.takeReady() else { return }
            do throws(SystemError) {
                guard let image = try ledger.claim(file) else { continue }
                queue.append(Item(source: .spool(image), id: image.id, file: file, taken: monotonicNanoseconds()))
            } catch {
                // The file is still in the inbox; it comes back to notice by the entry made here, or by a scan.
                inbox.see(file, .renamedIn, now: now)
                return setTrouble("taking \(file.escaped): \(error)")
            }
        }
        if trouble != nil { clearTrouble() }
    }

    /// Gives waiting images to workers that have room: what waits, without delay, split evenly.
    func sendBatches() {
        guard mode != .stopping, let serving else { return }
        while !suspects.isEmpty {
            guard let worker = serving.workers.first(where: { $0.hasRoom && $0.batches.isEmpty }) else { break }
            send([suspects.removeFirst()], to: worker, of: serving)
        }
        while !queue.isEmpty {
            let free = serving.workers.filter(\.hasRoom)
            guard let worker = free.min(by: { $0.imagesInFlight < $1.imagesInFlight }) else { return }
            let share = (queue.count + free.count - 1) / free.count
            var items: [Item] = []
            for _ in 0..<min(share, configuration.batch, queue.count) { items.append(queue.removeFirst()) }
            guard send(items, to: worker, of: serving) else { return }
        }
    }

    /// - Returns: false when nothing more should be sent now.
    @discardableResult
    private func send(_ items: [Item], to worker: Worker, of generation: Generation) -> Bool {
        var sent: [Item] = []
        var descriptors: [FileDescriptor] = []
        defer {
            for (item, descriptor) in zip(sent, descriptors) {
                if case .spool = item.source { try? descriptor.close() }
            }
        }
        for (index, var item) in items.enumerated() {
            switch item.source {
            case .request(let descriptor, _):
                descriptors.append(descriptor)
                sent.append(item)
            case .spool(let image):
                do throws(SystemError) {
                    let descriptor = try Files.open(image.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
                    item.bytes = (try? Files.status(of: descriptor).size) ?? 0
                    descriptors.append(descriptor)
                    sent.append(item)
                } catch  where error.errno == .tooManyOpenFiles || error.errno == .tooManyOpenFilesInSystem {
                    queue.prepend(contentsOf: sent + items[index...])
                    descriptors.forEach { try? $0.close() }
                    sent = []
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
            queue.prepend(contentsOf: sent)
            if let error = error as? SystemError, error.errno == .resourceTemporarilyUnavailable { return false }
            lose(worker, of: generation, because: "\(error)")
            return false
        }
    }
}
