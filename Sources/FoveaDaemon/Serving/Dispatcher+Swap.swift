// Replacing the serving generation.
//
//     begin ─ find the model ─ first worker: load, warm up, golden set ─ the others ─ switch ─ drain the old ─ receipt
//       └────────┴───────────────┴──────────────────────────────────────┴── refused: the old one serves on
//
// There is no other way to change a model, its chain or its plugins, and the first model takes the same way.

import FoveaControl
import FoveaHistory
import FoveaModels
import FoveaSystem
import Glibc
import SystemPackage

/// A swap under way.
final class Swap {
    let new: Generation
    /// nil for the first model.
    let old: Generation?
    var receipt: SwapReceipt
    /// Clients that wait for the receipt.
    let reply: OneShot<SwapReceipt>?
    /// Monotonic nanoseconds of the switch.
    var switchedAt: Int?
    /// The daemon goes back by itself: what it leaves is nothing to go back to, and no measure.
    var isRollback: Bool { receipt.cause != nil }
    /// Somebody goes back.
    let goesBack: Bool
    /// Until the new model serves, and is on record as the active one if that could be written.
    let lock: StoreLock?

    init(
        new: Generation, old: Generation?, receipt: SwapReceipt, goesBack: Bool = false, lock: StoreLock?,
        reply: OneShot<SwapReceipt>?
    ) {
        self.goesBack = goesBack
        self.lock = lock
        self.new = new
        self.old = old
        self.receipt = receipt
        self.reply = reply
    }
}

extension Dispatcher {
    /// Begins to replace the serving generation.
    ///
    /// - Parameters:
    ///   - reference: `NAME` or `NAME@VERSION`.
    ///   - cause: why the daemon goes back by itself; nil where somebody asked for it.
    ///   - goesBack: somebody leaves the model that serves.
    ///   - reply: is set in every case.
    func beginSwap(
        to reference: String, cause: String? = nil, goesBack: Bool = false, reply: OneShot<SwapReceipt>?
    ) {
        var receipt = SwapReceipt(outcome: .refused, old: serving?.identity)
        receipt.cause = cause
        do throws(ModelError) {
            let lock = try store.lock()
            let model = try store.resolve(reference)
            receipt.new = ModelIdentity(name: model.identifier.name, version: model.identifier.version, sha256: "")
            guard swap == nil, mode != .stopping else {
                receipt.reason =
                    swap.map { "another swap, to \($0.new.identifier), is under way; try again" }
                    ?? "the daemon is stopping"
                receipt.refusal = .busy
                reply?.set(receipt)
                return
            }
            // What is active or was so before is not removed, so a start and a way back need not wait for anybody.
            guard lock != nil || serving == nil || cause != nil || goesBack else {
                receipt.reason = "a model is being removed; try again"
                receipt.refusal = .busy
                reply?.set(receipt)
                return
            }
            receipt.memoryBefore = memoryInUse
            let generation = Generation(number: nextGeneration, identifier: model.identifier, folder: model.folder)
            nextGeneration += 1
            generations.append(generation)
            swap = Swap(
                new: generation, old: serving, receipt: receipt, goesBack: goesBack, lock: lock, reply: reply)
            log.notice("swap to \(model.identifier) begins")
        } catch {
            receipt.reason = "\(error)"
            finish(receipt, reply)
            if serving == nil { tryNextCandidate("\(error)") }
        }
    }

    /// Begins to serve with the first of `candidates` that can.
    ///
    /// - Parameter reason: why the one before could not.
    func tryNextCandidate(_ reason: String?) {
        guard mode != .stopping else { return }
        guard !candidates.isEmpty else {
            startFailure = reason
            return
        }
        let next = candidates.removeFirst()
        if let reason { log.error("\(reason). \(next) is tried instead; see 'foveactl model list'") }
        beginSwap(to: next, reply: nil)
    }

    /// Goes back to the model that served before the active one.
    func beginRollback(reply: OneShot<SwapReceipt>) {
        do throws(ModelError) {
            guard let previous = try ActiveModel.read(configuration.activeFile)?.previous else {
                reply.set(
                    SwapReceipt(
                        outcome: .refused, reason: "there is no model to go back to: none was active before",
                        old: serving?.identity))
                return
            }
            beginSwap(to: "\(previous.name)@\(previous.version)", goesBack: true, reply: reply)
        } catch {
            reply.set(SwapReceipt(outcome: .refused, reason: "\(error)", old: serving?.identity))
        }
    }

