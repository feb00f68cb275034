// A real fovead in a temporary folder, as a user would run it:
//
//     <folder>/fovea.yaml  daemon.log  inbox/  outbox/  models/  var/     what it works on
//              drop/                                                       files on their way into the inbox
//
// `drop/` is on the inbox's file system, so that a drop is one rename.

import FoundationEssentials
import FoveaControl
import FoveaModels
import FoveaSystem
import Glibc
import SystemPackage

final class DaemonUnderTest {
    let folder: FilePath
    private(set) var process: ChildProcess?
    /// Of fovead itself, which is not `process` where something else started it.
    private(set) var pid: pid_t = 0

    var inbox: FilePath { folder.appending("inbox") }
    var outbox: FilePath { folder.appending("outbox") }
    var state: FilePath { folder.appending("var") }
    var models: FilePath { folder.appending("models") }
    var configurationFile: FilePath { folder.appending("fovea.yaml") }
    var log: FilePath { folder.appending("daemon.log") }
    var client: ControlClient { ControlClient(socket: state.appending("run/fovead.sock")) }

    /// Makes the folders and the configuration; nothing runs yet.
    ///
    /// - Parameter folder: exists; nobody else uses it.
    init(in folder: FilePath, model: String, minFree: String = "1MiB") throws {
        self.folder = folder
        for name in ["inbox", "outbox", "models", "var", "drop"] {
            let path = folder.appending(name)
            try Files.makeDirectories(path)
        }
        let text = """
            inbox: \(folder)/inbox
            outbox: \(folder)/outbox
            corrections: \(folder)/corrections
            models: \(folder)/models
            state: \(folder)/var
            socket: \(folder)/var/run/fovead.sock
            model: \(model)
            http: off
            # The other model of the swaps is untrained, which a daemon would notice.
            rollback: "off"
            min-free: \(minFree)

            """
        try Files.replaceUnsynced(configurationFile, with: Array(text.utf8))
    }

    deinit { kill() }

    // MARK: - Life

    /// Starts fovead and returns when it serves.
    ///
    /// - Parameter through: a program with its arguments that starts another, such as strace.
    func start(through wrapper: [String] = []) throws {
        try launch(through: wrapper)
        let deadline = seconds() + 60
        while true {
            if let status = try? status(), status.mode == .running, status.model != nil {
                pid = status.pid
                return
            }
            if let ending = process?.endingIfEnded() {
                process = nil
                throw BenchError("fovead \(ending): \(lastWords)")
            }
            guard seconds() < deadline else { throw BenchError("fovead does not serve after 60 s: \(lastWords)") }
            usleep(5000)
        }
    }

    /// Starts fovead and does not wait for it.
    func launch(through wrapper: [String] = []) throws {
        precondition(process == nil)
        let output = try Files.open(log, O_WRONLY | O_CREAT | O_APPEND)
        defer { try? output.close() }
        let words = wrapper + [programDirectory().appending("fovead").string, "--config", configurationFile.string]
        let child = try ChildProcess(
            executable: FilePath(words[0]), arguments: Array(words.dropFirst()), environment: childEnvironment(),
            output: output, error: output)
        process = child
        pid = child.pid
    }

    /// SIGKILL, in the middle of anything.
    func kill() {
        guard let process else { return }
        _ = Glibc.kill(pid, SIGKILL)
        if pid != process.pid { process.signal(SIGKILL) }
        _ = process.wait()
        self.process = nil
    }

    /// SIGTERM, and the wait for its end.
    func stop() throws {
        guard let process else { return }
        _ = Glibc.kill(pid, SIGTERM)
        let deadline = seconds() + 60
        while true {
            if let ending = process.endingIfEnded() {
                self.process = nil
                guard ending == .exited(0) else { throw BenchError("fovead \(ending) after SIGTERM: \(lastWords)") }
                return
            }
            guard seconds() < deadline else { throw BenchError("fovead does not stop within 60 s of SIGTERM") }
            usleep(5000)
        }
    }

    var isRunning: Bool { process.map { Glibc.kill($0.pid, 0) == 0 } ?? false }

    func status() throws -> Status { try client.call("GET", Routes.status) }

    /// The last lines of the log.
    var lastWords: String {
        let bytes = (try? Files.read(log)) ?? []
        return String(decoding: bytes.suffix(600), as: UTF8.self)
    }

    // MARK: - Images

    /// Writes a file into `drop/`, from where `send` moves it.
    func prepare(_ name: String, _ bytes: [UInt8]) throws {
        let path = folder.appending("drop").appending(name)
        let file = try Files.open(path, O_WRONLY | O_CREAT | O_TRUNC)
        defer { try? file.close() }
        try Files.write(bytes, to: file, subject: path.escaped)
    }

    /// Renames a prepared file into the inbox.
    func send(_ name: String) throws {
        try Files.rename(folder.appending("drop").appending(name), to: inbox.appending(name))
    }

