// The daemon from outside: images renamed into its inbox, results seen in its outbox.
//
// Throughput alternates with `fovea-train evaluate` on the same images and cores, so that whatever slows the machine
// for a while slows both. `evaluate` decodes before its clock starts; the daemon decodes, hashes, syncs and files each
// image inside of it, so a ratio of 1 would mean that all this is free.

import FoveaControl
import FoveaSystem
import Glibc
import SystemPackage

struct DaemonBench {
    let report: Report
    let effort: Effort
    let daemon: DaemonUnderTest
    let model: BenchModel
    /// Another network of the same kind, for swaps.
    let other: BenchModel
    let corpus: Corpus
    /// Names and hashes of everything dropped so far, and which image of the corpus each is.
    private var dropped: [String: String] = [:]
    private var imageOf: [String: Int] = [:]

    init(
        _ report: Report, _ effort: Effort, _ daemon: DaemonUnderTest, _ model: BenchModel, _ other: BenchModel,
        _ corpus: Corpus
    ) {
        (self.report, self.effort, self.daemon) = (report, effort, daemon)
        (self.model, self.other, self.corpus) = (model, other, corpus)
    }

    // MARK: - Throughput and latency

    mutating func serving() throws {
        report.begin(
            "daemon", "\(model.identifier), \(number(Double(corpus.images.count))) images, \(coreCount) workers")
        try send("warm", Array(corpus.images.indices.prefix(256)))
        var served: [Double] = []
        var evaluated: [Double] = []
        let scores = daemon.folder.appending("scores.jsonl")
        for round in 0..<effort.runs {
            let evaluation = try evaluate(model, scores: scores)
            if round == 0, evaluation.images != corpus.images.count {
                throw BenchError("evaluate took \(evaluation.images) of \(corpus.images.count) images")
            }
            evaluated.append(evaluation.imagesPerSecond)
            served.append(Double(corpus.images.count) / (try send("r\(round)", Array(corpus.images.indices))))
        }
        report.add(Figure("daemon", "evaluate, without a daemon", unit: "images/s", evaluated))
        report.add(Figure("daemon", "first rename to last result", unit: "images/s", served))
        report.add(Figure("daemon", "daemon / evaluate", unit: "", zip(served, evaluated).map { $0 / $1 }))
        try latency()
        let results = try settle("daemon")
        compare(results.filter { imageOf[$0.key] != nil }, [model: try Evaluation.scores(scores)], "daemon")
    }

    /// One image on an idle daemon, from its rename until its result stands in the outbox.
    private mutating func latency() throws {
        for label in model.configuration.labels { try Files.makeDirectories(daemon.outbox.appending(label)) }
        let watch = try OutboxWatch(model.configuration.labels.map { daemon.outbox.appending($0) })
        var milliseconds: [Double] = []
        for index in 0..<50 {
            let image = corpus.images[index % corpus.images.count]
            let name = "one-\(index)\(image.ending)"
            try prepare(name, index % corpus.images.count)
            // Until everything that the last one set in motion has come to rest.
            usleep(50_000)
            let begin = seconds()
            try daemon.send(name)
            try watch.wait(for: "\(name).json")
            milliseconds.append((seconds() - begin) * 1000)
        }
        let sorted = milliseconds.sorted()
        report.add(
            Figure(
                "daemon", "one image, rename to result", unit: "ms", milliseconds,
                also: { _ in "90% within \(number(percentile(sorted, 0.9))) ms" }))
    }

    // MARK: - Swaps

