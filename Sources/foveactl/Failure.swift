import FoveaControl
import FoveaData
import FoveaModels
import FoveaPipeline
import FoveaSystem
import SystemPackage

/// The end of a command that did not succeed: what a person reads and what a script sees.
struct Failure: Error {
    let message: String
    /// Of sysexits.h.
    let code: Int32

    init(_ message: String, code: Int32) {
        self.message = message
        self.code = code
    }

    /// Whether `init(_:)` of an error knows it; the others are ArgumentParser's.
    static func isOurs(_ error: any Error) -> Bool {
        switch error {
        case is ControlError, is ConfigurationFileError, is ModelError, is ConfigurationError, is DataError,
            is PluginError, is WorkerFault, is WorkerClientError, is WorkerProtocolError, is SystemError:
            true
        default: false
        }
    }

    init(_ error: any Error) {
        let code: Int32 =
            switch error {
            case let error as ControlError: error.exitCode
            case is ConfigurationFileError: 78
            case let error as ModelError:
                switch error.code {
                case .notFound: 66
                case .invalidName: 64
                case .damaged: 65
                case .exists: 73
                case .protected: 77
                case .storage: 74
                }
            case let error as DataError:
                switch error.code {
                case .missing: 66
                case .foreign, .truncated, .corrupt: 65
                case .invalid: 64
                case .exists: 73
                case .network: 75
                case .system: 74
                }
            case is ConfigurationError, is PluginError, is WorkerFault: 65
            case let error as WorkerClientError: error == .timedOut ? 75 : 70
            case let error as SystemError:
                switch error.errno {
                case .noSuchFileOrDirectory: 66
                case .permissionDenied, .notPermitted: 77
                default: error.isTransient ? 75 : 74
                }
            default: 70
            }
        self.init(safe(sentence("\(error)\(Self.advice(error))")), code: code)
    }

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
