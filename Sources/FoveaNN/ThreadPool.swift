import CKernels
import FoveaSystem
import Glibc
import Synchronization
import SystemPackage

/// The engine's own threads.
///
/// Work is cut into as many parts as there are threads, always in the same way, so that the same number of threads
/// gives the same bits. Part 0 runs on the calling thread; a pool of one has no threads at all, which is what a
/// sandboxed worker needs.
///
/// Layers of a small batch take some microseconds, waking a thread takes fifty: whoever waits looks again and again for
/// a while before it sleeps.
///
/// `@unchecked Sendable`: `body` is written before `round` goes up and alive while `run` waits; the rest is atomic or used
/// under `mutex`.
package final class ThreadPool: @unchecked Sendable {
    package let threads: Int
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let wake = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let done = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var body: ((Int) -> Void)?
    private let round = Atomic<Int>(0)
    private let pending = Atomic<Int>(0)
    private let stopping = Atomic<Bool>(false)
    /// Threads that sleep, and whether the caller of `run` does.
    private let sleepers = Atomic<Int>(0)
    private let callerSleeps = Atomic<Bool>(false)
    private var handles: [pthread_t] = []

    /// Looks before going to sleep: some tens of microseconds.
    private static let looks = 1500

    private final class Start {
        let pool: State
        let index: Int
        init(_ pool: State, _ index: Int) { (self.pool, self.index) = (pool, index) }
    }
    private typealias State = Unmanaged<ThreadPool>

    /// - Throws: `SystemError` where the system gives no more threads.
    package init(threads: Int) throws(SystemError) {
        precondition(threads > 0, "a thread pool needs a thread")
        self.threads = threads
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(wake, nil)
        pthread_cond_init(done, nil)
        for index in 1..<max(1, threads) {
            var handle = pthread_t()
            // Unretained: the threads end in deinit, before the pool goes.
            let start = Unmanaged.passRetained(Start(Unmanaged.passUnretained(self), index))
            let code = pthread_create(&handle, nil, threadMain, start.toOpaque())
            guard code == 0 else {
                start.release()
                throw SystemError("pthread_create", "thread \(index + 1) of \(threads)", errno: Errno(rawValue: code))
            }
            handles.append(handle)
        }
    }

    deinit {
        stopping.store(true, ordering: .sequentiallyConsistent)
        pthread_mutex_lock(mutex)
        pthread_cond_broadcast(wake)
        pthread_mutex_unlock(mutex)
        for handle in handles { pthread_join(handle, nil) }
        pthread_cond_destroy(wake)
        pthread_cond_destroy(done)
        pthread_mutex_destroy(mutex)
        wake.deallocate()
        done.deallocate()
        mutex.deallocate()
    }

    /// Calls `body` once per thread with the thread's index, and returns when all calls have.
    package func run(_ body: (Int) -> Void) {
        guard threads > 1 else { return body(0) }
        withoutActuallyEscaping(body) { body in
            self.body = body
            pending.store(threads - 1, ordering: .relaxed)
            round.add(1, ordering: .sequentiallyConsistent)
            if sleepers.load(ordering: .sequentiallyConsistent) > 0 {
                pthread_mutex_lock(mutex)
                pthread_cond_broadcast(wake)
                pthread_mutex_unlock(mutex)
            }
            body(0)
            let isDone = { self.pending.load(ordering: .sequentiallyConsistent) == 0 }
            if !Self.looksUntil(isDone) {
                pthread_mutex_lock(mutex)
                callerSleeps.store(true, ordering: .sequentiallyConsistent)
                while !isDone() { pthread_cond_wait(done, mutex) }
                callerSleeps.store(false, ordering: .sequentiallyConsistent)
                pthread_mutex_unlock(mutex)
            }
            self.body = nil
        }
    }

    /// Cuts `0..<count` into one range per thread, on multiples of `grain`, and calls `body(thread, range)` for all
    /// of them, empty ones too.
    package func split(_ count: Int, grain: Int = 1, _ body: (Int, Range<Int>) -> Void) {
        let units = (count + grain - 1) / grain
        run { thread in
            let first = min(count, units * thread / threads * grain)
            let last = min(count, units * (thread + 1) / threads * grain)
            body(thread, first..<last)
        }
    }

    private static func looksUntil(_ condition: () -> Bool) -> Bool {
        for _ in 0..<looks {
            if condition() { return true }
            ck_pause()
        }
        return false
    }

    private func loop(_ index: Int) {
        var seen = 0
        while true {
            let hasWork = {
                self.round.load(ordering: .sequentiallyConsistent) != seen
                    || self.stopping.load(ordering: .sequentiallyConsistent)
            }
            if !Self.looksUntil(hasWork) {
                // Counted before the last look: `run` raises `round` before it looks for sleepers.
                pthread_mutex_lock(mutex)
                sleepers.add(1, ordering: .sequentiallyConsistent)
                while !hasWork() { pthread_cond_wait(wake, mutex) }
                sleepers.subtract(1, ordering: .sequentiallyConsistent)
                pthread_mutex_unlock(mutex)
            }
            if stopping.load(ordering: .sequentiallyConsistent) { return }
            seen += 1
            body?(index)
            if pending.subtract(1, ordering: .sequentiallyConsistent).newValue == 0,
                callerSleeps.load(ordering: .sequentiallyConsistent)
            {
                pthread_mutex_lock(mutex)
                pthread_cond_signal(done)
                pthread_mutex_unlock(mutex)
            }
        }
    }

    fileprivate static func begin(_ argument: UnsafeMutableRawPointer?) {
        guard let argument else { return }
        let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
        start.pool._withUnsafeGuaranteedRef { $0.loop(start.index) }
    }
}

private func threadMain(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    ThreadPool.begin(argument)
    return nil
}
