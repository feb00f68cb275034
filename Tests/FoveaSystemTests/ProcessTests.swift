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

    @Test func aProgramThatIsNotThere() {
        #expect(throws: SystemError.self) { try ChildProcess(executable: "/nonexistent/program", environment: []) }
    }

    @Test func theProgramsOwnFolder() throws {
        #expect(try Files.status(programDirectory()).isDirectory)
    }
}