    mutating func swaps() throws {
        report.begin("swap", "request to receipt, \(model.identifier) ⇄ \(other.identifier)")
        let swaps = effort.runs < 5 ? 6 : 20
        var proofs: [Double] = []
        func swap(_ number: Int) throws -> Double {
            let begin = seconds()
            let receipt = try daemon.swap(to: (number % 2 == 0 ? other : model).identifier)
            proofs.append((receipt.loadMs ?? 0) + (receipt.warmUpMs ?? 0) + (receipt.goldenMs ?? 0))
            return (seconds() - begin) * 1000
        }
        report.add(Figure("swap", "idle", unit: "ms", try (0..<swaps).map(swap)))
        report.add(Figure("swap", "of which load, warm-up, golden set", unit: "ms", proofs))

        // Images keep coming until the last swap is over.
        let before = dropped.count
        var busy: [Double] = []
        var waves = 0
        var begin = try daemon.status().queue.published
        var expected = begin
        for number in 0..<swaps {
            while try daemon.status().queue.published > expected - corpus.images.count / 2 {
                for index in corpus.images.indices {
                    let name = "w\(waves)-\(index)\(corpus.images[index].ending)"
                    try prepare(name, index)
                    try daemon.send(name)
                }
                waves += 1
                expected += corpus.images.count
            }
            busy.append(try swap(number))
        }
        report.add(Figure("swap", "under load", unit: "ms", busy))
        begin = expected
        try daemon.waitUntilPublished(begin)
        let results = try settle("swap")
        var scores: [BenchModel: [String: [ResultRecord.Candidate]]] = [:]
        for model in [model, other] {
            let file = daemon.folder.appending("scores-\(model.configuration.name).jsonl")
            _ = try evaluate(model, scores: file)
            scores[model] = try Evaluation.scores(file)
        }
        let here = results.filter { $0.key.hasPrefix("w") && !$0.key.hasPrefix("warm") }
        report.add(
            Check(
                group: "swap", text: "\(swaps) swaps while \(number(Double(dropped.count - before))) images came",
                passed: here.count == dropped.count - before))
        compare(here, scores, "swap")
    }

    // MARK: - Pieces

    private func evaluate(_ model: BenchModel, scores: FilePath) throws -> Evaluation {
        try Evaluation.run(
            model, corpus, configuration: daemon.configurationFile,
            output: daemon.folder.appending("evaluation.json"), scores: scores)
    }

    private mutating func prepare(_ name: String, _ index: Int) throws {
        try daemon.prepare(name, corpus.images[index].bytes)
        dropped[name] = corpus.images[index].sha256
        imageOf[name] = index
    }

    /// Drops images of the corpus and waits for their results.
    /// - Returns: seconds from the first rename to the last result.
    @discardableResult
    mutating func send(_ prefix: String, _ indices: [Int]) throws -> Double {
        let names = try indices.map { index in
            let name = "\(prefix)-\(index)\(corpus.images[index].ending)"
            try prepare(name, index)
            return name
        }
        let before = try daemon.status().queue.published
        let begin = seconds()
        for name in names { try daemon.send(name) }
        try daemon.waitUntilPublished(before + names.count)
        return seconds() - begin
    }

    /// Everything dropped has its result, once.
    func settle(_ group: String) throws -> [String: ResultRecord] {
        // The last image itself may follow its result by a moment.
        usleep(200_000)
        let (results, faults) = try daemon.audit(dropped)
        for fault in faults.prefix(5) { report.note(fault) }
        report.add(
            Check(
                group: group,
                text:
                    "\(number(Double(results.count))) of \(number(Double(dropped.count))) images have exactly one result",
                passed: faults.isEmpty))
        return results
    }

    /// Bit for bit what `evaluate` says, for the model that each result names.
    private func compare(
        _ results: [String: ResultRecord], _ scores: [BenchModel: [String: [ResultRecord.Candidate]]], _ group: String
    ) {
        let bySHA = Dictionary(uniqueKeysWithValues: scores.map { ($0.key.sha256, $0.value) })
        let identical = results.count { name, record in
            guard let expected = bySHA[record.model.sha256]?[corpus.images[imageOf[name]!].name] else { return false }
            return record.top.isIdentical(to: expected)
        }
        let models = Set(results.values.map(\.model.sha256)).count
        report.add(
            Check(
                group: group,
                text: "\(number(Double(identical))) of \(number(Double(results.count))) scores are identical to "
                    + "evaluate's"
                    + (models > 1 ? ", each for the model that its result names (\(models) models)" : ""),
                passed: identical == results.count && !results.isEmpty))
    }
}

extension BenchModel: Hashable {
    static func == (a: BenchModel, b: BenchModel) -> Bool { a.sha256 == b.sha256 }
    func hash(into hasher: inout Hasher) { hasher.combine(sha256) }
}
