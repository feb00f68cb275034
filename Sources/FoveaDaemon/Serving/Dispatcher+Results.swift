// From workers' answers to the outbox.

import FoveaControl
import FoveaPipeline
import FoveaSystem
import SystemPackage

extension Dispatcher {
    /// Takes all that a worker has said.
    func receive(from worker: Worker) {
        guard let generation = generations.first(where: { $0.workers.contains { $0 === worker } }) else { return }
        while true {
            do {
                guard let message = try worker.client.receive() else { return }
                switch message {
                case .hello(let hello): started(worker, hello, of: generation)
                case .refused(let fault), .failed(let fault):
                    return lose(worker, of: generation, because: fault.description)
                case .scores(let scores):
                    if let batch = worker.finish(scores.batch) { take(scores, batch, generation) }
                case .preview, .pixels: break
                }
            } catch WorkerClientError.ended {
                return lose(worker, of: generation, because: nil)
            } catch {
                return lose(worker, of: generation, because: "\(error)")
            }
        }
    }

    private func take(_ scores: WorkerScores, _ batch: Worker.Batch, _ generation: Generation) {
        let successes = max(1, scores.images.count { if case .success = $0.outcome { true } else { false } })
        let shares = zip(generation.hello?.stages ?? [], scores.stageMicroseconds).map {
            ($0.plugin, Double($1) / 1000 / Double(successes))
        }
        for (item, image) in zip(batch.items, scores.images) {
            switch image.outcome {
            case .success(let value):
                let record = Records.result(
                    item, value, generation, threshold: configuration.confidence, shares: shares)
                decide(item, result: record, generation)
            case .failure(let fault): decide(item, failure: fault, generation)
            }
        }
        if let last = batch.items.last {
            generation.lastImage = .init(id: last.id.description, file: last.file.escaped)
            if generation.firstImage == nil, let first = batch.items.first {
                generation.firstImage = .init(id: first.id.description, file: first.file.escaped)
            }
        }
        meter.count(batch.items.count)
    }

    private func decide(_ item: Item, result record: ResultRecord, _ generation: Generation) {
        switch item.source {
        case .request(let descriptor, let reply):
            try? descriptor.close()
            reply.set(.success(record))
        case .spool:
            let document = record.json()
            let folder = record.status == .unsure ? OutboxNames.unsure : record.label
            decided.append(
                Decision(
                    outcome: Outcome(id: item.id, file: item.file, folder: folder, document: document),
                    record: .result(record), line: document))
        }
    }

    func decide(_ item: Item, failure fault: WorkerFault, _ generation: Generation?) {
        let record = Records.error(item, fault, generation)
        switch item.source {
        case .request(let descriptor, let reply):
            try? descriptor.close()
            reply.set(.failure(record))
        case .spool:
            let document = record.json()
            decided.append(
                Decision(
                    outcome: Outcome(id: item.id, file: item.file, folder: OutboxNames.failed, document: document),
                    record: .error(record), line: document))
        }
    }

    /// Commits all that is decided with one sync, then publishes it.
    func commitAndPublish() {
        if decided.isEmpty, ledger.unpublished.isEmpty { return }
        guard monotonicNanoseconds() >= retryAt || trouble == nil else { return }
        do throws(SystemError) {
            if !uncommitted.isEmpty {
                try ledger.commit(uncommitted.map(\.outcome))
                committed = decided.count
            }
            var entries: [HistoryEntry] = []
            var done = 0
            defer {
                decided.removeFirst(done)
                committed -= done
                history.note(entries)
            }
            try ledger.publish { outcome, path in
                // Both are in the order of decision.
                let decision = decided[done]
                done += 1
                entries.append(tell(decision, path))
            }
            if trouble != nil { clearTrouble() }
        } catch {
            setTrouble("\(error)")
        }
    }

    private var uncommitted: ArraySlice<Decision> { decided[committed...] }

    /// Counts and tells everybody who listens.
    private func tell(_ decision: Decision, _ path: FilePath) -> HistoryEntry {
        watchers.send(decision.line)
        counts.published += 1
        switch decision.record {
        case .result(let record):
            if record.status == .unsure { counts.unsure += 1 }
            return HistoryEntry(record, path: path.escaped)
        case .error(let record):
            counts.failed += 1
            log.warning("failed: \(path.escaped): \(record.message) [\(record.reason)]")
            return HistoryEntry(record, path: path.escaped)
        }
    }
}
