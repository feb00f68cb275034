import FoveaControl
import FoveaSystem
import SystemPackage

/// The end of a command that did not succeed: what a person reads and what a script sees.
package struct Failure: ExitStatusProviding, CustomStringConvertible {
    package var message: String
    package let status: ExitStatus

    package init(_ message: String, _ status: ExitStatus) {
        self.message = message
        self.status = status
    }

    package static func usage(_ message: String) -> Failure { Failure(message, .usage) }
    package static func data(_ message: String) -> Failure { Failure(message, .data) }
    package static func noInput(_ message: String) -> Failure { Failure(message, .noInput) }
    package static func cannotCreate(_ message: String) -> Failure { Failure(message, .cannotCreate) }
    package static func tryAgain(_ message: String) -> Failure { Failure(message, .tryAgain) }
    package static func noPermission(_ message: String) -> Failure { Failure(message, .noPermission) }
    package static func configuration(_ message: String) -> Failure { Failure(message, .configuration) }

    /// Any error as what a program says and returns for it. An error without a status of its own is a fault of Fovea's.
    package init(_ error: any Error) {
        if let failure = error as? Failure {
            self = failure
        } else {
            let status = (error as? any ExitStatusProviding)?.exitStatus ?? .software
            self.init(safe(sentence("\(error)\(Self.advice(error))")), status)
        }
    }

    package var description: String { message }
    package var exitStatus: ExitStatus { status }

    /// What to do about a system call that failed; the error itself says what and where.
    private static func advice(_ error: any Error) -> String {
        guard let error = error as? SystemError else { return "" }
        return switch error.errno {
        case .noSuchFileOrDirectory, .notDirectory: ". Look at the path"
        case .permissionDenied, .notPermitted: ". Become a user who may, or ask for the right"
        case .noSpace, .diskQuotaExceeded: ". Make room there"
        case .readOnlyFileSystem: ". Name another place"
        default: error.isTransient ? ". Try again" : ""
        }
    }
}
