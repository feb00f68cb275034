// The dispatcher: one thread that owns all that changes.
//
//        inbox's thread ──events──┐
//        control's threads ─jobs──┤   ┌───────────────────────────────── loop ──────────────────────────────────┐
//                                 └──▶│ events → settle → claim → dispatch → poll → answers → commit → publish    │
//        workers' sockets ───────────▶│                                                                          │
//                                     └──────────────▶ history's thread, watchers' streams ◀──────────────────────┘
//
// One thread, because everything here is a question of order: an image is taken, sent, answered, committed and
// published one after the other, and a swap falls between two batches. There are no locks to hold in the right order
// and no half-finished states to see. What could block it does not belong here: images are read by workers, the
// history is written by its own thread, clients are served by theirs. It blocks in poll(2) and, once for all batches
// that have arrived, in fdatasync(2), while each worker still has a second batch to work on.
//
// This file has the state and the loop. Dispatcher+Intake takes images and sends them, Dispatcher+Results brings
// answers to disk, Dispatcher+Workers deals with processes, Dispatcher+Swap replaces generations, Dispatcher+Rollback
// judges the model that serves, Dispatcher+Queue and Dispatcher+Status answer people.

import FoveaControl
import FoveaHistory
import FoveaModels
import FoveaPipeline
import FoveaSystem
import Glibc
import Logging
import Synchronization
import SystemPackage

/// What other threads leave for the dispatcher. Safe from any thread.
final class Mailbox: Sendable {
    private struct State {
        var events: [InboxEvent] = []
        var jobs: [@Sendable (Dispatcher) -> Void] = []
    }

    private let state = Mutex(State())
    let wakeUp: WakeUp

    init() throws(SystemError) { wakeUp = try WakeUp() }

    func post(_ events: [InboxEvent]) {
        state.withLock { $0.events += events }
        wakeUp.wake()
    }

    /// Runs `job` on the dispatcher's thread.
    func run(_ job: @escaping @Sendable (Dispatcher) -> Void) {
        state.withLock { $0.jobs.append(job) }
        wakeUp.wake()
    }

    fileprivate func take() -> ([InboxEvent], [@Sendable (Dispatcher) -> Void]) {
        wakeUp.clear()
        return state.withLock { state in
            defer { state = State() }
            return (state.events, state.jobs)
        }
    }
}

/// See the head of this file. Made and used on one thread; `Mailbox` is the way in.
final class Dispatcher {
    enum Mode: Equatable { case running, paused, stopping }

    let configuration: Configuration
    let store: ModelStore
    let ledger: Ledger
    let history: History
    let watchers: Watchers
    let mailbox: Mailbox
    let log: Logger
    let watcher: InboxWatcher
    let since = Timestamp.now()
    let started = monotonicNanoseconds()
    let workerCount: Int
    let workerExecutable: FilePath

    var mode = Mode.running
    /// Clients that wait until nothing is left to do, each with the number of images published when it asked.
    var drains: [Drain] = []
    var inbox: Inbox
    var ignored: [String: Int] = [:]
    var overflows = 0
    /// Taken and waiting for a worker.
    var queue = Queue<Item>()
    /// To be tried alone, before all others.
    var suspects: [Item] = []
    /// Each has ended a worker alone, and waits for what is found out about the model: Dispatcher+Rollback.
    var setAside: [(item: Item, until: Int, generation: Generation)] = []
    /// Monotonic nanoseconds before which the daemon does not go back by itself again.
    var nextRollback = 0
    /// Decided and not yet committed: normally empty between two rounds of the loop.
    var decided: [Decision] = []
    /// What is told of committed outcomes once they are published.
    var records: [DropID: Decision.Record] = [:]
    /// Outcomes that have been reported as held.
    var reportedHeld: Set<DropID> = []
    private var nextHeldTry = 0
    /// Files that could not be taken since the last report, and one of them.
    var refusals: (count: Int, example: String)?
    /// Why nothing is written or taken at the moment, and until when (monotonic) nothing is tried.
    var trouble: String?
    var retryAt = 0
    var freeSpace = Int.max

