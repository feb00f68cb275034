import Glibc

/// The engine's own threads.
///
/// Work is cut into as many parts as there are threads, always in the same way, so that the same number of threads
/// gives the same bits. Part 0 runs on the calling thread; a pool of one has no threads at all, which is what a
/// sandboxed worker needs.
///
/// `@unchecked Sendable`: everything mutable is read and written under `mutex`; `body` is alive while `run` waits.
package final class ThreadPool: @unchecked Sendable {
    package let threads: Int
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let wake = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let done = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var body: ((Int) -> Void)?
    private var round = 0
    private var pending = 0
    private var stopping = false
    private var handles: [pthread_t] = []

    private final class Start {
        let pool: State
        let index: Int
        init(_ pool: State, _ index: Int) { (self.pool, self.index) = (pool, index) }
    }
    private typealias State = Unmanaged<ThreadPool>

    package init(threads: Int) {
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
            precondition(code == 0, "pthread_create failed with \(code)")
            handles.append(handle)
        }
    }

    deinit {
        pthread_mutex_lock(mutex)
        stopping = true
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
            pthread_mutex_lock(mutex)
            self.body = body
            round += 1
            pending = threads - 1
            pthread_cond_broadcast(wake)
            pthread_mutex_unlock(mutex)
            body(0)
            pthread_mutex_lock(mutex)
            while pending > 0 { pthread_cond_wait(done, mutex) }
            self.body = nil
            pthread_mutex_unlock(mutex)
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

    private func loop(_ index: Int) {
        var seen = 0
        pthread_mutex_lock(mutex)
        while true {
            while round == seen && !stopping { pthread_cond_wait(wake, mutex) }
            if stopping { break }
            seen = round
            let work = body
            pthread_mutex_unlock(mutex)
            work?(index)
            pthread_mutex_lock(mutex)
            pending -= 1
            if pending == 0 { pthread_cond_signal(done) }
        }
        pthread_mutex_unlock(mutex)
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
