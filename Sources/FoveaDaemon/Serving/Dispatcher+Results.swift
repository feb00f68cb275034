// From workers' answers to the outbox.

import FoveaControl
import FoveaHistory
import FoveaModels
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
                    let since = worker.since
                    if let batch = worker.finish(scores.batch) {
                        generation.slowestImage = max(
                            generation.slowestImage ?? 0, (monotonicNanoseconds() - since) / max(1, batch.items.count))
                        take(scores, batch, generation)
                    }
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
                let (record, verdict) = Records.result(
                    item, value, generation, thresholds: configuration.thresholds, shares: shares)
                if case .spool = item.source { generation.health.note(confidence: record.confidence) }
                decide(item, result: record, verdict)
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

    private func decide(_ item: Item, result record: ResultRecord, _ verdict: Verdict) {
        switch item.source {
        case .request(let descriptor, let reply):
            try? descriptor.close()
            reply.set(.success(record))
        case .spool:
            let document = record.json()
            decided.append(
                Decision(
                    outcome: Outcome(id: item.id, file: item.file, folder: verdict.folder, document: document),
                    record: .result(record)))
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
                    outcome: Outcome(id: item.id, file: item.file, folder: OutboxFolder.failed, document: document),
                    record: .error(record)))
        }
    }

    /// Commits all that is decided with one sync, then publishes it.
    func commitAndPublish() {
        if decided.isEmpty, ledger.unpublished.isEmpty { return }
        guard monotonicNanoseconds() >= retryAt || trouble == nil else { return }
        do throws(SystemError) {
            if !decided.isEmpty {
                try ledger.commit(decided.map(\.outcome))
                for decision in decided { records[decision.outcome.id] = decision.record }
                decided = []
            }
            var entries: [HistoryEntry] = []
            defer {
                history.note(entries)
                reportHeld()
            }
            try ledger.publish { outcome, path in
                reportedHeld.remove(outcome.id)
                if let entry = tell(outcome, records.removeValue(forKey: outcome.id), path) { entries.append(entry) }
            }
            if trouble != nil { clearTrouble() }
        } catch {
            setTrouble("\(error)")
        }
    }

    private func reportHeld() {
        for held in ledger.held where reportedHeld.insert(held.outcome.id).inserted {
            log.error("\(held.outcome.file.escaped) \(Self.explain(held))")
            history.note("held", Self.explain(held), image: held.outcome.id.description)
        }
    }

    /// Counts and tells everybody who listens.
    ///
    /// - Parameter record: nil for an outcome that an earlier run of the daemon has decided.
    private func tell(_ outcome: Outcome, _ record: Decision.Record?, _ path: FilePath) -> HistoryEntry? {
        watchers.send(outcome.document)
        counts.published += 1
        switch record {
        case .result(let record):
            switch record.status {
            case .classified: break
            case .unsure: counts.unsure += 1
            case .unknown: counts.unknown += 1
            }
            return HistoryEntry(record, path: path.escaped)
        case .error(let record):
            counts.failed += 1
            log.warning("failed: \(path.escaped): \(record.message) [\(record.reason)]")
            return HistoryEntry(record, path: path.escaped)
        case nil:
            var entry = History.entry(document: outcome.document)
            entry?.path = path.escaped
            return entry
        }
    }
}