    var generations: [Generation] = []
    var serving: Generation?
    var swap: Swap?
    var lastSwap: SwapReceipt?
    var nextGeneration = 1
    var nextBatch: UInt64 = 1
    /// Models for the start, best first, that have not been tried.
    var candidates: [String]
    /// Ends the run when no model can serve.
    var startFailure: String?

    var counts = Counts()
    var meter = RateMeter()
    private var nextSecond = 0
    private var statusText: [UInt8] = []
    private var nextStatusFile = 0
    private var statusFileDue = 0
    private var stopDeadline = 0

    /// Published since the start, by how they ended.
    struct Counts {
        var published = 0
        var failed = 0
        var unsure = 0
        var unknown = 0
    }

    /// An outcome with what is told of it once it is published.
    struct Decision {
        let outcome: Outcome
        let record: Record

        enum Record {
            case result(ResultRecord)
            case error(ErrorRecord)
        }
    }

    init(
        configuration: Configuration, inbox: FilePath, ledger: Ledger, history: History, watchers: Watchers,
        mailbox: Mailbox, watcher: InboxWatcher, workerExecutable: FilePath, candidates: [String], log: Logger
    ) {
        self.configuration = configuration
        self.ledger = ledger
        self.history = history
        self.watchers = watchers
        self.mailbox = mailbox
        self.watcher = watcher
        self.candidates = candidates
        self.workerExecutable = workerExecutable
        self.log = log
        store = ModelStore(bundled: configuration.models, trained: configuration.trainedModels)
        self.inbox = Inbox(root: inbox, settle: configuration.settle.nanoseconds)
        workerCount = configuration.workers > 0 ? configuration.workers : processorCount()
        lastSwap = try? ControlClient.decode(
            Files.read(configuration.lastSwapFile, limit: 1 << 20), as: SwapReceipt.self)
    }

    // MARK: - The loop

    /// Serves until `stop` has been called and what was in flight is finished.
    ///
    /// - Returns: why it could not serve, nil after an ordinary stop.
    func run() -> String? {
        while true {
            let (events, jobs) = mailbox.take()
            for event in events { handle(event) }
            for job in jobs { job(self) }
            checkDeadlines()
            commitAndPublish()
            judgeServingModel()
            advanceGenerations()
            advanceDrains()
            if let startFailure {
                endAll()
                return startFailure
            }
            if mode == .stopping, isFinished { break }
            let now = monotonicNanoseconds()
            inbox.settle(now: now)
            if now >= nextSecond { everySecond(now) }
            takeImages(now)
            sendBatches()
            // Last, when all that follows from what is known has been done: what comes next comes from outside.
            for worker in poll() { receive(from: worker) }
        }
        endAll()
        return nil
    }

    /// Waits for something to happen.
    ///
    /// - Returns: the workers that have said something.
    private func poll() -> [Worker] {
        let workers = generations.flatMap(\.workers)
        var polled = [pollfd(fd: mailbox.wakeUp.descriptor.rawValue, events: Int16(POLLIN), revents: 0)]
        polled += workers.map { pollfd(fd: $0.client.socket.rawValue, events: Int16(POLLIN), revents: 0) }
        let now = monotonicNanoseconds()
        var until = nextSecond
        if let look = inbox.nextLook { until = min(until, look) }
        for case let wakeUp? in workers.map(\.idleUntil) { until = min(until, wakeUp) }
        // An image that failed before it reached a worker.
        if !decided.isEmpty || !ledger.unpublished.isEmpty { until = min(until, trouble == nil ? now : retryAt) }
        // More to take, and a place for it: only look at what has come meanwhile.
        if canTake(now), inbox.readyCount > 0 { until = now }
        let milliseconds = max(0, (until - now + 999_999) / 1_000_000)
        guard Glibc.poll(&polled, nfds_t(polled.count), Int32(clamping: milliseconds)) > 0 else { return [] }
        return zip(workers, polled.dropFirst()).filter { $0.1.revents != 0 }.map(\.0)
    }

