/// What the exit code of a program means, after sysexits(3). docs/operations.md explains each to the person who reads it.
///
/// All programs use this one table, so that a script need not know which of them has failed.
package enum ExitStatus: Int32, CaseIterable, Sendable {
    case success = 0
    /// EX_USAGE: wrong arguments, or a name that cannot be one.
    case usage = 64
    /// EX_DATAERR: bad data, such as an image, a plugin, a model or a checkpoint.
    case data = 65
    /// EX_NOINPUT: no such model, data set, image or file.
    case noInput = 66
    /// EX_UNAVAILABLE: no daemon at the socket.
    case unavailable = 69
    /// EX_SOFTWARE: a fault inside Fovea.
    case software = 70
    /// EX_OSERR: the system refused something that a program cannot do without.
    case system = 71
    /// EX_CANTCREAT: there is one of that name already, or a folder or socket cannot be made.
    case cannotCreate = 73
    /// EX_IOERR: a file cannot be read or written.
    case inputOutput = 74
    /// EX_TEMPFAIL: not now; the same command may succeed later.
    case tryAgain = 75
    /// EX_NOPERM: no permission, or a model or data set that must stay.
    case noPermission = 77
    /// EX_CONFIG: the configuration is at fault.
    case configuration = 78

    /// In a few words, for `--help`.
    package var meaning: String {
        switch self {
        case .success: "done"
        case .usage: "wrong arguments"
        case .data: "bad data"
        case .noInput: "no such model, data set, plugin, image or file"
        case .unavailable: "no daemon at the socket"
        case .software: "a fault inside Fovea"
        case .system: "the system refused something that a program cannot do without"
        case .cannotCreate: "there is one of that name already"
        case .inputOutput: "a file cannot be read or written"
        case .tryAgain: "not now"
        case .noPermission: "no permission"
        case .configuration: "the configuration"
        }
    }
}

/// An error that knows the exit code of a program that ends because of it.
package protocol ExitStatusProviding: Error {
    var exitStatus: ExitStatus { get }
}
