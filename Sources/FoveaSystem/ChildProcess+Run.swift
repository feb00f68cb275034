import Glibc
import SystemPackage

extension ChildProcess {
    /// What a program that has ended left behind.
    package struct Completed: Sendable {
        package let ending: Ending
        package let output: [UInt8]
        package let error: [UInt8]
        /// It was ended because its time was up.
        package let wasLate: Bool
    }

    /// Runs a program to its end. What it reads and writes is in memory, so it can neither block on a pipe nor leave files.
    ///
    /// It has a process group of its own: a Ctrl-C at the terminal is this program's to answer.
    ///
    /// - Parameters:
    ///   - input: its standard input.
    ///   - limit: seconds after which it is killed.
    package static func run(
        _ executable: FilePath, _ arguments: [String] = [], environment: [String], input: [UInt8] = [],
        limit: Double
    ) throws(SystemError) -> Completed {
        let files = (input: try memoryFile("input"), output: try memoryFile("output"), error: try memoryFile("error"))
        defer { for file in [files.input, files.output, files.error] { try? file.close() } }
        try Files.write(input, to: files.input, subject: "input")
        try retrying("lseek") { lseek(files.input.rawValue, 0, SEEK_SET) }

        let child = try ChildProcess(
            executable: executable, arguments: arguments, environment: environment, input: files.input,
            output: files.output, error: files.error, ownGroup: true)
        let deadline = monotonicNanoseconds() + Int(limit * 1e9)
        var wasLate = false
        var ending = child.endingIfEnded()
        while ending == nil {
            if monotonicNanoseconds() > deadline {
                kill(-child.pid, SIGKILL)
                wasLate = true
                ending = child.wait()
            } else {
                usleep(2000)
                ending = child.endingIfEnded()
            }
        }
        return Completed(
            ending: ending!, output: try contents(files.output), error: try contents(files.error), wasLate: wasLate)
    }

    private static func contents(_ file: FileDescriptor) throws(SystemError) -> [UInt8] {
        try Files.read(file, count: try Files.status(of: file).size)
    }

    /// The program of this name in the folders of `PATH`, nil where none has it.
    package static func find(_ name: String) -> FilePath? {
        let folders = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
        return folders.split(separator: ":").lazy.map { FilePath(String($0)).appending(name) }
            .first { path in path.withPlatformString { access($0, X_OK) == 0 } }
    }
}
