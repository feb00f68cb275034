import ArgumentParser
import FoveaCLI
import FoveaControl
import Glibc

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "One screen: model, queue by state, rates, workers, sandbox level.")

    @Flag(help: "Again every second, until Ctrl-C.")
    var watch = false

    @OptionGroup var common: CommonOptions

    func run() throws {
        let client = try common.client(timeout: .seconds(10))
        repeat {
            let status = try client.call("GET", Routes.status, as: Status.self)
            if common.json {
                try Console.json(status)
            } else if watch && !Console.isTerminal {
                Console.line(Self.oneLine(status))
            } else {
                if watch { Console.data(Array("\u{1B}[H\u{1B}[2J".utf8)) }
                show(status)
            }
            if watch { sleep(1) }
        } while watch
    }

    static func oneLine(_ status: Status) -> String {
        let queue = status.queue
        return "\(Timestamp.now()) \(status.mode.rawValue) waiting \(queue.waiting + queue.settling) "
            + "working \(queue.spooled + queue.classifying) published \(queue.published) failed \(queue.failed) "
            + "unsure \(queue.unsure) unknown \(queue.unknown) \(Units.decimals(status.rates.tenSeconds, 1)) images/s"
    }

    private func show(_ status: Status) {
        let queue = status.queue
        var facts: [[String]] = [
            ["daemon", "\(status.mode.rawValue), process \(status.pid), up \(Units.show(seconds: status.uptime))"],
            [
                "model",
                status.model.map { "\(safe($0.description))  \($0.sha256.prefix(12))  generation \(status.generation)" }
                    ?? "none yet",
            ],
            ["chain", status.chain.map { safe($0.plugin) }.joined(separator: " → ")],
            ["unknown", Self.describe(status.unknown)],
            ["sandbox", safe(status.sandbox)],
            [
                "watching",
                status.watch.mode.rawValue
                    + (status.watch.overflows > 0
                        ? ", \(status.watch.overflows) overflows, each followed by a scan" : ""),
            ],
            [
                "taking",
                (status.intake.taking ? "yes" : "no: \(safe(status.intake.reason ?? "no reason given"))")
                    + ", \(Units.show(bytes: status.intake.freeSpace)) free",
            ],
            [
                "rate",
                "\(Units.decimals(status.rates.tenSeconds, 1)) images/s over 10 s, "
                    + "\(Units.decimals(status.rates.minute, 1)) over 1 min",
            ],
        ]
        if let oldest = queue.oldestSeconds { facts.append(["oldest", Units.show(seconds: oldest)]) }
        if let eta = queue.etaSeconds, eta > 0 { facts.append(["done in", Units.show(seconds: eta)]) }
        if let current = queue.current { facts.append(["now", safe(current)]) }
        if let swap = status.lastSwap { facts.append(["last swap", Self.describe(swap)]) }
        for warning in status.warnings { facts.append(["warning", safe(warning)]) }
        Console.table(facts)
        Console.line()
        Console.table(
            [
                [
                    queue.settling, queue.waiting, queue.spooled, queue.classifying, queue.published, queue.unsure,
                    queue.unknown, queue.failed,
                ].map(String.init)
            ], header: ["settling", "waiting", "taken", "classifying", "published", "unsure", "unknown", "failed"],
            right: Set(0..<8))
        if !queue.ignored.isEmpty {
            let kinds = queue.ignored.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
            Console.line(Console.dim("left alone in the inbox: \(kinds.joined(separator: ", "))"))
        }
        if status.workers.isEmpty { return }
        Console.line()
        Console.table(
            status.workers.map {
                [
                    "\($0.pid)", safe($0.state), "\($0.generation)", "\($0.batches)", "\($0.images)",
                    Units.show(bytes: $0.rss),
                ]
            }, header: ["worker", "state", "generation", "batches", "images", "memory"], right: [0, 2, 3, 4, 5])
    }

    private static func describe(_ unknown: Status.Unknown?) -> String {
        guard let unknown else { return "no model yet" }
        guard unknown.tells else { return "the model cannot tell which images belong to none of its classes" }
        guard let above = unknown.above else { return "off: no image is filed as unknown" }
        return above == 1
            ? "images above the model's own threshold go to unknown/"
            : "images above \(Units.decimals(above, 2)) times the model's own threshold go to unknown/"
    }

    private static func describe(_ swap: SwapReceipt) -> String {
        let models = "\(swap.old?.description ?? "nothing") → \(swap.new?.description ?? "?")"
        switch swap.outcome {
        case .switched:
            let cause = swap.cause.map { "; by itself: \(safe($0))" } ?? ""
            return "\(safe(models)), \(swap.switchedAt?.description ?? "")\(cause)"
        case .refused: return "\(safe(models)) refused: \(safe(swap.reason ?? ""))"
        }
    }
}