    /// All workers of the new generation are ready: from the next batch on they serve.
    func switchTo(_ generation: Generation) {
        guard let swap, swap.new === generation, let identity = generation.identity else { return }
        do throws(ModelError) {
            let entry = ActiveModel.Entry(generation.identifier, sha256: identity.sha256)
            let before = try? ActiveModel.read(configuration.activeFile)
            if before?.active != entry {
                // At a start another model than the active one serves only because that one cannot.
                var previous = swap.old == nil ? before?.previous : before?.active
                if previous == entry || swap.isRollback { previous = nil }
                try ActiveModel(
                    active: entry, previous: previous, isPreviousLeft: swap.goesBack,
                    usualConfidence: swap.isRollback ? nil : swap.old.flatMap(usualConfidence)
                ).write(configuration.activeFile)
            }
        } catch {
            // A swap that a restart would undo is none. At a start there is nothing to keep: better served than not.
            guard swap.old == nil else { return refuse(swap, "\(error)", .busy) }
            log.error("\(generation.identifier) serves, but that is not on record: \(error)")
        }
        swap.lock?.release()
        for warning in settingsWithoutEffect(on: generation) { log.warning("\(warning)") }
        for worker in generation.workers { worker.wakeFromIdle() }
        generation.phase = .serving
        serving = generation
        generation.health.usualConfidence = (try? ActiveModel.read(configuration.activeFile))?.usualConfidence
        releaseSetAside(to: generation)
        if swap.isRollback, let left = swap.receipt.old { retryImagesLost(by: left) }
        swap.old?.phase = .draining
        swap.switchedAt = monotonicNanoseconds()
        swap.receipt.outcome = .switched
        swap.receipt.new = identity
        swap.receipt.switchedAt = .now()
        swap.receipt.drainedImages = swap.old?.imagesInFlight ?? 0
        swap.receipt.loadMs = generation.timings.load
        swap.receipt.warmUpMs = generation.timings.warmUp
        swap.receipt.goldenMs = generation.timings.golden
        swap.receipt.goldenDifference = generation.hello?.goldenDifference
    }

    /// The mean confidence of a generation's last images; of its model's where this process has seen too few.
    private func usualConfidence(of generation: Generation) -> Double? {
        generation.health.meanConfidence
            ?? HistoryReader.usualConfidence(of: "\(generation.identifier)", state: configuration.state)
    }

    /// Finishes the receipt when the old generation is gone and the new one has shown its first result, if there is
    /// any work for it.
    func advance(_ swap: Swap) {
        guard let switchedAt = swap.switchedAt, swap.old.map({ $0.phase == .ended }) ?? true else { return }
        let hasWork = swap.new.imagesInFlight > 0 || !queue.isEmpty
        let waited = monotonicNanoseconds() - switchedAt
        guard swap.new.firstImage != nil || !hasWork || waited > 10_000_000_000 else { return }
        conclude(swap)
    }

    /// Gives the receipt of a swap that has switched.
    func conclude(_ swap: Swap) {
        swap.receipt.lastOnOld = swap.old?.lastImage
        swap.receipt.firstOnNew = swap.new.firstImage
        swap.receipt.memoryAfter = memoryInUse
        self.swap = nil
        finish(swap.receipt, swap.reply)
    }

    /// The new generation does not serve and never will; the old one has not noticed anything.
    ///
    /// - Parameter kind: nil where the model is at fault.
    func refuse(_ swap: Swap, _ reason: String, _ kind: SwapReceipt.Refusal?) {
        self.swap = nil
        swap.lock?.release()
        swap.receipt.outcome = .refused
        swap.receipt.refusal = kind
        swap.receipt.reason = reason
        for worker in swap.new.workers { _ = worker.end() }
        swap.new.workers = []
        swap.new.phase = .ended
        finish(swap.receipt, swap.reply)
        if serving == nil { tryNextCandidate(reason) } else if swap.isRollback { releaseSetAside(to: nil) }
    }

    private func finish(_ receipt: SwapReceipt, _ reply: OneShot<SwapReceipt>?) {
        remember(receipt)
        let names = "\(receipt.old.map { "\($0)" } ?? "nothing") → \(receipt.new.map { "\($0)" } ?? "?")"
        switch receipt.outcome {
        case .switched:
            let load = Int(receipt.loadMs ?? 0), golden = Int(receipt.goldenMs ?? 0)
            log.notice(
                "swap \(names): switched; load \(load) ms, golden \(golden) ms, drained \(receipt.drainedImages)")
            history.note("swap", "\(names): switched", time: receipt.switchedAt ?? .now())
            if receipt.old == nil {
                log.notice(
                    "serving: images dropped into \(configuration.inbox.escaped) go to \(configuration.outbox.escaped)")
            }
        case .refused:
            log.error("swap \(names): refused: \(receipt.reason ?? "")")
            history.note("swap", "\(names): refused: \(receipt.reason ?? "")")
        }
        reply?.set(receipt)
    }

    /// A start is no swap: if the model serves that the last one led to, it is that one which is told of.
    private func remember(_ receipt: SwapReceipt) {
        let isRestart = receipt.old == nil && receipt.outcome == .switched
        if isRestart, let last = lastSwap, last.outcome == .switched, last.new == receipt.new { return }
        lastSwap = receipt
        guard !isRestart else { return }
        do {
            try Files.replace(configuration.lastSwapFile, with: JSONText.pretty(receipt))
        } catch {
            log.warning("the receipt of the swap is not kept: \(error)")
        }
    }

    /// Resident bytes of this process and all workers.
    private var memoryInUse: Int {
        residentMemory(of: getpid()) + generations.flatMap(\.workers).reduce(0) { $0 + $1.residentBytes }
    }
}
