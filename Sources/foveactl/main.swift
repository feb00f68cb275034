// foveactl: the one command people type.

import ArgumentParser
import Glibc

signal(SIGPIPE, SIG_IGN)

do {
    try helpOfTrainer(RawArguments.all)
    var command = try Foveactl.parseAsRoot(RawArguments.all)
    try command.run()
} catch let failure as Failure {
    Console.error(failure.message)
    exit(failure.code)
} catch let failure where Failure.isOurs(failure) {
    let failure = Failure(failure)
    Console.error(failure.message)
    exit(failure.code)
} catch {
    // Help, --version, and mistakes in the arguments, which ArgumentParser ends with 64 (EX_USAGE).
    Foveactl.exit(withError: error)
}
