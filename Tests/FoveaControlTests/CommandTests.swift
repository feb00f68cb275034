import FoundationEssentials
import FoveaControl
import FoveaSystem
import Glibc
import SystemPackage
import Testing

/// The built foveactl, which stands beside the test bundle.
private let program: FilePath? = {
    guard let bundle = CommandLine.arguments.first(where: { $0.hasSuffix(".xctest") }) else { return nil }
    let path = FilePath(bundle).removingLastComponent().appending("foveactl")
    return (try? Files.statusIfPresent(path, followingLinks: true)) == nil ? nil : path
}()

/// What people and scripts see of foveactl when no daemon runs.
@Suite(.enabled(if: program != nil, "foveactl is not built")) struct CommandTests {
    private struct Outcome {
        let code: Int32
        let output: String
        let error: String
    }

    private func run(_ arguments: [String], environment: [String] = []) throws -> Outcome {
        let output = try memoryFile("output")
        let error = try memoryFile("error")
        defer {
            try? output.close()
            try? error.close()
        }
        let child = try ChildProcess(
            executable: try #require(program), arguments: arguments, environment: ["PATH=/usr/bin:/bin"] + environment,
            output: output, error: error)
        guard case .exited(let code) = child.wait() else { throw SystemError("foveactl", errno: .interrupted) }
        func text(_ file: FileDescriptor) throws -> String {
            String(decoding: try Files.read(file, count: try Files.status(of: file).size), as: UTF8.self)
        }
        return Outcome(code: code, output: try text(output), error: try text(error))
    }

    /// A configuration in a folder of its own.
    private func configuration(_ folder: TemporaryFolder, _ more: String = "") throws -> String {
        let file = folder.path.appending("fovea.yaml")
        let root = folder.path.string
        let text = """
            inbox: \(root)/in
            outbox: \(root)/out
            corrections: \(root)/fix
            state: \(root)/var
            models: \(root)/models
            socket: \(root)/s
            \(more)
            """
        try Files.replace(file, with: Array(text.utf8))
        return file.string
    }

    @Test(arguments: [
        ["nonsense"], ["status", "--nope"], ["classify"], ["model", "swap"], ["queue", "explode"], ["why"],
        ["dataset", "import", "x"], ["dataset", "import", "x", "--name", "n", "--size", "0"], ["status", "extra"],
    ])
    func aMistakeInTheArgumentsIs64(_ arguments: [String]) throws {
        let outcome = try run(arguments)
        #expect(outcome.code == 64 && outcome.output.isEmpty && !outcome.error.isEmpty)
    }

    @Test(arguments: [
        ["status"], ["watch"], ["why", "a.png"], ["model", "swap", "m"], ["model", "rollback"], ["queue", "pause"],
        ["queue", "retry", "--json"],
    ])
    func noDaemonIs69(_ arguments: [String]) throws {
        let folder = try TemporaryFolder()
        let outcome = try run(arguments + ["--config", try configuration(folder)])
        #expect(outcome.code == 69 && outcome.output.isEmpty)
        #expect(outcome.error.contains("\(folder.path.string)/s") && outcome.error.contains("Start it"))
    }

    @Test func theSocketIsTheOptionThenTheNamedFilesThenTheVariables() throws {
        let folder = try TemporaryFolder()
        let file = try configuration(folder)
        let both = try run(
            ["status", "--socket", "/tmp/option", "--config", file], environment: ["FOVEA_SOCKET=/tmp/v"])
        #expect(both.error.contains("/tmp/option"))
        let named = try run(["status", "--config", file], environment: ["FOVEA_SOCKET=/tmp/v"])
        #expect(named.error.contains("\(folder.path.string)/s"), "a file that is named goes before the environment")
        #expect(try run(["status"], environment: ["FOVEA_SOCKET=/tmp/v"]).error.contains("/tmp/v"))
    }

    @Test func namesAreEscapedOnce() throws {
        let folder = try TemporaryFolder()
        let file = try configuration(folder)
        let outcome = try run(["plugin", "check", "\(folder.path)/100%.so", "--config", file])
        #expect(outcome.code == 66 && outcome.error.contains("100%25.so") && !outcome.error.contains("%2525"))
    }

    @Test func helpOfTheTrainerIsTheTrainers() throws {
        #expect(try run(["help", "train"]).output.contains("--arch"))
    }

    @Test func aBadConfigurationIs78AndNamesTheLine() throws {
        let folder = try TemporaryFolder()
        let outcome = try run(["model", "list", "--config", try configuration(folder, "batsh: 3")])
        #expect(outcome.code == 78)
        #expect(outcome.error.contains("fovea.yaml:7: batsh: unknown key. Did you mean batch?"))
    }

    @Test func anEmptyStoreIsAnEmptyList() throws {
        let folder = try TemporaryFolder()
        let file = try configuration(folder)
        let json = try run(["model", "list", "--json", "--config", file])
        #expect(json.code == 0 && json.output == "[]\n" && json.error.isEmpty)
        let quiet = try run(["model", "list", "--quiet", "--config", file])
        #expect(quiet.code == 0 && quiet.output.isEmpty && quiet.error.isEmpty)
        #expect(try run(["model", "show", "m", "--config", file]).code == 66)
        #expect(try run(["model", "remove", "m", "--config", file]).code == 64)
        #expect(try run(["dataset", "info", "d", "--config", file]).code == 66)
    }

    @Test func statusPrintsWhatTheDaemonSays() throws {
        let folder = try TemporaryFolder()
        let status = Status(
            version: "0", pid: 7, since: Timestamp(milliseconds: 0), uptime: 61, mode: .running,
            model: ModelIdentity(name: "evil\u{1B}[2J", version: "1", sha256: "ab"), chain: [], generation: 3,
            sandbox: "full", watch: .init(mode: .polling, overflows: 0), queue: .init(waiting: 42),
            rates: .init(tenSeconds: 1.25, minute: 2), workers: [],
            intake: .init(taking: false, reason: "it is full", freeSpace: 1 << 20), lastSwap: nil)
        let listener = try UnixListener(folder.path.appending("s"))
        let server = try HTTPServer(listener: listener.descriptor) { request in
            request.path == Routes.status
                ? .json(status) : .failure(409, code: "no", message: "It may not.", hint: "Do that.")
        }
        defer { server.stop() }
        let file = try configuration(folder)
        let text = try run(["status", "--config", file])
        #expect(text.code == 0 && text.error.isEmpty)
        #expect(text.output.contains("42") && text.output.contains("no: it is full, 1.0 MiB free"))
        #expect(!text.output.contains("\u{1B}"), "neither colour off a terminal nor a model's name may command one")
        let json = try run(["status", "--json", "--config", file])
        #expect(try JSONDecoder().decode(Status.self, from: Data(json.output.utf8)) == status)
        let refused = try run(["queue", "resume", "--config", file])
        #expect(refused.code == 65 && refused.error.contains("It may not. Do that."))
    }
}
