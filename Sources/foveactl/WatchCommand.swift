import ArgumentParser
import FoveaCLI
import FoveaControl

struct WatchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "Results as they come, until Ctrl-C (--json: one object a line).",
        discussion: "Ends with exit code 69 when the daemon stops.")

    @OptionGroup var common: CommonOptions

    func run() throws {
        let client = try common.client()
        do throws(ControlError) {
            try follow(client)
        } catch {
            // Killed, it has no time to end the stream.
            guard case .lost = error, !UnixListener.answers(client.socket) else { throw error }
        }
        throw Failure("The daemon has stopped. `foveactl watch` again when it runs.", .unavailable)
    }

    private func follow(_ client: ControlClient) throws(ControlError) {
        let command = self
        try client.stream(Routes.watch) { command.show($0) }
    }

    private func show(_ line: [UInt8]) -> Bool {
        if common.json {
            Console.data(line + [0x0A])
        } else if let result = try? ControlClient.decode(line, as: ResultRecord.self) {
            Console.line(
                "\(time(result.published))  \(pad(safe(result.label), 20)) "
                    + "\(pad(percent(Double(result.confidence)), 7, right: true))  \(safe(result.file))\(result.mark)")
        } else if let error = try? ControlClient.decode(line, as: ErrorRecord.self) {
            let what = Console.red(pad("failed", 20))
            Console.line(
                "\(time(error.published))  \(what) \(pad("", 7))  \(safe(error.file)): \(safe(error.message))")
        } else if let gap = try? ControlClient.decode(line, as: Gap.self) {
            common.note("(\(gap.dropped) results came faster than this terminal took them)")
        }
        return true
    }

    private struct Gap: Decodable { let dropped: Int }

    private func time(_ time: Timestamp) -> String {
        Console.dim(String(time.description.dropFirst(11).prefix(8)))
    }
}

extension ResultRecord {
    /// Behind a line about a result: why it is not filed under its label; empty where it is.
    var mark: String {
        switch status {
        case .classified: ""
        case .unsure: Console.dim("  unsure")
        case .unknown:
            Console.bold("  unknown") + Console.dim(unknown.map { " \(Units.decimals(Double($0), 2))" } ?? "")
        }
    }
}

/// Padded to a number of columns, at least.
func pad(_ text: String, _ columns: Int, right: Bool = false) -> String {
    let padding = String(repeating: " ", count: max(0, columns - text.count))
    return right ? padding + text : text + padding
}
