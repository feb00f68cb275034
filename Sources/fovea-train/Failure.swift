import ArgumentParser
import FoveaControl
import FoveaData
import FoveaModels
import FoveaNN
import FoveaPipeline
import FoveaSystem

/// What ends the program: a sentence for the user and an exit code after sysexits(3).
struct Failure: Error {
    var message: String
    let code: Int32
    /// A checkpoint cannot be gone on from.
    var isCheckpoint = false

    static func usage(_ message: String) -> Failure { Failure(message: message, code: 64) }
    static func data(_ message: String) -> Failure { Failure(message: message, code: 65) }
    /// No such model, data set or file.
    static func noInput(_ message: String) -> Failure { Failure(message: message, code: 66) }
    static func cannotCreate(_ message: String) -> Failure { Failure(message: message, code: 73) }
    /// Stopped by a signal, to be taken up again.
    static func tryAgain(_ message: String) -> Failure { Failure(message: message, code: 75) }

    /// Any error as what the program says and returns for it.
    init(_ error: any Error) {
        switch error {
        case let failure as Failure: self = failure
        case let error as ModelError:
            let code: Int32 =
                switch error.code {
                case .invalidName: 64
                case .notFound: 66
                case .damaged: 65
                case .exists: 73
                case .protected: 77
                case .storage: 74
                }
            self.init(message: "\(error)", code: code)
        case let error as SystemError:
            let code: Int32 =
                switch error.errno {
                case .permissionDenied, .notPermitted: 77
                case .noSuchFileOrDirectory, .notDirectory: 66
                case .fileExists: 73
                default: 74
                }
            self.init(message: "\(error)", code: code)
        case let error as DataError: self.init(message: "\(error)", code: error.code == .missing ? 66 : 65)
        // What the user set for the network is checked when it is built: wrong settings are wrong usage.
        case is NetworkDefinitionError, is ShapeError: self.init(message: "\(error)", code: 64)
        case let error as PluginError: self.init(message: "\(error)", code: 65)
        case let error as ConfigurationFileError: self.init(message: "\(error)", code: 78)
        default: self.init(message: "\(error)", code: 65)
        }
    }

    init(message: String, code: Int32) {
        self.message = message
        self.code = code
    }

    /// Runs a verb; its error goes to standard error and becomes the exit code.
    static func reporting(_ verb: String, _ body: () throws -> Void) throws {
        do {
            try body()
        } catch let error as ExitCode {
            throw error
        } catch {
            let failure = Failure(error)
            Console.write("\(Program.name) \(verb): \(failure.message)\n")
            throw ExitCode(failure.code)
        }
    }
}
