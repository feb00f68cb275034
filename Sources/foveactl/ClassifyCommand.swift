import ArgumentParser
import FoundationEssentials
import FoveaCLI
import FoveaControl
import FoveaSystem
import Glibc
import SystemPackage

struct ClassifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "classify", abstract: "Straight to the terminal, no folders.",
        discussion: """
            Asks the daemon if it runs; else loads the model by itself, in a worker process that may open no files. \
            With several files, one that cannot be classified does not keep the others from it. The exit code says what \
            became of those that were not classified: 65 the image is bad, 66 there is no such file, 75 try again; 65 \
            where they differ.
            """)

    @Argument(help: "Image files, PNG or JPEG; - is standard input.")
    var files: [PathArgument]

    @Flag(help: "Do not ask the daemon.")
    var alone = false

    @OptionGroup var common: CommonOptions

    func run() throws {
        let configuration = try common.configuration()
        let limit = configuration.limits.file
        let client = try common.client()
        let classify: (FilePath, [UInt8]) throws -> ResultRecord
        if !alone, UnixListener.answers(client.socket) {
            classify = { file, bytes in
                try client.call(
                    "POST", Routes.classify, query: [("name", file.escaped)], body: bytes,
                    contentType: "application/octet-stream")
            }
        } else {
            let classifier = try LocalClassifier(configuration)
            if !common.quiet, Console.isTerminal {
                common.note(Console.dim("(no daemon; \(classifier.model) in a process of its own)"))
            }
            classify = { file, bytes in try classifier.classify(file, bytes: bytes) }
        }
        let codes = try files.compactMap { file in
            try report(file.path) { try classify(file.path, read(file.path, limit: limit)) }
        }
        guard let code = codes.first else { return }
        let which =
            files.count == 1
            ? "The image was not classified." : "\(codes.count) of \(files.count) images were not classified."
        throw Failure(which, codes.allSatisfy { $0 == code } ? code : .data)
    }

    /// nil, or a status where this image failed; a failure that is not the image's own is thrown.
    private func report(_ file: FilePath, _ classify: () throws -> ResultRecord) throws -> ExitStatus? {
        let record: ResultRecord
        do {
            record = try classify()
        } catch let error as ControlError where error.isRefusal {
            Console.error("\(safe(file.escaped)): \(safe(error.description))")
            return error.exitStatus
        } catch let failure as ImageFailure {
            Console.error("\(safe(file.escaped)): \(safe(sentence(failure.message)))")
            return failure.status
        }
        if common.json {
            Console.data(record.json() + [0x0A])
        } else {
            Self.show(record)
        }
        return nil
    }

    private static func show(_ record: ResultRecord) {
        let kind = record.superclass.map { Console.dim("  (\(safe($0)))") } ?? ""
        let mark = record.mark
        Console.line(
            "\(safe(record.file))  \(Console.bold(safe(record.label)))  \(percent(Double(record.confidence)))\(kind)\(mark)"
        )
        let others = record.top.dropFirst().map { "\(safe($0.label)) \(percent(Double($0.confidence)))" }
        if !others.isEmpty { Console.line(Console.dim("    then \(others.joined(separator: ", "))")) }
    }

    /// All bytes of the file, or of standard input.
    private func read(_ file: FilePath, limit: Int) throws -> [UInt8] {
        do throws(SystemError) {
            if file != "-" { return try Files.read(try Files.resolve(file), limit: limit) }
            var bytes: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            while true {
                let count = try retrying("read", "standard input") { Glibc.read(0, &buffer, buffer.count) }
                if count == 0 { return bytes }
                bytes += buffer[..<count]
                if bytes.count > limit { throw SystemError("read", "standard input", errno: .fileTooLarge) }
            }
        } catch {
            switch error.errno {
            case .noSuchFileOrDirectory, .notDirectory: throw ImageFailure("there is no such file", .noInput)
            case .fileTooLarge:
                throw ImageFailure(
                    "the file is larger than \(Units.show(bytes: limit)); raise limits.file in the configuration")
            case .invalidArgument:
                let isFolder = (try? Files.status(file, followingLinks: true))?.isDirectory == true
                throw ImageFailure(isFolder ? "this is a folder; name the images in it" : "this is not a regular file")
            case .permissionDenied: throw ImageFailure("you may not read this file", .noPermission)
            default: throw ImageFailure("the file cannot be read: \(error.errno)", .inputOutput)
            }
        }
    }
}

/// One image that cannot be classified, while the next one may be.
struct ImageFailure: Error {
    let message: String
    let status: ExitStatus

    init(_ message: String, _ status: ExitStatus = .data) {
        self.message = message
        self.status = status
    }
}
