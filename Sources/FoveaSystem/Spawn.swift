import CLinux
import Glibc
import SystemPackage

/// A child process started by posix_spawn(3).
///
/// Not swift-subprocess: a worker asks for PDEATHSIG, which fires when the *thread* that spawned it ends, so the
/// caller chooses a permanent thread, and it wants one descriptor as its standard input and nothing else.
package struct ChildProcess: Sendable {
    package let pid: pid_t

    /// Starts `executable` (a path, not searched) with default signal dispositions. All other descriptors of this
    /// process must be close-on-exec.
    ///
    /// - Parameters:
    ///   - arguments: without the program's own name, which is put first.
    ///   - environment: `NAME=value` lines, the whole environment of the child.
    ///   - input, output, error: what becomes descriptors 0, 1 and 2; nil is /dev/null for input and output and
    ///     this process's own standard error for error.
    package init(
        executable: FilePath, arguments: [String] = [], environment: [String], input: FileDescriptor? = nil,
        output: FileDescriptor? = nil, error: FileDescriptor? = nil, ownGroup: Bool = false
    ) throws(SystemError) {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        cl_spawn_attributes(&attributes, ownGroup ? 1 : 0)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        for (target, source, flags) in [(Int32(0), input, O_RDONLY), (1, output, O_WRONLY)] {
            if let source {
                posix_spawn_file_actions_adddup2(&actions, source.rawValue, target)
            } else {
                posix_spawn_file_actions_addopen(&actions, target, "/dev/null", flags, 0)
            }
        }
        if let error { posix_spawn_file_actions_adddup2(&actions, error.rawValue, 2) }

        var argv: [UnsafeMutablePointer<CChar>?] = ([executable.string] + arguments).map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) } + [nil]
        defer { (argv + envp).forEach { free($0) } }
        var child: pid_t = 0
        let result = executable.withPlatformString { posix_spawn(&child, $0, &actions, &attributes, &argv, &envp) }
        guard result == 0 else {
            throw SystemError("posix_spawn", executable.escaped, errno: Errno(rawValue: result))
        }
        pid = child
    }

    /// kill(2).
    package func signal(_ number: Int32) { kill(pid, number) }

    /// waitpid(2): blocks until the child has ended.
    package func wait() -> Ending {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        return Ending(status)
    }

    /// waitpid(2) with WNOHANG: nil while it runs.
    package func endingIfEnded() -> Ending? {
        var status: Int32 = 0
        return waitpid(pid, &status, WNOHANG) == pid ? Ending(status) : nil
    }

    /// How a process ended.
    package enum Ending: Sendable, Equatable, CustomStringConvertible {
        case exited(Int32)
        case killed(signal: Int32)

        init(_ status: Int32) {
            let signal = status & 0x7F
            self = signal == 0 ? .exited((status >> 8) & 0xFF) : .killed(signal: signal)
        }

        package var description: String {
            switch self {
            case .exited(let code): "exited with code \(code)"
            case .killed(let signal): "killed by signal \(signal) (\(String(cString: strsignal(signal))))"
            }
        }
    }
}

/// The folder of the running program, from /proc/self/exe.
package func programDirectory() -> FilePath {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
    let length = readlink("/proc/self/exe", &buffer, Int(PATH_MAX))
    guard length > 0 else { return "." }
    return FilePath(platformString: buffer).removingLastComponent()
}
