import FoveaControl
import FoveaHistory
import FoveaModels
import FoveaPipeline
import FoveaRetraining
import FoveaSystem
import Glibc
import SystemPackage

/// The images that were classified last, read in sandboxed workers as the daemon reads them.
final class PublishedImages: ComparedImages {
    private let configuration: Configuration
    private let paths: [FilePath]
    private let missing: Int
    /// For thumbnails; started when the first one is asked for.
    private var viewer: WorkerClient?

    init(_ count: Int, _ configuration: Configuration) throws {
        self.configuration = configuration
        guard let history = try HistoryReader(state: configuration.state) else {
            throw Failure.noInput(
                "\(configuration.state.escaped): there is no history, so no image has been classified; --data compares on "
                    + "labelled images")
        }
        let published = try history.latest(count).map { FilePath(bytes: percentUnescaped($0.path)) }
        paths = published.filter {
            ((try? Files.statusIfPresent(configuration.outbox.pushing($0))) ?? nil)?.isRegular == true
        }
        missing = published.count - paths.count
        guard !paths.isEmpty else {
            throw Failure.noInput(
                published.isEmpty
                    ? "no image has been classified yet; --data compares on labelled images"
                    : "none of the last \(published.count) images is still in \(configuration.outbox.escaped)")
        }
    }

    var notes: [String] { missing == 0 ? [] : ["\(missing) images are no longer in the outbox"] }

    func answers(
        of old: ComparedModel, and new: ComparedModel
    ) throws -> ([ModelComparison.Difference], [CorrectionProblem]) {
        let first = try outcomes(of: old)
        let second = try outcomes(of: new)
        var answers: [ModelComparison.Difference] = []
        var failures: [CorrectionProblem] = []
        for (path, outcome) in zip(paths, zip(first, second)) {
            switch outcome {
            case (.success(let before), .success(let after)):
                answers.append(.init(image: path.escaped, old: before, new: after))
            case (.failure(let fault), _):
                failures.append(.init(path: path.escaped, reason: "\(old.name): \(fault.reason)"))
            case (_, .failure(let fault)):
                failures.append(.init(path: path.escaped, reason: "\(new.name): \(fault.reason)"))
            }
        }
        return (answers, failures)
    }

    /// One answer for each path.
    private func outcomes(of model: ComparedModel) throws -> [Result<ModelComparison.Answer, CorrectionFault>] {
        var results: [Result<ModelComparison.Answer, CorrectionFault>] = []
        var worker: WorkerClient?
        defer { _ = worker?.end() }
        while results.count < paths.count {
            let group = Array(paths[results.count...].prefix(configuration.batch))
            if let answers = try attempt(group, model, &worker) {
                results += answers
                continue
            }
            // One of them has ended the worker: each alone.
            for path in group {
                results +=
                    try attempt([path], model, &worker) ?? [
                        .failure(CorrectionFault("it ended the worker process, or took too long"))
                    ]
            }
        }
        return results
    }

    /// nil where the worker has ended or was too slow.
    private func attempt(
        _ group: [FilePath], _ model: ComparedModel, _ worker: inout WorkerClient?
    ) throws -> [Result<ModelComparison.Answer, CorrectionFault>]? {
        if worker == nil { worker = try start(model) }
        let files = group.map { path in
            Result { () throws(SystemError) in
                try Files.open(configuration.outbox.pushing(path), O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
            }
        }
        defer { for case .success(let descriptor) in files { try? descriptor.close() } }
        do {
            var scores = try worker!.classify(
                descriptors: files.compactMap { try? $0.get() },
                timeout: .milliseconds(Int(configuration.limits.seconds * 1000) * (group.count + 1)))[...]
            let labels = model.configuration.labels
            return files.map { file in
                switch file {
                case .failure(let error): .failure(CorrectionFault("\(error)"))
                case .success:
                    scores.removeFirst().map { scores in
                        let best = scores.probabilities.indices.max {
                            scores.probabilities[$0] < scores.probabilities[$1]
                        }!
                        return .init(label: labels[best], confidence: Double(scores.probabilities[best]))
                    }.mapError { CorrectionFault($0.text) }
                }
            }
        } catch is WorkerClientError {
            _ = worker?.end()
            worker = nil
            return nil
        }
    }

    private func start(_ model: ComparedModel) throws -> WorkerClient {
        let limits = configuration.limits
        let worker = try WorkerClient(
            start: WorkerStart(
                model: model.folder, plugins: configuration.plugins,
                limits: WorkerLimits(
                    bytes: limits.file, side: limits.side, pixels: limits.pixels, memory: limits.memory),
                batch: configuration.batch, tta: configuration.tta.flatMap(TestTimeAugmentation.init(rawValue:))))
        do {
            try worker.waitForHello()
        } catch WorkerClientError.fault(let fault) {
            throw Failure.data("\(model.name) cannot serve: \(fault.text)")
        }
        return worker
    }

    func thumbnail(of image: String, _ model: ComparedModel) throws -> [UInt8]? {
        if viewer == nil { viewer = try start(model) }
        let path = configuration.outbox.pushing(FilePath(bytes: percentUnescaped(image)))
        guard let file = try? Files.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK) else { return nil }
        defer { try? file.close() }
        do {
            return try viewer?.preview(file).thumbnailPNG
        } catch is WorkerFault {
            return nil
        } catch is WorkerClientError {
            _ = viewer?.end()
            viewer = nil
            return nil
        }
    }

    deinit { _ = viewer?.end() }
}
