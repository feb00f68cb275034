import Glibc
import Synchronization

// Threads of its own, not libdispatch's: that gives its threads a priority by their quality of service, and a retraining that
// shall take only what nobody else wants would decode its pictures at the priority of a user at the screen.

/// Work on many things at once.
package enum Parallel {
    /// Calls `body` once with each index, on as many threads as there are processors, and returns when all calls have. The
    /// threads have the caller's priority. Where the system gives fewer, those that there are do the work.
    package static func forEach(_ count: Int, _ body: @Sendable (Int) -> Void) {
        let processors = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        guard count > 1, processors > 1 else { return (0..<count).forEach(body) }
        withoutActuallyEscaping(body) { body in
            let work = Work(count: count, body: body)
            var handles: [pthread_t] = []
            for _ in 1..<min(processors, count) {
                var handle = pthread_t()
                let argument = Unmanaged.passRetained(work)
                let code = pthread_create(
                    &handle, nil,
                    { argument in
                        Unmanaged<Work>.fromOpaque(argument!).takeRetainedValue().run()
                        return nil
                    }, argument.toOpaque())
                guard code == 0 else {
                    argument.release()
                    break
                }
                handles.append(handle)
            }
            work.run()
            for handle in handles { pthread_join(handle, nil) }
        }
    }

    private final class Work: Sendable {
        private let next = Atomic<Int>(0)
        private let count: Int
        private let body: @Sendable (Int) -> Void

        init(count: Int, body: @escaping @Sendable (Int) -> Void) { (self.count, self.body) = (count, body) }

        func run() {
            while true {
                let index = next.add(1, ordering: .relaxed).oldValue
                guard index < count else { return }
                body(index)
            }
        }
    }
}
