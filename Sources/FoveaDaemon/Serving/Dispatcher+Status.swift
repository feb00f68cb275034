// Answers to "how is it going?".

import FoveaControl
import FoveaSystem
import Glibc
import SystemPackage

extension Dispatcher {
    func status() -> Status {
        let workers = generations.flatMap { generation in
            generation.workers.map { worker in
                Status.Worker(
                    pid: worker.pid, state: Self.word(worker, generation), generation: generation.number,
                    batches: worker.batchCount, images: worker.imageCount, rss: worker.residentBytes)
            }
        }
        return Status(
            version: foveaVersion, pid: getpid(), since: since,
            uptime: Double(monotonicNanoseconds() - started) / 1e9, mode: statusMode, model: serving?.identity,
            chain: serving?.chain.steps ?? [], generation: serving?.number ?? 0,
            sandbox: serving?.hello.map { hello in
                hello.sandboxGaps.isEmpty
                    ? hello.sandbox : "\(hello.sandbox) (missing: \(hello.sandboxGaps.joined(separator: "; ")))"
            } ?? "unknown until a worker serves",
            watch: .init(mode: watcher.mode == .inotify ? .inotify : .polling, overflows: overflows),
            queue: queueStatus,
            rates: .init(tenSeconds: meter.rate(10), minute: meter.rate(60)), workers: workers,
            intake: .init(
                taking: reasonForNotTaking == nil, reason: reasonForNotTaking,
                freeSpace: freeSpace == Int.max ? 0 : freeSpace),
            lastSwap: lastSwap,
            unknown: serving?.hello.map { hello in
                .init(tells: hello.tellsUnknown, above: configuration.thresholds.unknown.limit)
            }, warnings: serving.map(settingsWithoutEffect) ?? [])
    }

    /// What of the configuration has no effect on a model.
    func settingsWithoutEffect(on generation: Generation) -> [String] {
        guard let hello = generation.hello else { return [] }
        return configuration.thresholds.withoutEffect(
            on: "\(generation.identifier)", labels: hello.labels, tellsUnknown: hello.tellsUnknown)
    }

    private var statusMode: Status.Mode {
        switch mode {
        case .paused: .paused
        case .stopping: .stopping
        case .running: serving == nil ? .starting : drains.isEmpty ? .running : .draining
        }
    }

    private static func word(_ worker: Worker, _ generation: Generation) -> String {
        switch worker.state {
        case .starting: "starting"
        case .stopping: "stopping"
        case .serving:
            generation.phase == .draining ? "draining" : worker.batches.isEmpty ? "idle" : "busy"
        }
    }

    static func explain(_ held: Ledger.Held) -> String {
        "is classified (\(held.outcome.folder)) and kept, because the outbox does not take it: \(held.reason). "
            + "Let fovead write there; it tries again every ten seconds."
    }

    private var queueStatus: Status.Queue {
        let inFlight = generations.flatMap { $0.workers.flatMap { $0.batches.flatMap(\.items) } }
        let waiting = suspects + setAside.map(\.item)
        let oldest = (inFlight + waiting + [queue.first].compactMap { $0 }).map(\.taken).min()
        let rate = meter.rate(10)
        let left = inbox.readyCount + queue.count + waiting.count + inFlight.count
        return Status.Queue(
            waiting: inbox.readyCount, settling: inbox.settlingCount, spooled: queue.count + waiting.count,
            classifying: inFlight.count, published: counts.published, failed: counts.failed, unsure: counts.unsure,
            unknown: counts.unknown, held: ledger.held.count,
            ignored: ignored.merging(inbox.refusedCount > 0 ? ["refused": inbox.refusedCount] : [:]) { $1 },
            oldestSeconds: oldest.map { Double(monotonicNanoseconds() - $0) / 1e9 },
            etaSeconds: left == 0 ? 0 : rate > 0 ? Double(left) / rate : nil, current: inFlight.first?.file.escaped)
    }

    /// The timeline of an image that has no result yet.
    func whyInFlight(_ name: String) -> WhyAnswer? {
        func names(_ id: DropID, _ file: FilePath) -> Bool {
            id.description == name || file.escaped == name || file == FilePath(name)
        }
        let inFlight = generations.flatMap { generation in
            generation.workers.flatMap { worker in
                worker.batches.flatMap(\.items).map { ($0, "with worker \(worker.pid) of \(generation.identifier)") }
            }
        }
        var waiting: [(Item, String)] = suspects.map { ($0, "waits to be tried alone: a worker was lost with it") }
        waiting += setAside.map {
            ($0.item, "has ended a worker alone; another such image and the model is rolled back")
        }
        waiting += queue.all.map { ($0, "waits for a worker") }
        for (item, state) in inFlight + waiting where names(item.id, item.file) {
            return WhyAnswer(
                id: item.id.description, file: item.file.escaped,
                events: [
                    .init(time: item.id.received, what: "received", detail: item.file.escaped),
                    .init(time: .now(), what: "now", detail: state),
                ])
        }
        for held in ledger.held where names(held.outcome.id, held.outcome.file) {
            return WhyAnswer(
                id: held.outcome.id.description, file: held.outcome.file.escaped,
                events: [
                    .init(time: held.outcome.id.received, what: "received", detail: held.outcome.file.escaped),
                    .init(time: .now(), what: "now", detail: Self.explain(held)),
                ])
        }
        for file in [FilePath(bytes: percentUnescaped(name)), FilePath(name)] {
            guard let state = inbox.describe(file) else { continue }
            return WhyAnswer(
                id: "", file: file.escaped, events: [.init(time: .now(), what: "now", detail: "in the inbox; \(state)")]
            )
        }
        return nil
    }
}
