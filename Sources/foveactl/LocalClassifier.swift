// `classify` without a daemon: the same sandboxed worker, started for this command alone.

import FoveaCLI
import FoveaControl
import FoveaModels
import FoveaPipeline
import FoveaSystem
import Glibc
import SystemPackage

/// A worker with the model that would serve: the one in `active.json`, else the configuration's. An image that ends the
/// worker costs that image only: the next one gets a new worker.
final class LocalClassifier {
    private let configuration: Configuration
    private let chosen: ModelStore.Model
    /// nil where the last image has ended it.
    private var worker: WorkerClient?
    private var hello: WorkerHello
    private let identity: ModelIdentity
    private let chain: ChainDescription

    init(_ configuration: Configuration) throws {
        self.configuration = configuration
        let store = ModelStore(bundled: configuration.models, trained: configuration.trainedModels)
        let active = try ActiveModel.read(configuration.activeFile)
        do throws(ModelError) {
            chosen = try store.resolve(active.map { "\($0.active.name)@\($0.active.version)" } ?? configuration.model)
        } catch {
            guard error.code == .notFound else { throw error }
            throw Failure(Self.advice(error, configuration, store), .noInput)
        }
        let (worker, hello) = try Self.start(chosen, configuration)
        self.worker = worker
        self.hello = hello
        identity = ModelIdentity(
            name: chosen.identifier.name, version: chosen.identifier.version, sha256: hello.model?.sha256 ?? "")
        chain = ChainDescription(
            hello.stages.map { ChainStep(plugin: $0.plugin, version: $0.version, parameters: $0.parameters) })
    }

    /// Where a model was looked for, and what a person who stands in another folder can do.
    private static func advice(_ error: ModelError, _ configuration: Configuration, _ store: ModelStore) -> String {
        let isEmpty = ((try? store.list()) ?? []).isEmpty
        let looked = [configuration.models, configuration.trainedModels].map(\.escaped).joined(separator: " and ")
        return "\(error). "
            + (isEmpty ? "Looked for models in \(looked); these folders come from the configuration. " : "")
            + "Name the configuration of your installation with --config FILE (its keys `models` and `model` say where models are "
            + "and which one serves), or ask a running daemon with --socket PATH. `foveactl model list --config FILE` shows the "
            + "models."
    }

    private static func start(
        _ model: ModelStore.Model, _ configuration: Configuration
    ) throws -> (WorkerClient, WorkerHello) {
        let limits = configuration.limits
        let worker = try WorkerClient(
            start: WorkerStart(
                model: model.folder, plugins: configuration.plugins,
                limits: WorkerLimits(
                    bytes: limits.file, side: limits.side, pixels: limits.pixels, memory: limits.memory),
                batch: 1, tta: configuration.tta.flatMap(TestTimeAugmentation.init(rawValue:))))
        do {
            return (worker, try worker.waitForHello())
        } catch WorkerClientError.fault(let fault) {
            throw Failure(
                "\(sentence("\(model.identifier) cannot serve: \(fault.text)")) `foveactl doctor` checks all models.",
                .data)
        } catch WorkerClientError.ended {
            throw Failure(
                "The worker process for \(model.identifier) ended while it was loading. `foveactl doctor` checks all "
                    + "models, `foveactl plugin check` a plugin.", .software)
        }
    }

    var model: ModelIdentity { identity }

    private func endWorker() {
        _ = worker?.end()
        worker = nil
    }

    /// - Throws: `ImageFailure` where this image is at fault.
    func classify(_ file: FilePath, bytes: [UInt8]) throws -> ResultRecord {
        let received = Timestamp.now()
        let descriptor = try memoryFile("image")
        defer { try? descriptor.close() }
        try Files.write(bytes, to: descriptor, subject: "memory")
        if worker == nil {
            let (worker, hello) = try Self.start(chosen, configuration)
            self.worker = worker
            self.hello = hello
        }
        let timeout = Duration.milliseconds(Int(configuration.limits.seconds * 1000))
        let outcome: Result<ImageScores, WorkerFault>
        do {
            outcome = try worker!.classify(descriptors: [descriptor], timeout: timeout)[0]
        } catch WorkerClientError.timedOut {
            endWorker()
            throw ImageFailure("took more than \(configuration.limits.seconds) s, which is limits.seconds")
        } catch WorkerClientError.fault(let fault) {
            endWorker()
            throw ImageFailure(fault.text, .software)
        } catch let error as WorkerClientError {
            endWorker()
            guard error == .ended else { throw error }
            throw ImageFailure(
                "the worker process ended while it had this image: a plugin of \(chosen.identifier) crashed, or the "
                    + "image needs more than limits.memory")
        }
        switch outcome {
        case .failure(let fault): throw ImageFailure(fault.text)
        case .success(let scores): return record(file, scores, received)
        }
    }

    private func record(_ file: FilePath, _ scores: ImageScores, _ received: Timestamp) -> ResultRecord {
        let top = ResultRecord.Candidate.best(of: scores.probabilities, labels: hello.labels)
        let best = scores.probabilities.indices.max { scores.probabilities[$0] < scores.probabilities[$1] } ?? 0
        return ResultRecord(
            id: "local", file: file.escaped, sha256: hexadecimal(scores.facts.sha256),
            bytes: scores.facts.bytes, width: scores.facts.width, height: scores.facts.height, label: top[0].label,
            confidence: top[0].confidence, top: top,
            superclass: hello.superclassOf.flatMap { of in hello.superclasses.map { $0[of[best]] } },
            status: Double(top[0].confidence) < configuration.confidence ? .unsure : .classified, model: identity,
            chain: chain, received: received, published: .now(),
            timings: [
                "read": Double(scores.readMicroseconds) / 1000, "decode": Double(scores.decodeMicroseconds) / 1000,
            ])
    }
}
