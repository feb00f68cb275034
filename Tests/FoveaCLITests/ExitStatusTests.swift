import Foundation
import FoveaCLI
import FoveaControl
import FoveaData
import FoveaModels
import FoveaNN
import FoveaPipeline
import FoveaSystem
import FoveaTraining
import SystemPackage
import Testing

/// Swift Testing has a type of this name.
private typealias ExitStatus = FoveaSystem.ExitStatus

/// Every error that ends a program has the code that docs/operations.md promises for it.
@Suite struct ExitStatusTests {
    /// The table in docs/operations.md: for each code what the page says of it.
    private static let documented: [Int32: String] = {
        let page = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/operations.md")
        let text = (try? String(contentsOf: page, encoding: .utf8)) ?? ""
        guard let heading = text.range(of: "\n## Exit codes\n") else { return [:] }
        var rows: [Int32: String] = [:]
        for line in text[heading.upperBound...].split(separator: "\n") {
            if line.hasPrefix("## ") { break }
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            if cells.count > 1, let code = Int32(cells[0]) { rows[code] = cells[1] }
        }
        return rows
    }()

    /// The error's code must be that of the one row which has these words.
    private func expect(_ error: any Error, _ words: String, _ location: SourceLocation = #_sourceLocation) {
        let rows = Self.documented.filter { $0.value.contains(words) }.map(\.key)
        #expect(rows.count == 1, "'\(words)' stands in the rows \(rows)", sourceLocation: location)
        #expect(rows.first == Failure(error).status.rawValue, "\(type(of: error)): \(error)", sourceLocation: location)
        #expect(error is any ExitStatusProviding, "\(type(of: error)) has no code of its own", sourceLocation: location)
    }

    @Test func thePageHasEveryCodeAndNoOther() {
        #expect(Set(Self.documented.keys) == Set(ExitStatus.allCases.map(\.rawValue)))
        for status in ExitStatus.allCases {
            let row = Self.documented[status.rawValue] ?? ""
            #expect(row.contains(status.meaning), "\(status.rawValue): '\(row)' does not say '\(status.meaning)'")
        }
    }

    @Test func modelErrors() {
        for code in ModelError.Code.allCases {
            let words =
                switch code {
                case .notFound: "no such model"
                case .invalidName: "a name that cannot be one"
                case .damaged: "a model that was refused"
                case .exists: "one of that name already"
                case .protected: "a model that must stay"
                case .storage: "a file cannot be read or written"
                }
            expect(ModelError(code, "it", "is so"), words)
        }
    }

    @Test func dataErrors() {
        for code in DataError.Code.allCases {
            let words =
                switch code {
                case .missing: "no such model, data set"
                case .foreign, .truncated, .corrupt: "bad data"
                case .invalid: "a name that cannot be one"
                case .exists: "one of that name already"
                case .network: "a server that cannot be reached"
                case .system: "a file cannot be read or written"
                }
            expect(DataError(code, "it is so"), words)
        }
    }

    /// Whichever module tells of a call that failed.
    @Test(arguments: [
        (Errno.noSuchFileOrDirectory, "image or file"), (.notDirectory, "image or file"),
        (.permissionDenied, "no permission"), (.notPermitted, "no permission"),
        (.fileExists, "one of that name already"), (.noSpace, "a disk that is full"),
        (.diskQuotaExceeded, "a disk that is full"), (.noMemory, "not now"), (.tooManyOpenFiles, "not now"),
        (.tooManyOpenFilesInSystem, "not now"), (.resourceTemporarilyUnavailable, "not now"),
        (.resourceBusy, "not now"), (.staleNFSFileHandle, "not now"),
        (.ioError, "a file cannot be read or written"), (.readOnlyFileSystem, "a file cannot be read or written"),
        (.invalidArgument, "a file cannot be read or written"),
    ])
    func systemErrors(_ errno: Errno, _ words: String) {
        let error = SystemError("open", "it", errno: errno)
        expect(error, words)
        expect(ModelError(error), words)
        expect(DataError(.system, "open it", errno: errno), words)
    }

