import CLinux
import FoveaPipeline
import FoveaSystem
import Glibc
import SystemPackage

/// A worker process as the dispatcher sees it. Used by the dispatcher's thread only.
final class Worker {
    enum State: Equatable {
        /// Loading, warming up, passing its golden set, giving up its rights.
        case starting
        case serving
        /// It was told to stop, or has nothing more to say; its end is awaited.
        case stopping
    }

    /// Images sent together.
    struct Batch {
        let number: UInt64
        var items: [Item]
    }

    let client: WorkerClient
    var state = State.starting
    /// Sent and not answered, oldest first. The worker works on the first one.
    private(set) var batches: [Batch] = []
    /// Monotonic nanoseconds since when the first batch is its turn; for `.starting`, since it was spawned.
    private(set) var since = monotonicNanoseconds()
    private(set) var batchCount = 0
    private(set) var imageCount = 0
    private(set) var isIdlePriority: Bool

    /// Batches in flight, so that a worker never waits for its next one.
    static let depth = 2

    /// Spawns the process; on the dispatcher's thread, whose end would end it.
    init(start: WorkerStart, executable: FilePath, idle: Bool) throws {
        client = try WorkerClient(start: start, executable: executable)
        isIdlePriority = idle && mayReturnFromIdle() && cl_set_idle(client.process.pid, 1) == 0
    }

    var pid: pid_t { client.process.pid }
    var hasRoom: Bool { state == .serving && batches.count < Self.depth }
    var imagesInFlight: Int { batches.reduce(0) { $0 + $1.items.count } }

    /// To the priority of one that serves.
    func wakeFromIdle() {
        if isIdlePriority { cl_set_idle(pid, 0) }
        isIdlePriority = false
    }

    /// How long a worker loads at idle priority, in nanoseconds. On a machine with a moment to spare it is ready by
    /// then; on a saturated one it would starve: ten seconds for what takes an eighth of a second of processor time.
    private static let idleLimit = 250_000_000

    /// When it gets the priority of the others, ready or not (monotonic nanoseconds); nil when it has it.
    var idleUntil: Int? { isIdlePriority ? since + Self.idleLimit : nil }

    func send(_ batch: Batch, descriptors: [FileDescriptor]) throws {
        let images = zip(batch.items.indices, descriptors).map { WorkerImage(id: UInt64($0), descriptor: $1) }
        try client.send(.classify(batch: batch.number, images: images))
        if batches.isEmpty { since = monotonicNanoseconds() }
        batches.append(batch)
        batchCount += 1
        imageCount += batch.items.count
    }

    /// Asks it to end.
    func stop() {
        state = .stopping
        since = monotonicNanoseconds()
        try? client.send(.stop)
    }

    /// Takes the batch that was answered.
    func finish(_ number: UInt64) -> Batch? {
        guard let index = batches.firstIndex(where: { $0.number == number }) else { return nil }
        since = monotonicNanoseconds()
        return batches.remove(at: index)
    }

    /// Ends the process, if it has not ended, and gives back what it had.
    func end() -> (ChildProcess.Ending, [Batch]) {
        defer { batches = [] }
        return (client.end(), batches)
    }

    /// Resident bytes, from /proc.
    var residentBytes: Int { residentMemory(of: pid) }
}

/// Whether a process of ours that went to SCHED_IDLE could come back: sched(7) asks for CAP_SYS_NICE, or an RLIMIT_NICE
/// that allows its nice value. Where it could not, workers start at normal priority.
private func mayReturnFromIdle() -> Bool {
    if geteuid() == 0 { return true }
    var limit = rlimit()
    return getrlimit(__rlimit_resource_t(13), &limit) == 0 && limit.rlim_cur >= 20
}
