import FoveaSystem
import FoveaTestKit
import Glibc
import SystemPackage

/// A test that cannot go on, in words.
struct TestFailure: Error, CustomStringConvertible { let description: String }

/// The built programs and plugins, which `swift build` puts beside the test bundle.
enum Programs {
    private static let folder: FilePath? = {
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") }.map { FilePath($0) }
        let starts = [bundle?.removingLastComponent(), programDirectory()].compactMap { $0 }
        for start in starts {
            var at = start
            while !at.isEmpty, at != "/" {
                if (try? Files.statusIfPresent(at.appending("fovead"), followingLinks: true))?.isRegular == true {
                    return at
                }
                at.removeLastComponent()
            }
        }
        return nil
    }()

    static func path(_ name: String) throws -> FilePath {
        guard let path = folder?.appending(name), try Files.statusIfPresent(path, followingLinks: true) != nil else {
            throw TestFailure(
                description: "\(name) is not built: run `swift build` in the tests' configuration first.")
        }
        return path
    }

    struct Outcome {
        let code: Int32
        let output: String
        let error: String
    }

    /// Runs a program to its end; one that was killed has the code 128 and its signal.
    ///
    /// - Parameter folder: where it runs; otherwise where the tests do.
    static func run(
        _ name: String, _ arguments: [String], environment: [String] = [], in folder: FilePath? = nil
    ) throws -> Outcome {
        let (output, error) = (try memoryFile("output"), try memoryFile("error"))
        defer {
            try? output.close()
            try? error.close()
        }
        let program = try path(name)
        // The shell becomes the program, once it has gone there.
        let child = try ChildProcess(
            executable: folder == nil ? program : "/bin/sh",
            arguments: folder.map { ["-c", #"cd "$0" && exec "$@""#, $0.string, program.string] + arguments }
                ?? arguments,
            environment: ["PATH=/usr/bin:/bin", "HOME=/nonexistent"] + environment, output: output, error: error)
        let code: Int32 =
            switch child.wait() {
            case .exited(let code): code
            case .killed(let signal): 128 + signal
            }
        func text(_ file: FileDescriptor) throws -> String {
            String(decoding: try Files.read(file, count: try Files.status(of: file).size), as: UTF8.self)
        }
        return Outcome(code: code, output: try text(output), error: try text(error))
    }
}

/// Asks again and again until `condition` holds; generous, because machines are busy.
func eventually(
    _ what: @autoclosure () -> String, seconds: Int = 90, _ condition: () throws -> Bool
) throws {
    let deadline = monotonicNanoseconds() + seconds * 1_000_000_000
    while try !condition() {
        if monotonicNanoseconds() > deadline { throw TestFailure(description: "not within \(seconds) s: \(what())") }
        usleep(20_000)
    }
}
