import CLinux
import Glibc

/// Work that may take all the time that nobody else wants and none that somebody does: SCHED_IDLE (sched(7)), nice 19
/// for systems that schedule by groups, and the idle class of disks (ioprio_set(2)).
enum IdlePriority {
    /// For the calling thread and all that it starts.
    static func enter() {
        setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 19)
        _ = cl_set_idle(0, 1)
        _ = cl_set_io_idle()
    }
}
