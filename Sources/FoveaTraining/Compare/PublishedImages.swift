import FoveaCLI
import FoveaControl
import FoveaHistory
import FoveaModels
import FoveaPipeline
import FoveaRetraining
import FoveaSystem
import Glibc
import SystemPackage

/// The images that were classified last and are still in the outbox, read in sandboxed workers as the daemon reads them.
package final class PublishedImages: ComparedImages {
    private let configuration: Configuration
    private let paths: [FilePath]
    private let missing: Int
    /// For thumbnails; made when the first one is asked for.
    private var viewer: WorkerQuestions<[UInt8]>?

    package init(_ count: Int, _ configuration: Configuration) throws {
        self.configuration = configuration
        guard let history = try HistoryReader(state: configuration.state) else {
            throw Failure.noInput(
                "\(configuration.state.escaped): there is no history, so no image has been classified; --data compares on "
                    + "labelled images")
        }
        var looked: (paths: [FilePath], missing: Int, isAll: Bool)
        var depth = count
        repeat {
            looked = try Self.look(history, depth, configuration)
            depth *= 4
        } while looked.paths.count < count && !looked.isAll
        paths = Array(looked.paths.prefix(count))
        missing = paths.count < count ? looked.missing : 0
        guard !paths.isEmpty else {
            throw Failure.noInput(
                looked.missing == 0
                    ? "no image has been classified yet; --data compares on labelled images"
                    : "none of \(Figures.grouped(looked.missing)) images is still in \(configuration.outbox.escaped)")
        }
    }

    /// Those of the last `depth` images that are still there, and how many are not.
    private static func look(
        _ history: HistoryReader, _ depth: Int, _ configuration: Configuration
    ) throws -> (paths: [FilePath], missing: Int, isAll: Bool) {
        let latest = try history.latest(depth)
        // Of images that had the same place one after the other, the last one is there.
        // By bytes: two spellings of an umlaut are one String and two files.
        var seen: Set<[UInt8]> = []
        let published = latest.map(\.path).filter { seen.insert(Array($0.utf8)).inserted }
        let paths = published.map { FilePath(bytes: percentUnescaped($0)) }.filter {
            ((try? Files.statusIfPresent(configuration.outbox.pushing($0))) ?? nil)?.isRegular == true
        }
        return (paths, published.count - paths.count, latest.count < depth)
    }

    /// Where fewer are compared than were asked for.
    package var notes: [String] {
        missing == 0 ? [] : ["\(Figures.grouped(missing)) images are no longer in the outbox"]
    }

    package func answers(
        of old: ComparedModel, and new: ComparedModel
    ) throws -> ([ModelComparison.Difference], [CorrectionProblem]) {
        let first = try answers(of: old)
        let second = try answers(of: new)
        var answers: [ModelComparison.Difference] = []
        var failures: [CorrectionProblem] = []
        for (path, outcome) in zip(paths, zip(first, second)) {
            switch outcome {
            case (.success(let before), .success(let after)):
                answers.append(.init(image: path.escaped, old: before, new: after))
            case (.failure(let fault), _):
                failures.append(.init(path: path.escaped, reason: "\(old.name): \(fault.text)"))
            case (_, .failure(let fault)):
                failures.append(.init(path: path.escaped, reason: "\(new.name): \(fault.text)"))
            }
        }
        return (answers, failures)
    }

    /// One answer for each path.
    private func answers(of model: ComparedModel) throws -> [Result<Prediction, WorkerFault>] {
        let labels = model.configuration.labels
        let seconds = configuration.limits.seconds
        let questions = questions(model, group: configuration.batch) { worker, files in
            try worker.classify(
                descriptors: files, timeout: .milliseconds(Int(seconds * 1000) * (files.count + 1))
            ).map { outcome in
                outcome.map { scores in
                    let best = scores.probabilities.indices.max {
                        scores.probabilities[$0] < scores.probabilities[$1]
                    }!
                    return Prediction(label: labels[best], confidence: Double(scores.probabilities[best]))
                }
            }
        }
        do {
            return try questions.answers(to: paths)
        } catch let fault as WorkerFault {
            throw Failure.data("\(model.name) cannot serve: \(fault.text)")
        }
    }

    private func questions<Answer>(
        _ model: ComparedModel, group: Int,
        _ ask: @escaping (WorkerClient, [FileDescriptor]) throws -> [Result<Answer, WorkerFault>]
    ) -> WorkerQuestions<Answer> {
        let limits = configuration.limits
        return WorkerQuestions(
            root: configuration.outbox,
            start: WorkerStart(
                model: model.folder, plugins: configuration.pluginFolders,
                limits: WorkerLimits(
                    bytes: limits.file, side: limits.side, pixels: limits.pixels, memory: limits.memory),
                batch: configuration.batch, tta: configuration.averaging),
            group: group, ask: ask)
    }

    package func thumbnail(of image: String, _ model: ComparedModel) throws -> [UInt8]? {
        if viewer == nil {
            viewer = questions(model, group: 1) { worker, files in
                try files.map { file in
                    do {
                        return .success(try worker.preview(file).thumbnailPNG)
                    } catch let fault as WorkerFault {
                        return .failure(fault)
                    }
                }
            }
        }
        return try viewer?.answers(to: [FilePath(bytes: percentUnescaped(image))]).first.flatMap { try? $0.get() }
    }
}