    private func handle(_ event: InboxEvent) {
        switch event {
        case .file(let file, let sighting): inbox.see(file, sighting, now: monotonicNanoseconds())
        case .scanned(let ignored):
            self.ignored = ignored
            scanFinished()
        case .overflow:
            overflows += 1
            log.notice("the kernel's inotify queue overflowed; the inbox is scanned")
            history.note("overflow", "the kernel's inotify queue overflowed; the inbox was scanned")
        case .trouble(let text): log.warning("inbox: \(text)")
        }
    }

    private func everySecond(_ now: Int) {
        nextSecond = now + 1_000_000_000
        meter.tick()
        freeSpace = (try? Files.freeSpace(at: configuration.state)) ?? freeSpace
        if let outbox = try? Files.freeSpace(at: configuration.outbox) { freeSpace = min(freeSpace, outbox) }
        do throws(SystemError) {
            if decided.isEmpty { try ledger.compact() }
        } catch {
            setTrouble("\(error)")
        }
        if now >= nextHeldTry {
            nextHeldTry = now + 10_000_000_000
            ledger.retryHeld()
        }
        if let refusals {
            let what = "files of the inbox cannot be taken and are left alone for a minute, such as"
            log.warning("\(refusals.count) \(what) \(refusals.example)")
            self.refusals = nil
        }
        if now >= nextStatusFile {
            nextStatusFile = now + 5_000_000_000
            writeStatusFile(now)
        }
    }

    /// Writes `STATUS.txt` when it says something new, and every minute, so that its time shows that it is alive.
    private func writeStatusFile(_ now: Int, isLast: Bool = false) {
        let text = StatusFile.text(status(), isStopped: isLast)
        // The first line carries the time; compare what is below.
        guard now >= statusFileDue || text.dropFirst(80) != statusText.dropFirst(80)[...] else { return }
        statusFileDue = now + 60_000_000_000
        statusText = text
        let path = configuration.outbox.appending(OutboxFolder.statusFile)
        do throws(SystemError) {
            try Files.replaceUnsynced(path, with: text)
        } catch {
            log.debug("STATUS.txt: \(error)")
        }
    }

    /// Something cannot be written or taken now; nothing is lost, and it is tried again in a second.
    func setTrouble(_ text: String) {
        if trouble != text { log.error("\(text); trying again every second") }
        trouble = text
        retryAt = monotonicNanoseconds() + 1_000_000_000
    }

    func clearTrouble() {
        if let trouble { log.notice("over: \(trouble)") }
        trouble = nil
    }

    // MARK: - Stopping

    /// Takes nothing more, finishes what the workers have, and returns from `run`.
    func stop() {
        guard mode != .stopping else { return }
        mode = .stopping
        stopDeadline = monotonicNanoseconds() + 30_000_000_000
        log.notice("stopping: \(imagesInFlight) images in flight are finished, \(queue.count) wait for the next start")
        if let swap {
            if swap.switchedAt == nil { refuse(swap, "the daemon is stopping", .busy) } else { conclude(swap) }
        }
        endDrains(where: { _ in true })
    }

    private var isFinished: Bool {
        let isQuiet = imagesInFlight == 0 && decided.isEmpty && ledger.unpublished.isEmpty
        return isQuiet || monotonicNanoseconds() > stopDeadline
    }

    private func endAll() {
        for generation in generations {
            for worker in generation.workers { _ = worker.end() }
        }
        generations = []
        for item in suspects + setAside.map(\.item) { abandon(item) }
        while !queue.isEmpty { abandon(queue.removeFirst()) }
        if decided.isEmpty { try? ledger.compact(always: true) }
        writeStatusFile(monotonicNanoseconds(), isLast: true)
    }

    /// A client's image must have its answer; one in the spool is found by the next start.
    private func abandon(_ item: Item) {
        if case .request(let descriptor, let reply) = item.source {
            try? descriptor.close()
            reply.set(
                .failure(Records.error(item, WorkerFault(code: "stopping", text: "The daemon is stopping."), nil)))
        }
    }

    var imagesInFlight: Int { generations.reduce(0) { $0 + $1.imagesInFlight } }
}

extension Duration {
    var nanoseconds: Int { Int(components.seconds) * 1_000_000_000 + Int(components.attoseconds / 1_000_000_000) }
}
