// Worker processes: starting, losing, replacing them.

import FoveaControl
import FoveaModels
import FoveaPipeline
import FoveaSystem
import Glibc
import SystemPackage

extension Dispatcher {
    /// Longest time from spawn to hello. Long, because a large model on a busy machine may take its time.
    private static let startLimit = 300_000_000_000

    /// Longest time from being told to stop to the end.
    private static let stopLimit = 5_000_000_000

    /// How long a batch may take, in nanoseconds: what the configuration grants one image, and for the others with it
    /// several times what images of this generation have taken so far. A first batch is granted it for each image.
    private func timeLimit(_ images: Int, _ generation: Generation) -> Int {
        let granted = Int(configuration.limits.seconds * 1e9)
        let others = min(granted, generation.slowestImage.map { $0 * 8 } ?? granted) * (images - 1)
        return granted + others + 1_000_000_000
    }

    private var workerStart: WorkerStart {
        WorkerStart(
            model: nil, plugins: configuration.pluginFolders,
            limits: WorkerLimits(
                bytes: configuration.limits.file, side: configuration.limits.side,
                pixels: configuration.limits.pixels, memory: configuration.limits.memory),
            batch: configuration.batch, tta: configuration.tta.flatMap(TestTimeAugmentation.init(rawValue:)))
    }

    func startWorker(of generation: Generation) {
        var start = workerStart
        start.model = generation.folder
        do {
            let worker = try Worker(start: start, executable: workerExecutable, idle: generation.phase == .starting)
            generation.workers.append(worker)
        } catch {
            noteFailedStart(of: generation, "\(error)", .busy)
        }
    }

    /// A worker has loaded, proved and locked itself.
    func started(_ worker: Worker, _ hello: WorkerHello, of generation: Generation) {
        if let problem = generation.accept(hello) { return lose(worker, of: generation, because: problem) }
        worker.state = .serving
        generation.failedStarts = 0
        log.info(
            "worker \(worker.pid) serves \(generation.identifier) (generation \(generation.number); \(hello.sandbox))")
        if !hello.sandboxGaps.isEmpty, generation.workers.count == 1 {
            log.warning("the sandbox is incomplete on this kernel: \(hello.sandboxGaps.joined(separator: "; "))")
        }
    }

    /// A worker has ended, or must be ended. What it had goes back into the queue; the batch it was working on is
    /// suspected of having caused it: its images are tried again one by one, and one that ends a worker alone fails.
    ///
    /// - Parameters:
    ///   - reason: nil where the process ended without a word.
    ///   - isLate: it did not end, and was ended for its slowness.
    func lose(_ worker: Worker, of generation: Generation, because reason: String?, isLate: Bool = false) {
        generation.workers.removeAll { $0 === worker }
        let (ending, batches) = worker.end()
        if worker.state == .stopping { return }
        let what = reason.map { "\($0) (\(ending))" } ?? "\(ending)"
        if worker.state == .starting {
            // Ended by the system, which lacks memory, or slow on a busy machine: the model may be sound.
            let isPassing = isLate || reason == nil && ending == .killed(signal: SIGKILL)
            return noteFailedStart(of: generation, what, isPassing ? .busy : nil)
        }

        log.error("worker \(worker.pid) of \(generation.identifier) is lost: \(what)")
        history.note("worker lost", "worker \(worker.pid) of \(generation.identifier): \(what)")
        if countsAgainstModel(batches.first) { generation.health.noteLoss(at: monotonicNanoseconds()) }
        if let current = batches.first { suspect(current.items, what, generation) }
        queue.prepend(contentsOf: batches.dropFirst().flatMap(\.items))
    }

    /// Whether a lost worker says something of the model, rather than of an image that was tried alone, or of what a client
    /// sent and sees fail.
    private func countsAgainstModel(_ batch: Worker.Batch?) -> Bool {
        guard let items = batch?.items else { return true }
        if items.count == 1, items[0].isSuspect { return false }
        return items.contains { if case .spool = $0.source { true } else { false } }
    }

    private func suspect(_ items: [Item], _ what: String, _ generation: Generation) {
        for var item in items {
            item.attempts += 1
            history.note(
                "worker lost", "\(what), with this image in its batch of \(items.count)", image: item.id.description)
            if item.isSuspect && items.count == 1 {
                item.ending = what
                if !setAside(item, generation) { convict(item, generation) }
            } else {
                item.isSuspect = true
                suspects.append(item)
            }
        }
    }

    /// The image is at fault.
    func convict(_ item: Item, _ generation: Generation) {
        if let last = lastSwap, last.cause != nil, let left = last.old, generation === serving {
            let advice = "'foveactl model swap \(left)' lets the newer model serve again"
            log.error(
                "\(item.file.escaped) ends workers of \(generation.identifier) as well, so it is at fault: \(advice)")
        }
        decide(
            item,
            failure: WorkerFault(
                code: WorkerFault.lost,
                text: "The worker process ended while it had this image alone: \(item.ending). "
                    + "It was tried \(item.attempts) times."), generation)
    }

    private func noteFailedStart(of generation: Generation, _ what: String, _ kind: SwapReceipt.Refusal?) {
        generation.failedStarts += 1
        let wait = min(60, 1 << min(generation.failedStarts - 1, 6))
        generation.nextStart = monotonicNanoseconds() + wait * 1_000_000_000
        if let swap, swap.new === generation {
            refuse(swap, what, kind)
        } else {
            log.error("a worker of \(generation.identifier) did not start: \(what); next try in \(wait) s")
            generation.health.noteLoss(at: monotonicNanoseconds())
        }
    }

    /// Ends the idle priority, and the workers that are over their time.
    func checkDeadlines() {
        let now = monotonicNanoseconds()
        for generation in generations {
            for worker in generation.workers {
                if let until = worker.idleUntil, now >= until { worker.wakeFromIdle() }
                let limit: Int
                switch (worker.state, worker.batches.first) {
                case (.starting, _): limit = Self.startLimit
                case (.stopping, _): limit = Self.stopLimit
                case (.serving, let batch?): limit = timeLimit(batch.items.count, generation)
                default: continue
                }
                guard now - worker.since > limit else { continue }
                lose(
                    worker, of: generation, because: "no answer within \(limit / 1_000_000_000) s", isLate: true)
            }
        }
    }

    /// Keeps each generation at its number of workers, and lets those that are replaced go.
    func advanceGenerations() {
        let now = monotonicNanoseconds()
        for generation in generations {
            switch generation.phase {
            case .starting:
                // The first worker proves the model before the others load it.
                let wanted = generation.hello == nil ? 1 : workerCount
                while generation.phase == .starting, generation.workers.count < wanted { startWorker(of: generation) }
                if generation.phase == .starting, generation.servingWorkers == workerCount { switchTo(generation) }
            case .serving:
                if mode != .stopping, generation.workers.count < workerCount, now >= generation.nextStart {
                    startWorker(of: generation)
                }
            case .draining:
                for worker in generation.workers where worker.batches.isEmpty && worker.state != .stopping {
                    worker.stop()
                }
                if generation.workers.isEmpty { generation.phase = .ended }
            case .ended: break
            }
        }
        if let swap { advance(swap) }
        generations.removeAll { $0.phase == .ended }
    }
}
