import FoveaSystem
import Glibc
import Synchronization
import Testing

@Suite struct ParallelTests {
    @Test(arguments: [0, 1, 2, 1000])
    func callsOnceWithEachIndex(_ count: Int) {
        let seen = Mutex<[Int]>([])
        Parallel.forEach(count) { index in seen.withLock { $0.append(index) } }
        #expect(seen.withLock { $0.sorted() } == Array(0..<count))
    }

    /// Each thread has the nice value of the one that calls.
    @Test func keepsTheCallersPriority() {
        let own = getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0)
        let others = Mutex<Set<Int32>>([])
        Parallel.forEach(64) { _ in
            let nice = getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0)
            usleep(1000)
            others.withLock { _ = $0.insert(nice) }
        }
        #expect(others.withLock { $0 } == [own])
    }
}
