import ArgumentParser
import FoundationEssentials
import FoveaCLI
import FoveaControl
import FoveaData
import FoveaExchange
import FoveaImage
import FoveaModels
import FoveaNN
import FoveaSystem
import FoveaTraining
import Glibc
import SystemPackage

struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate", abstract: "Measures a model on labelled images, through the whole chain.",
        discussion: """
            top1, top5, superclass and errorsInSuperclass are fractions from 0 to 1. They count all images. `filed` counts where \
            the images would go by `confidence` and `unknown` of the configuration.
            """)

    @Argument(help: "NAME, NAME@VERSION, or a model's folder (with a / in it).")
    var model: String

    @Option(help: ArgumentHelp("A data set's name, an archive, a CIFAR folder or a folder per class.", valueName: "d"))
    var data: String

    @Option(
        help: "The part of the data: test, validation, train, or dev: the images of train that a training chose on.")
    var split = "test"

    @Option(help: ArgumentHelp("With --split dev: as it was given to train.", valueName: "n"))
    var development: Int?

    @Option(help: "Threads; 0 is one per processor.")
    var threads = 0

    @Option(help: "Images in a batch.")
    var batch = 64

    @Option(help: "At most so many images, from the first on.")
    var limit: Int?

    @Option(
        help: ArgumentHelp(
            "Write each image's label and five best as one line of JSON; - is standard output.", valueName: "file"))
    var scores: String?

    @Option(
        help: ArgumentHelp(
            "Write how often each label was answered with which, as CSV; - is standard output.", valueName: "file"))
    var confusion: String?

    @Flag(help: "Measure under five blurs at five severities as well.")
    var blur = false

    @Option(help: "Average over changed copies of each image: none, flip (2), shift (6); otherwise as the model says.")
    var tta: TestTimeAugmentation?

    @OptionGroup var common: CommonOptions

    func validate() throws {
        try CommonOptions.check(threads: threads)
        guard (1...4096).contains(batch) else { throw ValidationError("--batch must be from 1 to 4096.") }
        guard limit.map({ $0 > 0 }) ?? true else { throw ValidationError("--limit must be above 0.") }
        guard development.map({ $0 > 0 && split == "dev" }) ?? true else {
            throw ValidationError("--development must be above 0 and goes with --split dev.")
        }
    }

    func run() throws { try Program.reporting("evaluate", evaluate) }

    private func evaluate() throws {
        let console = Console(quiet: common.quiet)
        let configuration = try common.load()
        // Before all the work.
        for file in [scores, confusion].compactMap(\.self) { try NewPath.existingFolder(of: FilePath(file)) }
        let verified = try configuration.model(model)
        let (data, part) = try load(configuration, verified.configuration)
        console.noteLeftOut(data.refused)

        let threads = threadCount(threads)
        let measured = tta.map { verified.configuration.averaging($0) } ?? verified.configuration
        let evaluator = Evaluator(
            configuration: measured, folder: verified.folder, search: configuration.pluginSearch,
            threads: threads, batch: batch, console: console)
        let (outcomes, seconds) = try evaluator.run(data, title: "evaluate")
        let labels = verified.configuration.labels
        let score = Score(
            outcomes, labels: labels, superclassOf: verified.configuration.superclassOf,
            superclasses: verified.configuration.superclasses)
        if let scores {
            let lines = zip(data.names, outcomes).map {
                $1.line(image: $0, labels: labels, thresholds: configuration.thresholds)
            }
            try Files.writeAnswer(FilePath(scores), lines.joined().utf8)
        }
        if let confusion {
            try Files.writeAnswer(FilePath(confusion), ConfusionMatrix(outcomes, labels: labels).csv.utf8)
        }
        let blurred = blur ? try BlurScore(data, model: verified.configuration, evaluator: evaluator) : nil
        let report = Report(
            model: .init(
                name: verified.configuration.name, version: verified.configuration.version, sha256: verified.sha256),
            data: self.data, split: part, tta: measured.tta, score: score,
            filed: Filing(outcomes, labels: labels, thresholds: configuration.thresholds), blur: blurred,
            seconds: seconds, threads: threads, batch: batch,
            refused: data.refused.count)
        Console.text(common.json ? report.json : report.text)
    }

    /// The images and the part of the data that they are: `all` for a folder per class that is not divided.
    private func load(
        _ configuration: Configuration, _ model: ModelConfiguration
    ) throws -> (data: EvaluationData, part: String) {
        let source = try DataSource.find(self.data, datasets: configuration.datasets)
        let part = try LabelledPart(
            source, split: split, development: development, target: model.input.target,
            limits: ImageLimits(configuration.limits))
        var data = try part.data(for: model)
        if let limit { data.limit(limit) }
        guard data.count > 0 else { throw Failure.data("\(self.data): there are no images in \(part.part)") }
        return (data, part.part)
    }
}

