import ArgumentParser
import FoveaCLI
import FoveaControl
import FoveaSystem

struct WhyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "why", abstract: "Everything that happened to an image.")

    @Argument(help: "Its name in the inbox or outbox, as on disk or as Fovea prints it, or its id.")
    var file: String

    @OptionGroup var common: CommonOptions

    func run() throws {
        let answer = try common.client().call("GET", Routes.why, query: [("file", fileQuery(file))], as: WhyAnswer.self)
        if common.json { return try Console.json(answer) }
        let id = answer.id.isEmpty ? "" : "  \(Console.dim(safe(answer.id)))"
        Console.line("\(Console.bold(safe(answer.file)))\(id)")
        Console.table(answer.events.map { [$0.time.description, safe($0.what), safe($0.detail)] })
    }
}

/// A name for `file=`: text as it is, for it may be an escaped name already; bytes that are no text escaped.
private func fileQuery(_ argument: String) -> String {
    let bytes = RawArguments.bytes(argument)
    return String(validating: bytes, as: UTF8.self) ?? percentEscaped(bytes)
}

/// `1 image`, `2 images`.
func images(_ count: Int) -> String { count == 1 ? "1 image" : "\(count) images" }

struct QueueCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue", abstract: "Holds and releases the queue.",
        subcommands: [Pause.self, Resume.self, Drain.self, Retry.self])

    struct Pause: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Take nothing more; finish what was taken.")
        @OptionGroup var common: CommonOptions
        func run() throws {
            try send(.pause, common) {
                "Paused: nothing more is taken from the inbox, where \(images($0.images)) can be seen. `foveactl queue resume` goes on."
            }
        }
    }

    struct Resume: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Take images again.")
        @OptionGroup var common: CommonOptions
        func run() throws { try send(.resume, common) { "Running. In the inbox: \(images($0.images))." } }
    }

    struct Drain: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Wait until all that waits now is finished.")
        @OptionGroup var common: CommonOptions
        func run() throws { try send(.drain, common) { "Drained: \(images($0.images)) finished." } }
    }

    struct Retry: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Puts images that failed into the queue again.",
            discussion: """
                Without FILE, all those in failed/ that failed for a passing reason, such as a worker that was lost. With \
                FILE, just these, whatever the reason was.
                """)
        @Argument(help: "A name in outbox/failed, as on disk or as Fovea prints it, or an id.")
        var files: [String] = []
        @OptionGroup var common: CommonOptions

        func run() throws {
            let client = try common.client(timeout: .seconds(60))
            var answer = QueueAnswer(verb: .retry, mode: .running, images: 0)
            var unknown: [String] = []
            for query in files.isEmpty ? [[]] : files.map({ [("file", fileQuery($0))] }) {
                do throws(ControlError) {
                    let part: QueueAnswer = try client.call("POST", Routes.queue(.retry), query: query)
                    answer.mode = part.mode
                    answer.images += part.images
                    if let problems = part.problems { answer.problems = (answer.problems ?? []) + problems }
                } catch {
                    guard case .refused(let status, let detail) = error, status == 404 else { throw error }
                    unknown.append(detail.message)
                }
            }
            if common.json { try Console.json(answer) }
            for problem in (answer.problems ?? []) + unknown { Console.error(safe(sentence(problem))) }
            if !common.json, !common.quiet, answer.images > 0 || (answer.problems == nil && unknown.isEmpty) {
                Console.line(
                    answer.images > 0
                        ? "In the queue again: \(images(answer.images))."
                        : "Nothing to try again: no image in failed/ failed for a passing reason. `foveactl queue retry "
                            + "FILE` tries one whatever its reason.")
            }
            if answer.problems != nil {
                throw Failure("Not all images could be put into the queue again.", .tryAgain)
            }
            if !unknown.isEmpty { throw Failure("Not all of these are in failed/.", .noInput) }
        }
    }

    private static func send(_ verb: QueueVerb, _ common: CommonOptions, _ text: (QueueAnswer) -> String) throws {
        let client = try common.client(timeout: verb == .drain ? .zero : .seconds(60))
        let answer = try client.call("POST", Routes.queue(verb), as: QueueAnswer.self)
        if common.json { return try Console.json(answer) }
        if !common.quiet { Console.line(text(answer)) }
    }
}
