import Glibc
import Synchronization

/// SIGINT and SIGTERM: the first asks the work to stop at the next good place, the second ends the process at once.
///
/// The signals are blocked in all threads and taken by sigwait(3) on a thread of their own, so that no Swift code runs
/// inside a signal handler.
package enum Interruption {
    private static let requested = Atomic<Int32>(0)

    /// The signal that asked to stop, nil where none has.
    package static var signal: Int32? {
        let number = requested.load(ordering: .acquiring)
        return number == 0 ? nil : number
    }

    /// Begins to listen. Call before other threads start, which inherit the mask.
    package static func install() {
        // A pipe's reader that is gone becomes an error of write(2).
        Glibc.signal(SIGPIPE, SIG_IGN)
        // A shell starts background jobs with SIGINT ignored, and what is ignored never arrives at sigwait.
        Glibc.signal(SIGINT, SIG_DFL)
        Glibc.signal(SIGTERM, SIG_DFL)
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGINT)
        sigaddset(&signals, SIGTERM)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        var thread = pthread_t()
        let code = pthread_create(&thread, nil, { _ in Interruption.listen() }, nil)
        precondition(code == 0, "pthread_create failed with \(code)")
        pthread_detach(thread)
    }

    private static func listen() -> UnsafeMutableRawPointer? {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGINT)
        sigaddset(&signals, SIGTERM)
        while true {
            var number: Int32 = 0
            guard sigwait(&signals, &number) == 0 else { continue }
            let (isFirst, _) = requested.compareExchange(
                expected: 0, desired: number, ordering: .acquiringAndReleasing)
            if !isFirst { _exit(128 + number) }
            Console.message("\nStopping at the next batch; once more to stop at once.")
        }
    }
}