    @Test func pluginsAndWorkers() {
        for code in PluginError.Code.allCases {
            expect(
                PluginError(code, "it is so"), code == .missing ? "no such model, data set, plugin" : "a plugin that")
        }
        let bad = WorkerFault(code: "too-many-pixels", text: "too many pixels")
        let lost = WorkerFault(code: WorkerFault.lost, text: "gone")
        expect(bad, "an image")
        expect(lost, "a worker that has ended")
        expect(WorkerClientError.ended, "a worker that has ended")
        expect(WorkerClientError.timedOut, "no answer in time")
        expect(WorkerClientError.fault(bad), "an image")
        expect(WorkerClientError.fault(lost), "a worker that has ended")
        expect(WorkerProtocolError("a short frame"), "a fault inside Fovea")
    }

    @Test func configurations() throws {
        expect(
            ConfigurationFileError(file: "etc/fovea.yaml", line: 3, key: "batsh", problem: "unknown key"),
            "the configuration")
        let error = #expect(throws: ConfigurationError.self) {
            try Provenance(json: .object(["sets": .int(7)])).sets()
        }
        expect(try #require(error), "a model that was refused")
    }

    @Test func theDaemonsAnswers() {
        let detail = ErrorAnswer.Detail(code: "c", message: "It is so.")
        expect(ControlError.unreachable("/run/x"), "no daemon at the socket")
        expect(ControlError.denied("/run/x"), "no permission")
        expect(ControlError.timedOut(.seconds(1)), "no answer in time")
        expect(ControlError.lost("/run/x"), "not now")
        expect(ControlError.broken("half a line"), "a fault inside Fovea")
        for (status, words) in [
            (400, "bad data"), (403, "no permission"), (404, "no such model"), (409, "a model that was refused"),
            (413, "an image"), (415, "an image"), (422, "an image"), (429, "not now"), (500, "a fault inside Fovea"),
            (503, "not now"), (504, "no answer in time"),
        ] {
            expect(ControlError.refused(status, detail), words)
        }
    }

    @Test func theEngine() throws {
        expect(NetworkDefinitionError("no such setting"), "settings that no network can have")
        expect(ShapeError("pool", given: "3×3", expected: "4×4"), "settings that no network can have")
        let error = #expect(throws: CheckpointError.self) {
            try [UInt8](repeating: 7, count: 64).withUnsafeBytes { _ = try Trainer.settings(of: $0) }
        }
        expect(try #require(error), "a checkpoint")
        let unusable = #expect(throws: UnusableCheckpoint.self) {
            try CheckpointFile(path: "x", name: "x").settings(in: [1, 2, 3])
        }
        expect(try #require(unusable), "a checkpoint")
    }

    /// What nobody has thought of is Fovea's own fault, and says so.
    @Test func anErrorWithoutACodeIsAFaultOfFoveas() {
        struct Unforeseen: Error {}
        #expect(Failure(Unforeseen()).status == .software)
    }

    /// A message may carry a file's name or a label; a terminal must not obey either.
    @Test func messagesDoNotCommandTheTerminal() {
        let failure = Failure(DataError(.missing, "evil\u{1B}[2J\u{202E}name"))
        #expect(failure.message == "evil\u{FFFD}[2J\u{FFFD}name.")
        #expect(safe("two\nlines\u{7}", keepingLines: true) == "two\nlines\u{FFFD}")
    }

    @Test func aShellReadsBackWhatIsQuoted() throws {
        for text in ["plain-1.2/x", "", "it's", "a b", "$(reboot)", "-n", "*", "ä", "a\nb"] {
            let run = try ChildProcess.run(
                "/bin/sh", ["-c", "printf %s \(shellQuoted(text))"], environment: [], limit: 10)
            #expect(String(decoding: run.output, as: UTF8.self) == text)
        }
        #expect(shellQuoted("a/b-1") == "a/b-1")
    }
}
