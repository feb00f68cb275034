// The one table from errors to exit codes, for all that is below this target; the engine's errors have theirs in
// FoveaTraining, since `foveactl` does not link the engine. docs/operations.md explains the codes, and a test compares.

import FoveaControl
import FoveaData
import FoveaModels
import FoveaPipeline
import FoveaSystem
import SystemPackage

extension SystemError: ExitStatusProviding {
    package var exitStatus: ExitStatus {
        switch errno {
        case .noSuchFileOrDirectory, .notDirectory: .noInput
        case .permissionDenied, .notPermitted: .noPermission
        case .fileExists: .cannotCreate
        // The daemon tries these again by itself; to a person they say that a disk is at fault.
        case .readOnlyFileSystem, .ioError: .inputOutput
        default: isTransient ? .tryAgain : .inputOutput
        }
    }
}

extension ExitStatus {
    /// The same code for a call that failed, whichever module tells of it.
    fileprivate init(_ errno: Errno?) {
        self = errno.map { SystemError("", errno: $0).exitStatus } ?? .inputOutput
    }
}

extension ConfigurationFileError: ExitStatusProviding {
    package var exitStatus: ExitStatus { .configuration }
}

/// Of a model's `config.json`.
extension ConfigurationError: ExitStatusProviding {
    package var exitStatus: ExitStatus { .data }
}

extension ModelError: ExitStatusProviding {
    package var exitStatus: ExitStatus {
        switch code {
        case .invalidName: .usage
        case .notFound: .noInput
        case .damaged: .data
        case .exists: .cannotCreate
        case .protected: .noPermission
        case .storage: ExitStatus(errno)
        }
    }
}

extension DataError: ExitStatusProviding {
    package var exitStatus: ExitStatus {
        switch code {
        case .missing: .noInput
        case .foreign, .truncated, .corrupt: .data
        case .invalid: .usage
        case .exists: .cannotCreate
        case .network: .tryAgain
        case .system: ExitStatus(errno)
        }
    }
}

extension PluginError: ExitStatusProviding {
    package var exitStatus: ExitStatus { code == .missing ? .noInput : .data }
}

extension WorkerFault: ExitStatusProviding {
    package var exitStatus: ExitStatus { code == Self.lost ? .software : .data }
}

extension WorkerClientError: ExitStatusProviding {
    package var exitStatus: ExitStatus {
        switch self {
        case .timedOut: .tryAgain
        case .ended: .software
        case .fault(let fault): fault.exitStatus
        }
    }
}

extension WorkerProtocolError: ExitStatusProviding {
    package var exitStatus: ExitStatus { .software }
}

extension ControlError: ExitStatusProviding {
    package var exitStatus: ExitStatus {
        switch self {
        case .unreachable: .unavailable
        case .denied: .noPermission
        case .timedOut, .lost: .tryAgain
        case .broken: .software
        case .refused(let status, _):
            switch status {
            case 400, 409, 413, 415, 422: .data
            case 403: .noPermission
            case 404: .noInput
            case 429, 503, 504: .tryAgain
            default: .software
            }
        }
    }
}
