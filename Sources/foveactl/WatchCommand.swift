import ArgumentParser
import FoveaControl

struct WatchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "Results as they come, until Ctrl-C (--json: one object a line).")

    @OptionGroup var common: CommonOptions

    func run() throws {
        try common.client().stream(Routes.watch) { line in
            if common.json {
                Console.data(line + [0x0A])
            } else if let result = try? ControlClient.decode(line, as: ResultRecord.self) {
                let unsure = result.status == .unsure ? Console.dim("  unsure") : ""
                Console.line(
                    "\(time(result.published))  \(pad(safe(result.label), 20)) "
                        + "\(pad(percent(Double(result.confidence)), 7, right: true))  \(safe(result.file))\(unsure)")
            } else if let error = try? ControlClient.decode(line, as: ErrorRecord.self) {
                let what = Console.red(pad("failed", 20))
                Console.line(
                    "\(time(error.published))  \(what) \(pad("", 7))  \(safe(error.file)): \(safe(error.message))")
            } else if let gap = try? ControlClient.decode(line, as: Gap.self) {
                common.note("(\(gap.dropped) results came faster than this terminal took them)")
            }
            return true
        }
        common.note("The daemon has stopped.")
    }

    private struct Gap: Decodable { let dropped: Int }

    private func time(_ time: Timestamp) -> String {
        Console.dim(String(time.description.dropFirst(11).prefix(8)))
    }
}

/// Padded to a number of columns, at least.
func pad(_ text: String, _ columns: Int, right: Bool = false) -> String {
    let padding = String(repeating: " ", count: max(0, columns - text.count))
    return right ? padding + text : text + padding
}

struct WhyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "why", abstract: "Everything that happened to an image.")

    @Argument(help: "Its name in the inbox or outbox, or its id.")
    var file: String

    @OptionGroup var common: CommonOptions

    func run() throws {
        let answer = try common.client().call("GET", Routes.why, query: [("file", file)], as: WhyAnswer.self)
        if common.json { return try Console.json(answer) }
        Console.line("\(Console.bold(safe(answer.file)))  \(Console.dim(safe(answer.id)))")
        Console.table(answer.events.map { [$0.time.description, safe($0.what), safe($0.detail)] })
    }
}

struct QueueCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue", abstract: "Holds and releases the queue.",
        subcommands: [Pause.self, Resume.self, Drain.self, Retry.self])

    struct Pause: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Take nothing more; finish what was taken.")
        @OptionGroup var common: CommonOptions
        func run() throws {
            try send(.pause, common) {
                "Paused: nothing more is taken from the inbox. \($0.images) images are waiting."
            }
        }
    }

    struct Resume: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Take images again.")
        @OptionGroup var common: CommonOptions
        func run() throws { try send(.resume, common) { "Running. \($0.images) images are waiting." } }
    }

    struct Drain: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Wait until all that waits now is finished.")
        @OptionGroup var common: CommonOptions
        func run() throws { try send(.drain, common) { "Drained: \($0.images) images finished." } }
    }

    struct Retry: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put images that failed for a passing reason into the queue again.")
        @OptionGroup var common: CommonOptions
        func run() throws { try send(.retry, common) { "\($0.images) images are in the queue again." } }
    }

    private static func send(_ verb: QueueVerb, _ common: CommonOptions, _ text: (QueueAnswer) -> String) throws {
        let client = try common.client(timeout: verb == .drain ? .zero : .seconds(60))
        let answer = try client.call("POST", Routes.queue(verb), as: QueueAnswer.self)
        if common.json { return try Console.json(answer) }
        if !common.quiet { Console.line(text(answer)) }
    }
}
