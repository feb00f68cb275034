import FoveaControl
import FoveaData
import FoveaModels
import FoveaNN
import FoveaSystem
import FoveaTraining

/// What a model is, for whoever finds its folder: Markdown with a head in YAML, in the manner of Hugging Face's model cards
/// (Mitchell et al. 2019, "Model Cards for Model Reporting"). Only what stands in the model's files or was measured.
package struct ModelCard: Sendable {
    package let text: String

    /// - Parameter files: the names of the report's other files.
    package init(_ record: TrainingRecord, graph: [GraphNode], files: Set<String>) {
        let parts = [
            Self.head(record), Self.summary(record, graph), Self.use(record), Self.data(record),
            Self.network(record, graph), Self.training(record), Self.results(record), Self.plots(record, files),
            Self.hashes(record),
        ]
        text = parts.filter { !$0.isEmpty }.map { $0.joined(separator: "\n") }.joined(separator: "\n\n") + "\n"
    }

    // MARK: - Parts, each a list of lines

    private static func head(_ record: TrainingRecord) -> [String] {
        let architecture = record.configuration.network?["architecture"]?.string
        return ["---", "library_name: fovea", "pipeline_tag: image-classification", "tags:", "- image-classification"]
            + (architecture.map { ["- \($0)"] } ?? []) + ["metrics:", "- accuracy", "---"]
    }

    private static func summary(_ record: TrainingRecord, _ graph: [GraphNode]) -> [String] {
        let model = record.configuration
        let parameters = graph.reduce(0) { $0 + $1.parameters }
        let origin = model.base.map { "trained on from \($0.identifier)'s weights" } ?? "trained from scratch"
        let groups = model.superclasses.map { " in \($0.count) superclasses" } ?? ""
        return [
            "# \(record.title)", "",
            "An image classifier for \(Figures.grouped(model.labels.count)) labels\(groups): "
                + "\(Markdown.text(model.description)). Its network has \(Figures.grouped(parameters)) parameters and was "
                + "\(origin).",
        ]
    }

    private static func use(_ record: TrainingRecord) -> [String] {
        let model = record.configuration
        return [
            "## Use", "", "```", "foveactl model swap \(record.title)                    it serves from now on",
            "foveactl evaluate \(record.title) --data DATA --split test", "```", "",
            "An image is decoded and \(model.input.target.sentence). The answer is always one "
                + "of the model's labels, also to an image that shows none of them: confidences say how sure it is among "
                + "these labels only. The figures below hold for images like those that it was trained on.",
        ]
    }

    private static func data(_ record: TrainingRecord) -> [String] {
        let data = record.configuration.training?.trained?.data
        let name = data?.name.map(Markdown.text) ?? "unnamed"
        let development = data?.development ?? 0
        let fitted = development >= Retraining.fewestForTemperature
        let calibration =
            fitted
            ? "confidences were calibrated on them"
            : "they are too few to calibrate confidences, which is done as for the champion"
        let purpose =
            record.configuration.isRetrained
            ? "\(calibration), and the last epoch's weights are kept" : "the kept epoch was chosen on them"
        let held =
            development > 0
            ? "\(Figures.grouped(development)) more were held out as development images: \(purpose)."
            : "None were held out for development: the last epoch's weights are kept."
        return ["## Data", "", "Trained on \(Figures.grouped(record.images)) images of \(name). \(held)"]
    }

    private static func network(_ record: TrainingRecord, _ graph: [GraphNode]) -> [String] {
        let chain = record.configuration.chain.map { stage in
            "\(stage.plugin) \(stage.parameters.text)"
        }
        var lines = ["## Preparation and network", "", "Stages, in order:", ""]
        lines += chain.map { "- \(Markdown.code($0))" }
        if let network = record.configuration.network {
            let architecture = network["architecture"]?.string ?? "unknown"
            lines += [
                "",
                "The network is \(Markdown.code(architecture)), \(graph.count) operations, with the settings", "",
                "```json", network["settings"]?.text ?? "{}", "```", "",
                "Weights are stored as \(record.configuration.weights?.dtype.rawValue ?? "F32").",
            ]
        }
        return lines
    }

    private static func training(_ record: TrainingRecord) -> [String] {
        let settings = record.settings
        let seconds = record.epochs.reduce(0) { $0 + $1.seconds }
        var rows = [
            ("epochs", "\(record.epochs.count), the weights are those of epoch \(record.keptEpoch)"),
            ("batch", "\(settings.batch)"), ("optimizer", settings.optimizer.rawValue),
            (
                "learning rate",
                "\(settings.learningRate), \(settings.schedule.text), \(Units.decimals(settings.warmup, 2)) epochs of warm-up"
            ),
        ]
        if settings.optimizer.usesMuon {
            rows.append(("learning rate of the filters", "\(settings.muonLearningRate)"))
        }
        rows += [
            ("weight decay", "\(settings.weightDecay)"), ("label smoothing", "\(settings.labelSmoothing)"),
            ("augmentation", augmentation(settings.augmentation)), ("seed", "\(settings.seed)"),
            ("threads", "\(settings.threads)"), ("time", Figures.time(seconds)),
        ]
        return ["## Training", "", "| setting | value |", "|---|---|"] + rows.map { "| \($0) | \($1) |" } + [
            "", "All settings stand in `config.json`.",
        ]
    }

    private static func augmentation(_ augmentation: TrainingSettings.Augmentation) -> String {
        if augmentation.seed { return "the student project's" }
        var parts: [String] = []
        if augmentation.flip != .none { parts.append("mirrored (\(augmentation.flip.rawValue))") }
        if augmentation.crop > 0 { parts.append("moved by up to \(augmentation.crop) pixels") }
        if augmentation.cutout > 0 { parts.append("cutout of \(augmentation.cutout) pixels") }
        if augmentation.blur > 0 { parts.append("\(Figures.percent(augmentation.blur, decimals: 0)) blurred") }
        if augmentation.cutMix > 0 { parts.append("CutMix in \(Figures.percent(augmentation.cutMix, decimals: 0))") }
        return parts.isEmpty ? "none" : parts.joined(separator: ", ")
    }

    private static func results(_ record: TrainingRecord) -> [String] {
        let lines = ["## Results", ""]
        guard let heldOut = record.heldOut, let metrics = record.configuration.metrics else {
            return lines + [
                "The training had no development images and measured no test images, so there is neither an accuracy nor a "
                    + "confusion matrix nor a calibration curve. `foveactl evaluate` measures the model on images that you have."
            ]
        }
        let columns = [("top1", "top-1"), ("top5", "top-5"), ("superclass", "superclass")]
            .filter { key, _ in ["dev", "test"].contains { metrics[$0]?[key] != nil } }
        let titles = ["images"] + columns.map(\.1) + ["loss", "expected calibration error"]
        var table = [
            "| \(titles.joined(separator: " | ")) |",
            "|" + String(repeating: "---|", count: titles.count),
        ]
        for (key, title) in [("dev", heldOut.part == .heldBack ? "held back" : "development"), ("test", "test")] {
            guard let figures = metrics[key] else { continue }
            func percent(_ key: String) -> String {
                figures[key]?.double.map { Figures.percent($0, decimals: 2) } ?? ""
            }
            let cells =
                ["\(Figures.grouped(Int(figures["images"]?.double ?? 0))) \(title)"] + columns.map { percent($0.0) }
                + [figures["loss"]?.double.map { Units.decimals($0, 4) } ?? "", percent("calibrationError")]
            table.append("| \(cells.joined(separator: " | ")) |")
        }
        let ordered = heldOut.score(record.configuration).ordered
        func list(_ classes: some Sequence<(label: String, score: Score.ClassScore)>) -> String {
            classes.map { "\(Markdown.text($0.label)) \(Figures.percent($0.score.top1, decimals: 0))" }
                .joined(separator: ", ")
        }
        let few = min(5, ordered.count / 2)
        return lines + table + [
            "", "Of the \(heldOut.words), by label:", "", "- best: \(list(ordered.prefix(few)))",
            "- worst: \(list(ordered.suffix(few).reversed()))",
        ]
    }

    private static func plots(_ record: TrainingRecord, _ files: Set<String>) -> [String] {
        let captions = [
            ("curves", "Loss and accuracy of each epoch"), ("learning-rate", "Learning rate"),
            ("confusion", "Confusion matrix"), ("calibration", "Calibration curve"), ("classes", "Accuracy by label"),
            ("predictions", "Wrong and right answers"),
        ].filter { files.contains("\($0.0).png") }
        guard !captions.isEmpty else { return [] }
        let pictures = files.contains("predictions.png") ? " `predictions.*` show images of the data." : ""
        return ["## Plots", ""]
            + captions.map { name, caption in
                let vector = files.contains("\(name).svg") ? " ([SVG](\(name).svg))" : ""
                return "\(caption)\(vector):\n\n![\(caption)](\(name).png)\n"
            }
            + ["`metrics.jsonl` has the figures of each epoch; `tensorboard --logdir .` shows them too.\(pictures)"]
    }

    private static func hashes(_ record: TrainingRecord) -> [String] {
        guard let model = record.hashes[ModelFolder.manifestName] else { return [] }
        return [
            "## Hashes", "", "The model's SHA-256, that of its `manifest.json`, is `\(model)`. Of its files:", "",
            "| file | SHA-256 |", "|---|---|",
        ]
            + record.hashes.filter { $0.key != ModelFolder.manifestName }.sorted { $0.key < $1.key }
            .map { "| `\($0)` | `\($1)` |" }
    }
}
