import CLinux
import Glibc

/// Processors that this process may use: fewer than there are where it is bound to some of them.
package func processorCount() -> Int {
    let allowed = Int(cl_processors())
    return allowed > 0 ? allowed : max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
}

/// As many threads as were asked for; one for each processor where none, or 0, were.
package func threadCount(_ asked: Int?) -> Int { asked.flatMap { $0 == 0 ? nil : $0 } ?? processorCount() }
