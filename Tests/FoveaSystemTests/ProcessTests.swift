import FoveaSystem
import Glibc
import SystemPackage
import Testing

@Suite struct ProcessTests {
    private func shell(_ command: String, environment: [String] = []) throws -> ChildProcess {
        try ChildProcess(
            executable: "/bin/sh", arguments: ["-c", command], environment: ["PATH=/usr/bin:/bin"] + environment)
    }

    @Test func endingsAreTold() throws {
        #expect(try shell("exit 0").wait() == .exited(0))
        #expect(try shell("exit 75").wait() == .exited(75))
        #expect(try shell("kill -KILL $$").wait() == .killed(signal: SIGKILL))
        #expect(try shell("kill -SEGV $$").wait().description.contains("signal 11"))
        #expect(ChildProcess.Ending.exited(65).description == "exited with code 65")
    }

    @Test func aRunningOneHasNotEnded() throws {
        let child = try shell("exec sleep 600")
        #expect(child.endingIfEnded() == nil)
        child.signal(SIGTERM)
        #expect(child.wait() == .killed(signal: SIGTERM))
    }

    @Test func descriptorsAndEnvironment() throws {
        let (input, output) = (try memoryFile("in"), try memoryFile("out"))
        defer {
            try? input.close()
            try? output.close()
        }
        try Files.write(Array("hello".utf8), to: input)
        lseek(input.rawValue, 0, SEEK_SET)
        let child = try ChildProcess(
            executable: "/bin/sh", arguments: ["-c", "cat; printf \" $WORD\"; ls /proc/self/fd | wc -l >&2"],
            environment: ["PATH=/usr/bin:/bin", "WORD=two words"], input: input, output: output,
            error: try Files.open("/dev/null", O_WRONLY))
        #expect(child.wait() == .exited(0))
        #expect(try Files.read(output, count: 100) == Array("hello two words".utf8))
    }

    @Test func aWholeRun() throws {
        func run(_ command: String, input: [UInt8] = [], limit: Double = 60) throws -> ChildProcess.Completed {
            try ChildProcess.run(
                "/bin/sh", ["-c", command], environment: ["PATH=/usr/bin:/bin"], input: input, limit: limit)
        }
        // More than a pipe holds, both ways.
        let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let copied = try run("cat; echo why >&2; exit 3", input: bytes)
        #expect(copied.output == bytes && copied.error == Array("why\n".utf8))
        #expect(copied.ending == .exited(3) && !copied.wasLate)
        // With all that it has started.
        let start = monotonicNanoseconds()
        let late = try run("sleep 600 & sleep 600", limit: 0.1)
        #expect(late.wasLate && late.ending == .killed(signal: SIGKILL))
        #expect(monotonicNanoseconds() - start < 60_000_000_000)
    }

    @Test func programsAreFoundOnThePath() {
        #expect(ChildProcess.find("sh")?.lastComponent == "sh")
        #expect(ChildProcess.find("no-such-program") == nil)
    }

    @Test func aProgramThatIsNotThere() {
        #expect(throws: SystemError.self) { try ChildProcess(executable: "/nonexistent/program", environment: []) }
    }

    @Test func theProgramsOwnFolder() throws {
        #expect(try Files.status(programDirectory()).isDirectory)
    }
}
