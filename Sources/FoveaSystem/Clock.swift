import Glibc

/// CLOCK_MONOTONIC in nanoseconds: for durations and deadlines; it stands still for no clock change.
package func monotonicNanoseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}
