import FoundationEssentials
import FoveaControl
import FoveaModels
import FoveaSystem
import FoveaTestKit
import Glibc
import SystemPackage
import Testing

/// A real fovead on folders of its own. Killed where a test fails.
final class RunningDaemon {
    let folder: TemporaryFolder
    let fixture: Fixture
    private var process: ChildProcess?

    var root: FilePath { folder.path }
    var inbox: FilePath { root.appending("in") }
    var outbox: FilePath { root.appending("out") }
    var state: FilePath { root.appending("var") }
    var configuration: FilePath { root.appending("c.yaml") }
    var log: String {
        String(decoding: (try? Files.read(root.appending("log"), limit: 1 << 24)) ?? [], as: UTF8.self)
    }

    /// - Parameter settings: lines of the configuration besides the fixture's.
    init(_ settings: [String: String] = [:], starting: Bool = true) throws {
        fixture = try Fixture.shared()
        folder = try TemporaryFolder()
        try folder.write("c.yaml", Fixture.configuration(folder.path, models: fixture.models, settings))
        try Files.makeDirectory(folder.path.appending("stage"))
        try Files.makeDirectory(folder.path.appending("in"))
        if starting { try start() }
    }

    deinit {
        process?.signal(SIGKILL)
        _ = process?.wait()
    }

    /// Starts a process and gives it back; `start` also waits until it serves.
    func spawn() throws -> ChildProcess {
        let log = try Files.open(root.appending("log"), O_WRONLY | O_CREAT | O_APPEND)
        defer { try? log.close() }
        return try ChildProcess(
            executable: try Programs.path("fovead"), arguments: ["--config", configuration.string],
            environment: ["PATH=/usr/bin:/bin"], output: log, error: log)
    }

    func start() throws {
        let process = try spawn()
        self.process = process
        try eventually("the daemon serves\n\(log)") {
            if let ending = process.endingIfEnded() {
                self.process = nil
                throw TestFailure(description: "fovead \(ending):\n\(log)")
            }
            return (try? status())?.model != nil
        }
    }

    /// SIGTERM and the exit.
    func stop(_ location: SourceLocation = #_sourceLocation) throws {
        guard let process else { return }
        process.signal(SIGTERM)
        var ending: ChildProcess.Ending?
        try eventually("the daemon stops") {
            ending = process.endingIfEnded()
            return ending != nil
        }
        self.process = nil
        #expect(ending == .exited(0), "\(log)", sourceLocation: location)
    }

    func kill() {
        process?.signal(SIGKILL)
        _ = process?.wait()
        process = nil
    }

    // MARK: - Dropping

    private var staged = 0

    /// Drops a file as a careful program does: written elsewhere, renamed in.
    func drop(_ file: FilePath, _ bytes: [UInt8]) throws {
        staged += 1
        let stage = try folder.write("stage/\(staged)", bytes)
        let target = inbox.pushing(file)
        try Files.makeDirectories(target.removingLastComponent())
        try Files.rename(stage, to: target)
    }

    func drop(_ images: some Sequence<Fixture.Image>, prefix: String = "") throws {
        for image in images { try drop(FilePath(prefix + image.name), image.bytes) }
    }

    // MARK: - Asking

    func ctl(_ arguments: String...) throws -> Programs.Outcome {
        try Programs.run("foveactl", arguments + ["--config", configuration.string])
    }

    func status() throws -> Status {
        let outcome = try ctl("status", "--json")
        guard outcome.code == 0 else { throw TestFailure(description: outcome.error) }
        return try JSONDecoder().decode(Status.self, from: Data(outcome.output.utf8))
    }

    // MARK: - What came out

    struct Published<Record> {
        /// Of the image, below the outbox.
        let path: FilePath
        let record: Record
        let hasImage: Bool
    }

    var results: [Published<ResultRecord>] { get throws { try documents(".json", ResultRecord.self) } }
    var failures: [Published<ErrorRecord>] { get throws { try documents(".error.json", ErrorRecord.self) } }

