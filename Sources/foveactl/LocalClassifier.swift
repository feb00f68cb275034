// `classify` without a daemon: the same sandboxed worker, started for this command alone.

import FoveaControl
import FoveaModels
import FoveaPipeline
import FoveaSystem
import Glibc
import SystemPackage

/// A worker with the model that would serve: the one in `active.json`, else the configuration's.
final class LocalClassifier {
    private let configuration: Configuration
    private let worker: WorkerClient
    private let hello: WorkerHello
    private let identity: ModelIdentity
    private let chain: ChainDescription

    init(_ configuration: Configuration) throws {
        self.configuration = configuration
        let store = ModelStore(bundled: configuration.models, trained: configuration.trainedModels)
        let active = try ActiveModel.read(configuration.activeFile)
        let model = try store.resolve(active.map { "\($0.active.name)@\($0.active.version)" } ?? configuration.model)
        let limits = configuration.limits
        worker = try WorkerClient(
            start: WorkerStart(
                model: model.folder, plugins: configuration.plugins,
                limits: WorkerLimits(
                    bytes: limits.file, side: limits.side, pixels: limits.pixels, memory: limits.memory),
                batch: 1))
        do {
            hello = try worker.waitForHello()
        } catch WorkerClientError.fault(let fault) {
            throw Failure(
                "\(model.identifier) cannot serve: \(fault.text) `foveactl doctor` checks all models.", code: 65)
        } catch WorkerClientError.ended {
            throw Failure("The worker process for \(model.identifier) ended while it was loading.", code: 70)
        }
        identity = ModelIdentity(
            name: model.identifier.name, version: model.identifier.version, sha256: hello.model?.sha256 ?? "")
        chain = ChainDescription(
            hello.stages.map { ChainStep(plugin: $0.plugin, version: $0.version, parameters: $0.parameters) })
    }

    var model: ModelIdentity { identity }

    /// - Throws: `ImageFailure` where this image is at fault.
    func classify(_ file: String, bytes: [UInt8]) throws -> ResultRecord {
        let received = Timestamp.now()
        let descriptor = try memoryFile("image")
        defer { try? descriptor.close() }
        try Files.write(bytes, to: descriptor, subject: "memory")
        let timeout = Duration.milliseconds(Int(configuration.limits.seconds * 1000))
        let outcome: Result<ImageScores, WorkerFault>
        do {
            outcome = try worker.classify(descriptors: [descriptor], timeout: timeout)[0]
        } catch WorkerClientError.timedOut {
            throw Failure(
                "\(safe(file)): takes more than \(configuration.limits.seconds) s. See limits.seconds in the configuration.",
                code: 65)
        } catch WorkerClientError.ended {
            throw Failure(
                "\(safe(file)): ended the worker process, as an image does that needs more than limits.memory.",
                code: 65)
        }
        switch outcome {
        case .failure(let fault): throw ImageFailure(message: fault.text)
        case .success(let scores): return record(file, scores, received)
        }
    }

    private func record(_ file: String, _ scores: ImageScores, _ received: Timestamp) -> ResultRecord {
        let top = ResultRecord.Candidate.best(of: scores.probabilities, labels: hello.labels)
        let best = scores.probabilities.indices.max { scores.probabilities[$0] < scores.probabilities[$1] } ?? 0
        return ResultRecord(
            id: "local", file: percentEscaped(Array(file.utf8)), sha256: hexadecimal(scores.facts.sha256),
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
