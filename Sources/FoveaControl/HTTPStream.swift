import Glibc

/// The body of an answer that goes on: bytes put in by any thread, taken out by the connection's.
///
/// At most `limit` bytes wait. A reader that is slower than that loses whole pieces, and is told how many with a piece
/// of its own as soon as there is room; the sender never waits for it.
///
/// `@unchecked Sendable`: all state is read and written under the mutex.
package final class HTTPStream: @unchecked Sendable {
    package enum Taken {
        case bytes(Int)
        case nothing
        case end
    }

    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let limit: Int
    private let onEnd: @Sendable () -> Void
    private var waiting: [UInt8] = []
    private var taken = 0
    private var dropped = 0
    private var finished = false
    private var cancelled = false

    /// - Parameters:
    ///   - limit: bytes that may wait for a slow reader.
    ///   - onEnd: called once, when nobody reads any more; the place to take the stream out of a list of watchers.
    package init(limit: Int = 1 << 20, onEnd: @escaping @Sendable () -> Void = {}) {
        self.limit = limit
        self.onEnd = onEnd
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(changed, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(mutex)
        changed.deallocate()
        mutex.deallocate()
    }

    private func locked<Result>(_ body: () -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }

    /// Puts one piece, such as a JSON line with its newline, at the end. Never blocks.
    ///
    /// - Returns: false when nobody reads any more.
    @discardableResult
    package func send(_ piece: [UInt8]) -> Bool {
        locked {
            if cancelled || finished { return false }
            if waiting.count - taken + piece.count > limit {
                dropped += 1
            } else {
                noteDropped()
                waiting += piece
                pthread_cond_signal(changed)
            }
            return true
        }
    }

    /// Nothing more will be sent; what waits still goes out.
    package func finish() {
        locked {
            finished = true
            pthread_cond_signal(changed)
        }
    }

    /// Nobody reads any more.
    func cancel() {
        let first = locked {
            defer { cancelled = true }
            return !cancelled
        }
        if first { onEnd() }
    }

    /// Moves what waits into `buffer`; waits for the first byte at most so long.
    package func take(into buffer: UnsafeMutableRawBufferPointer, milliseconds: Int) -> Taken {
        locked {
            if waiting.count == taken, !finished { wait(milliseconds: milliseconds) }
            let count = min(buffer.count, waiting.count - taken)
            if count == 0 { return finished ? .end : .nothing }
            waiting.withUnsafeBytes { buffer.copyMemory(from: .init(rebasing: $0[taken..<taken + count])) }
            taken += count
            if taken == waiting.count {
                waiting.removeAll(keepingCapacity: true)
                taken = 0
                noteDropped()
            }
            return .bytes(count)
        }
    }

    private func noteDropped() {
        if dropped == 0 { return }
        waiting += Array("{\"schema\":\"fovea.gap/1\",\"dropped\":\(dropped)}\n".utf8)
        dropped = 0
    }

    private func wait(milliseconds: Int) {
        var until = timespec()
        clock_gettime(CLOCK_MONOTONIC, &until)
        let nanoseconds = until.tv_nsec + milliseconds * 1_000_000
        until.tv_sec += nanoseconds / 1_000_000_000
        until.tv_nsec = nanoseconds % 1_000_000_000
        while waiting.count == taken, !finished {
            if pthread_cond_timedwait(changed, mutex, &until) == ETIMEDOUT { return }
        }
    }
}
