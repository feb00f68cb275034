import ArgumentParser
import FoveaModels
import FoveaSystem
import SystemPackage

struct MeasureCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "measure", abstract: "Prints figures that can be compared: medians with their spread.")

    enum Part: String, CaseIterable { case decode, chain, network, training, daemon, swap, retraining }

    @Option(
        help: ArgumentHelp(
            "Only these, with commas: \(Part.allCases.map(\.rawValue).joined(separator: ",")).", valueName: "parts"))
    var only: String?

    @Flag(help: "Fewer and shorter runs: to see that all works.")
    var quick = false

    @Option(help: "NAME or NAME@VERSION in models/ or var/models, or a model's folder (with a / in it).")
    var model: String?

    @Option(help: "A folder per class of PNG and JPEG for daemon and swap; otherwise 5,000 PNGs are made.")
    var images: String?

    @Flag(help: "Print one JSON document at the end.")
    var json = false

    private var parts: Set<Part> {
        get throws {
            guard let only else { return Set(Part.allCases) }
            return Set(
                try only.split(separator: ",").map {
                    guard let part = Part(rawValue: String($0)) else {
                        throw ValidationError("--only does not know '\($0)'.")
                    }
                    return part
                })
        }
    }

    func validate() throws { _ = try parts }

    func run() throws {
        let parts = try parts
        let report = Report(Machine.look(), json: json)
        let effort = quick ? Effort(runs: 3, length: 0.1) : Effort(runs: 7, length: 0.5)
        if parts.contains(.decode) { try DecodeBench.run(report, effort) }
        if parts.contains(.network) { try NetworkBench.inference(report, effort) }
        if parts.contains(.training) { try NetworkBench.training(report, effort) }
        if !parts.isDisjoint(with: [.chain, .daemon, .swap, .retraining]) { try withModel(report, effort, parts) }
        try report.finish()
        if report.checks.contains(where: { !$0.passed }) { throw ExitCode(1) }
    }

    private func withModel(_ report: Report, _ effort: Effort, _ parts: Set<Part>) throws {
        try withTemporaryFolder { folder, keep in
            let models = folder.appending("models")
            let model: BenchModel
            if let found = try findModel() {
                model = try found.copied(to: models)
            } else {
                report.note(
                    "No model in models/: an untrained vanilla network is measured, whose speed says nothing of that model's."
                )
                model = try BenchModel.untrained("bench-vanilla", in: models, seed: 1)
            }
            if parts.contains(.chain) { try ChainBench.run(report, effort, model) }
            guard !parts.isDisjoint(with: [.daemon, .swap, .retraining]) else { return }
            let corpus =
                try images.map { try Corpus(folder: FilePath($0)) }
                ?? Corpus.made(quick ? 1000 : 5000, for: model, in: folder.appending("images"))
            let other = try BenchModel.untrained("bench-other", in: models, seed: 2, like: model.configuration)
            let daemon = try DaemonUnderTest(in: folder, model: model.identifier)
            try daemon.start()
            let rounds = Effort(runs: quick ? 2 : 5, length: 0)
            var bench = DaemonBench(report, rounds, daemon, model, other, corpus)
            if parts.contains(.daemon) { try bench.serving() }
            if parts.contains(.swap) { try bench.swaps() }
            if parts.contains(.retraining) { try bench.besideRetraining() }
            try daemon.stop()
            keep = report.checks.contains { !$0.passed }
        }
    }

    /// The model to measure; nil where none is named and the usual one is not there.
    private func findModel() throws -> BenchModel? {
        if let model, model.contains("/") { return try BenchModel(FilePath(model)) }
        let store = ModelStore(bundled: "models", trained: "var/models")
        do {
            return try BenchModel(store.resolve(model ?? "cifar100").folder)
        } catch {
            if model == nil { return nil }
            throw error
        }
    }
}