    /// Waits until so many images were published since the daemon's start.
    ///
    /// Asks seldom while much is left to do and often at the end, so that asking costs the daemon nothing.
    func waitUntilPublished(_ count: Int, timeout: Double = 600) throws {
        let begin = seconds()
        var first: Int?
        while true {
            let published = try status().queue.published
            if published >= count { return }
            let elapsed = seconds() - begin
            guard elapsed < timeout else {
                throw BenchError("\(published) of \(count) images after \(Int(timeout)) s: \(lastWords)")
            }
            first = first ?? published
            let rate = Double(published - first!) / max(elapsed, 1e-3)
            let left = rate > 0 ? Double(count - published) / rate : 0.02
            usleep(UInt32(min(max(left / 3, 0.002), 0.1) * 1e6))
        }
    }

    /// Waits until all these files have results, whatever the daemon goes through meanwhile.
    func waitForResults(_ count: Int, timeout: Double) throws {
        let deadline = seconds() + timeout
        while try documents().count < count {
            guard isRunning else { throw BenchError("fovead ended by itself: \(lastWords)") }
            guard seconds() < deadline else {
                throw BenchError("\(try documents().count) of \(count) results after \(Int(timeout)) s: \(lastWords)")
            }
            usleep(200_000)
        }
    }

    // MARK: - Models

    /// Swaps to a model; a refusal is an error.
    @discardableResult
    func swap(to model: String) throws -> SwapReceipt {
        let answer = try client.request("POST", Routes.swap, body: SwapRequest(model: model).json)
        let receipt: SwapReceipt = try ControlClient.decode(answer.body)
        guard receipt.outcome == .switched else { throw BenchError("swap refused: \(receipt.reason ?? "")") }
        return receipt
    }

    // MARK: - Results

    /// All results in the outbox, not those still on their way.
    func documents() throws -> [FilePath] {
        let staging = outbox.appending(".fovea")
        return try files(below: outbox).filter { $0.string.hasSuffix(".json") && !$0.starts(with: staging) }
    }

    private func files(below folder: FilePath) throws -> [FilePath] {
        try Files.list(folder).flatMap { name -> [FilePath] in
            let path = folder.appending(name)
            guard let status = try Files.statusIfPresent(path) else { return [] }
            return status.isDirectory ? try files(below: path) : [path]
        }
    }

    /// Reads all results and holds the folders against what was dropped: each image once, beside its one result, with
    /// the bytes that it had; nothing left over anywhere.
    ///
    /// - Parameter dropped: SHA-256 by name.
    /// - Returns: the results by name, and what is wrong, in words.
    func audit(_ dropped: [String: String]) throws -> (results: [String: ResultRecord], faults: [String]) {
        var results: [String: ResultRecord] = [:]
        var faults: [String] = []
        var seen: Set<String> = []
        var ids: Set<String> = []
        for path in try documents() {
            let bytes = try Files.read(path)
            let file: String
            let id: String
            if let record = try? JSONDecoder().decode(ResultRecord.self, from: Data(bytes)), record.label != "" {
                (file, id) = (record.file, record.id)
                results[file] = record
            } else if let record = try? JSONDecoder().decode(ErrorRecord.self, from: Data(bytes)) {
                (file, id) = (record.file, record.id)
                faults.append("\(file) failed: \(record.message)")
            } else {
                faults.append("\(path.escaped) is no whole result (\(bytes.count) bytes)")
                continue
            }
            if !seen.insert(file).inserted { faults.append("\(file) has two results") }
            if !ids.insert(id).inserted { faults.append("two results have the id \(id)") }
            guard let expected = dropped[file] else {
                faults.append("\(file) was never dropped")
                continue
            }
            let suffix = path.string.hasSuffix(".error.json") ? ".error.json" : ".json"
            let image = FilePath(String(path.string.dropLast(suffix.count)))
            let actual = (try? Files.read(image)).map { hexadecimal(Digest.sha256($0)) }
            if actual != expected {
                faults.append("\(image.escaped) is \(actual == nil ? "not there" : "not the image that was dropped")")
            }
        }
        for name in dropped.keys where !seen.contains(name) { faults.append("\(name) has no result") }
        let places = [inbox, state.appending("spool"), outbox.appending(".fovea")]
        for path in try places.flatMap({ try files(below: $0) }) { faults.append("\(path.escaped) is left over") }
        let images = try files(below: outbox).count {
            !$0.string.hasSuffix(".json") && $0.lastComponent != "STATUS.txt"
        }
        if images != seen.count { faults.append("\(images) images in the outbox for \(seen.count) results") }
        return (results, faults)
    }
}

/// What children get of this process's environment.
func childEnvironment() -> [String] {
    ["PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH"].compactMap { (name: String) in
        getenv(name).map { "\(name)=\(String(cString: $0))" }
    }
}

/// Runs `body` with a folder that is removed afterwards, unless an error is thrown or `body` asks to keep it.
func withTemporaryFolder<R>(_ body: (FilePath, _ keep: inout Bool) throws -> R) throws -> R {
    let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array("\(base)/fovea-bench-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw SystemError("mkdtemp", base, errno: Errno(rawValue: errno)) }
    let folder = FilePath(platformString: template)
    var keep = false
    do {
        let result = try body(folder, &keep)
        if keep { printError("! \(folder) is left for a look") } else { try Files.removeTree(folder) }
        return result
    } catch {
        printError("! \(folder) is left for a look")
        throw error
    }
}
