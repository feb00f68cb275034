// foveactl: the one command people type.

import ArgumentParser
import FoveaCLI
import FoveaSystem
import Glibc

signal(SIGPIPE, SIG_IGN)

do {
    try helpOfTrainer(RawArguments.all)
    var command = try Foveactl.parseAsRoot(RawArguments.all)
    try command.run()
} catch let error where error is any ExitStatusProviding || Foveactl.exitCode(for: error) == .failure {
    let failure = Failure(error)
    Console.error(failure.message)
    exit(failure.status.rawValue)
} catch {
    // Help, --version, and mistakes in the arguments, which ArgumentParser ends with 64 (EX_USAGE).
    Foveactl.exit(withError: error)
}

extension Console {
    static func error(_ text: String) { message("foveactl: \(text)") }
}