/// What `evaluate` prints.
private struct Report: Encodable {
    struct Model: Encodable {
        let name: String
        let version: String
        let sha256: String
    }

    let model: Model
    let data: String
    let split: String
    let tta: TestTimeAugmentation
    let score: Score
    let filed: Filing
    let blur: BlurScore?
    let seconds: Double
    let threads: Int
    let batch: Int
    let refused: Int

    private enum Key: String, CodingKey {
        case schema, model, data, split, tta, filed, blur, seconds, imagesPerSecond, threads, batch, refused
    }

    var imagesPerSecond: Double { Double(score.images) / max(seconds, 1e-9) }

    func encode(to encoder: any Encoder) throws {
        try score.encode(to: encoder)
        var container = encoder.container(keyedBy: Key.self)
        try container.encode("fovea.evaluation/1", forKey: .schema)
        try container.encode(model, forKey: .model)
        try container.encode(data, forKey: .data)
        try container.encode(split, forKey: .split)
        try container.encode(tta, forKey: .tta)
        try container.encode(filed, forKey: .filed)
        try container.encodeIfPresent(blur, forKey: .blur)
        try container.encode(seconds, forKey: .seconds)
        try container.encode(imagesPerSecond, forKey: .imagesPerSecond)
        try container.encode(threads, forKey: .threads)
        try container.encode(batch, forKey: .batch)
        try container.encode(refused, forKey: .refused)
    }

    var json: String { String(decoding: JSONText.pretty(self), as: UTF8.self) }

    /// Worst first.
    private static func ordered(_ classes: [String: Score.ClassScore]) -> [(key: String, value: Score.ClassScore)] {
        classes.sorted { ($0.value.top1, $0.key) < ($1.value.top1, $1.key) }
    }

    private static func list(_ classes: some Sequence<(key: String, value: Score.ClassScore)>) -> String {
        classes.map { "\($0.key) \(Figures.percent($0.value.top1, decimals: 0))" }.joined(separator: ", ")
    }

    var text: String {
        var lines = [
            "model       \(model.name)@\(model.version)",
            "images      \(Figures.grouped(score.images)) (\(split))",
            "top1        \(Figures.percent(score.top1, decimals: 2))",
            "top5        \(Figures.percent(score.top5, decimals: 2))",
            "loss        \(Units.decimals(score.loss, 4))",
        ]
        if let superclass = score.superclass {
            var line = "superclass  \(Figures.percent(superclass, decimals: 2))"
            if let inside = score.errorsInSuperclass {
                line += ", \(Figures.percent(inside, decimals: 1)) of the mistakes stay inside it"
            }
            lines.append(line)
            let ordered = Self.ordered(score.superclasses ?? [:])
            if ordered.count > 1 {
                lines.append("            worst \(Self.list(ordered.prefix(3)))")
                lines.append("            best  \(Self.list(ordered.suffix(3).reversed()))")
            }
        }
        lines.append("calibration \(Figures.percent(score.calibrationError, decimals: 2)) expected error")
        if let line = filed.line { lines.append(line) }
        if tta != .none { lines.append("views       \(tta.views) of each image (\(tta.rawValue))") }
        lines.append("speed       \(Figures.grouped(Int(imagesPerSecond))) images/s on \(threads) threads")
        let ordered = Self.ordered(score.classes)
        if ordered.count > 1 {
            lines.append("worst       \(Self.list(ordered.prefix(5)))")
            lines.append("best        \(Self.list(ordered.suffix(5).reversed()))")
        }
        if let blur { lines += [""] + blur.lines }
        return lines.joined(separator: "\n") + "\n"
    }
}

extension TestTimeAugmentation: ExpressibleByArgument {}
