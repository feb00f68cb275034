import Glibc
import Synchronization

/// A value that one thread hands to another that waits for it, once. Later values are ignored.
final class OneShot<Value: Sendable>: @unchecked Sendable {
    // @unchecked: a sem_t may be used from any thread; the value is behind the mutex.
    private let value = Mutex<Value?>(nil)
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() { sem_init(semaphore, 0, 0) }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    /// Sets the value and wakes the one that waits.
    func set(_ new: Value) {
        let isFirst = value.withLock { value in
            guard value == nil else { return false }
            value = new
            return true
        }
        if isFirst { sem_post(semaphore) }
    }

    /// Blocks until the value is there; nil after so many seconds.
    func wait(seconds: Int) -> Value? {
        var deadline = timespec()
        clock_gettime(CLOCK_REALTIME, &deadline)
        deadline.tv_sec += seconds
        while sem_timedwait(semaphore, &deadline) != 0 {
            if errno != EINTR { return nil }
        }
        return value.withLock { $0 }
    }
}
