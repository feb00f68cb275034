import CLinux
import FoveaPipeline
import FoveaSystem
import Glibc
import SystemPackage

/// What `fovea-worker` does with its arguments.
package enum WorkerMain {
    /// - Returns: the exit code.
    package static func run(arguments: [String]) -> Int32 {
        // SIGTERM to the whole group must not cut off a batch: the daemon closes the socket when it is done.
        cl_block_signals()
        switch arguments.first {
        case nil:
            guard let status = try? Files.status(of: .standardInput), status.mode & S_IFMT == S_IFSOCK else {
                return usage()
            }
            Sandbox.inheritNothing()
            var process = WorkerProcess(.standardInput)
            return process.run()
        case "--check-plugin" where arguments.count >= 2:
            return PluginInspection.run(FilePath(arguments[1]), arguments: Array(arguments.dropFirst(2)), brief: false)
        case "--describe-plugin" where arguments.count >= 2:
            return PluginInspection.run(FilePath(arguments[1]), arguments: Array(arguments.dropFirst(2)), brief: true)
        case "--score-chain" where arguments.count >= 2:
            return ChainScoring.run(FilePath(arguments[1]), arguments: Array(arguments.dropFirst(2)))
        default:
            return usage()
        }
    }

    private static func usage() -> Int32 {
        let text = """
            fovea-worker is started by fovead and foveactl, with a socket as its standard input.
            By hand: fovea-worker --check-plugin FILE.so, better as `foveactl plugin check FILE.so`.

            """
        try? Files.write(text.utf8, to: .standardError)
        return 64
    }
}