    private func documents<Record: Decodable>(_ suffix: String, _ type: Record.Type) throws -> [Published<Record>] {
        let isFailure = suffix == ".error.json"
        return try documentPaths().filter { ($0.bytes.suffix(11) == Array(".error.json".utf8)[...]) == isFailure }.map {
            let image = FilePath(bytes: $0.bytes.dropLast(suffix.utf8.count))
            let bytes = try Files.read(outbox.pushing($0))
            do {
                return Published(
                    path: image, record: try JSONDecoder().decode(type, from: Data(bytes)),
                    hasImage: try Files.statusIfPresent(outbox.pushing(image))?.isRegular == true)
            } catch {
                throw TestFailure(description: "\($0.escaped): \(error): \(String(decoding: bytes, as: UTF8.self))")
            }
        }
    }

    private func documentPaths() throws -> [FilePath] {
        var found: [FilePath] = []
        func visit(_ relative: FilePath) throws {
            for name in try Files.list(outbox.pushing(relative)) where name.bytes.first != UInt8(ascii: ".") {
                let path = relative.appending(name)
                guard let status = try Files.statusIfPresent(outbox.pushing(path)) else { continue }
                if status.isDirectory {
                    try visit(path)
                } else if name.extension == "json" {
                    found.append(path)
                }
            }
        }
        if try Files.statusIfPresent(outbox) != nil { try visit(FilePath()) }
        return found
    }

    /// Documents of either kind.
    var publishedCount: Int { (try? documentPaths().count) ?? 0 }

    func waitForDocuments(_ count: Int) throws {
        try eventually("\(count) documents, there are \(publishedCount)\n\(log.suffix(3000))") {
            publishedCount >= count
        }
    }

    /// Exactly one result for each image, with the scores that its model gives, its image beside it, and no other.
    func expectResults(
        _ names: some Sequence<String>, of count: Int, key: (String) -> String = { $0 },
        _ location: SourceLocation = #_sourceLocation
    ) throws {
        let results = try results
        #expect(results.count == count, "results lost or doubled", sourceLocation: location)
        #expect(Set(results.map(\.record.file)) == Set(names), sourceLocation: location)
        #expect(Set(results.map(\.record.id)).count == count, sourceLocation: location)
        #expect(try failures.isEmpty, sourceLocation: location)
        for result in results {
            let record = result.record
            let expected = fixture.expected[record.model.name]?[key(record.file)]
            #expect(record.top == expected, "\(record.file) by \(record.model)", sourceLocation: location)
            #expect(
                record.label == expected?[0].label && record.confidence == expected?[0].confidence
                    && result.path.starts(with: FilePath(record.label)) && result.hasImage, sourceLocation: location)
            if let bytes = try? Files.read(outbox.pushing(result.path)) {
                #expect(hexadecimal(Digest.sha256(bytes)) == record.sha256, sourceLocation: location)
            }
        }
        #expect(try Files.list(state.appending("spool")).isEmpty, sourceLocation: location)
    }

    // MARK: - Models

    /// A copy of `tiny@1` in the daemon's own store, changed and hashed anew; what is changed after that does not fit
    /// its manifest.
    func makeModel(
        _ name: String, change: (inout [String: [UInt8]]) throws -> Void = { _ in },
        afterwards: (inout [String: [UInt8]]) throws -> Void = { _ in }
    ) throws {
        let source = fixture.models.pushing("tiny/1")
        let names = [ModelFolder.configurationName, ModelFolder.weightsName, ModelFolder.goldenName]
        var files: [String: [UInt8]] = [:]
        for name in names { files[name] = try Files.read(source.appending(name)) }
        var description = try JSONDecoder().decode(
            [String: JSONValue].self, from: Data(files[ModelFolder.configurationName]!))
        description["name"] = .string(name)
        files[ModelFolder.configurationName] = Array(JSONValue.object(description).text.utf8)
        try change(&files)
        files[ModelFolder.manifestName] = Manifest(files: files.mapValues(Manifest.Entry.init(of:))).encode()
        try afterwards(&files)
        for (file, bytes) in files { try folder.write("var/models/\(name)/1/\(file)", bytes) }
    }
}
