import CLinux
import FoveaSystem
import Glibc
import SystemPackage

/// Work that may take all the time that nobody else wants and none that somebody does: SCHED_IDLE and nice 19 (sched(7)), the idle
/// class of disks (ioprio_set(2)).
///
/// That ranks a process among those of its own scheduling group. Where the kernel makes each session a group (sched(7), "The
/// autogroup feature"), what cron starts is a group beside the daemon's, and would get as much as that. So it takes a session for
/// itself and gives that the last rank as well. Where systemd makes the groups, `CPUWeight=` in the unit does it.
package enum IdlePriority {
    /// For the calling thread and all that it starts.
    ///
    /// - Returns: false where the process shares a session, and so a rank, with others: at a terminal, whose signals it would
    ///   lose by leaving.
    package static func enter() -> Bool {
        setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 19)
        _ = cl_set_idle(0, 1)
        _ = cl_set_io_idle()
        guard (try? Files.statusIfPresent(autogroup)) ?? nil != nil else { return true }
        guard isSessionLeader || (!hasTerminal && setsid() >= 0) else { return false }
        guard let file = try? Files.open(autogroup, O_WRONLY) else { return false }
        defer { try? file.close() }
        return (try? Files.write(Array("19".utf8), to: file, subject: autogroup.string)) != nil
    }

    private static let autogroup: FilePath = "/proc/self/autogroup"

    private static var isSessionLeader: Bool { getsid(0) == getpid() }

    /// A controlling terminal, wherever input and output go.
    private static var hasTerminal: Bool {
        guard let terminal = try? Files.open("/dev/tty", O_RDWR | O_NOCTTY) else { return false }
        try? terminal.close()
        return true
    }
}
