import ArgumentParser
import FoundationEssentials
import FoveaControl
import FoveaSystem
import Glibc
import SystemPackage

struct ClassifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "classify", abstract: "Straight to the terminal, no folders.",
        discussion: """
            Asks the daemon if it runs; else loads the model by itself, in a worker process that may open no files. \
            With several files, one that cannot be classified does not keep the others from it; the exit code is 65.
            """)

    @Argument(help: "Image files, PNG or JPEG; - is standard input.")
    var files: [String]

    @Flag(help: "Do not ask the daemon.")
    var alone = false

    @OptionGroup var common: CommonOptions

    func run() throws {
        let configuration = try common.configuration()
        let limit = configuration.limits.file
        let client = try common.client()
        var failures = 0
        if !alone, UnixListener.answers(client.socket) {
            for file in files {
                failures += try report(file) {
                    let bytes = try read(file, limit: limit)
                    return try client.call(
                        "POST", Routes.classify, query: [("name", file)], body: bytes,
                        contentType: "application/octet-stream")
                }
            }
        } else {
            let classifier = try LocalClassifier(configuration)
            if !common.quiet, Console.isTerminal {
                common.note(Console.dim("(no daemon; \(classifier.model) in a process of its own)"))
            }
            for file in files {
                failures += try report(file) { try classifier.classify(file, bytes: read(file, limit: limit)) }
            }
        }
        if failures > 0 {
            let which =
                files.count == 1
                ? "The image was not classified." : "\(failures) of \(files.count) images were not classified."
            throw Failure(which, code: 65)
        }
    }

    /// 0, or 1 where this image failed; a failure that is not the image's own is thrown.
    private func report(_ file: String, _ classify: () throws -> ResultRecord) throws -> Int {
        let record: ResultRecord
        do {
            record = try classify()
        } catch ControlError.refused(let status, let detail) where status != 503 {
            Console.error("\(safe(file)): \(safe(detail.message)) \(safe(detail.hint))")
            return 1
        } catch let failure as ImageFailure {
            Console.error("\(safe(file)): \(failure.message)")
            return 1
        }
        if common.json {
            Console.data(record.json() + [0x0A])
        } else {
            Self.show(record)
        }
        return 0
    }

    private static func show(_ record: ResultRecord) {
        let kind = record.superclass.map { Console.dim("  (\(safe($0)))") } ?? ""
        let unsure = record.status == .unsure ? Console.dim("  unsure") : ""
        Console.line(
            "\(safe(record.file))  \(Console.bold(safe(record.label)))  \(percent(Double(record.confidence)))\(kind)\(unsure)"
        )
        let others = record.top.dropFirst().map { "\(safe($0.label)) \(percent(Double($0.confidence)))" }
        if !others.isEmpty { Console.line(Console.dim("    then \(others.joined(separator: ", "))")) }
    }

    /// All bytes of the file, or of standard input.
    private func read(_ file: String, limit: Int) throws -> [UInt8] {
        do throws(SystemError) {
            if file != "-" { return try Files.read(try Files.resolve(FilePath(file)), limit: limit) }
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
            case .noSuchFileOrDirectory: throw ImageFailure(message: "there is no such file.")
            case .fileTooLarge:
                throw ImageFailure(
                    message: "is larger than \(Units.show(bytes: limit)). Raise limits.file in the configuration.")
            case .invalidArgument: throw ImageFailure(message: "is not a regular file.")
            default: throw ImageFailure(message: "\(error.errno).")
            }
        }
    }
}

/// One image that cannot be classified, while the next one may be.
struct ImageFailure: Error { let message: String }
