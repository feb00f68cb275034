import FoundationEssentials
import FoveaCLI
import FoveaControl
import FoveaData
import FoveaHeads
import FoveaModels
import FoveaNN
import FoveaPipeline
import FoveaRetraining
import FoveaSystem
import Glibc
import SystemPackage

/// The backbone with a new head, as a model: an ordinary network, which serves like any other.
struct OwnClassesModel {
    private let plan: OwnClassesPlan
    private let extractor: FeatureExtractor
    private let fit: HeadFit
    private let unknown: UnknownFit
    private let summary: OwnClassesSummary

    init(
        _ plan: OwnClassesPlan, _ extractor: FeatureExtractor, _ fit: HeadFit, _ unknown: UnknownFit,
        _ summary: OwnClassesSummary
    ) {
        (self.plan, self.extractor, self.fit, self.unknown, self.summary) = (plan, extractor, fit, unknown, summary)
    }

    func add(
        to store: ModelStore, _ configuration: Configuration, _ console: Console
    ) throws -> ModelStore.Model {
        let weights = try encodedWeights()
        let model = try description(version: try store.nextVersion(of: plan.name))
        let golden = try goldenSet(model, weights: weights, in: store, search: configuration.pluginSearch)
        return try add(model, weights, golden, to: store)
    }

    private func add(
        _ model: ModelConfiguration, _ weights: [UInt8], _ golden: GoldenSet, to store: ModelStore
    ) throws -> ModelStore.Model {
        let files = [
            "README.md": Array(OwnClassesCard(model, plan: plan, summary: summary).text.utf8), "answers.jsonl": answers,
        ]
        do throws(ModelError) {
            return try store.add(configuration: model, weights: weights, golden: golden, training: files)
        } catch {
            guard error.code == .exists else { throw error }
            // Another training of this name was faster.
            var next = model
            next.version = try store.nextVersion(of: plan.name)
            return try add(next, weights, golden, to: store)
        }
    }

    // MARK: - Weights

    /// All tensors of the backbone, with the new head's instead of the old one's, and the features of known pictures.
    private func encodedWeights() throws -> [UInt8] {
        let head = fit.head.scaled(by: 1 / extractor.head.gain)
        var writer = SafetensorsWriter()
        writer.metadata = ["format": "fovea", "layout": "NHWC"]
        let type = plan.weights ?? plan.backbone.configuration.weights?.dtype ?? .float32
        for tensor in extractor.network.tensors {
            switch tensor.name {
            case extractor.head.weight:
                try writer.add(
                    tensor.name, shape: [extractor.count, head.classes], floats: head.weights.values.map { Float($0) })
            case extractor.head.bias:
                try writer.add(tensor.name, shape: [head.classes], floats: head.bias.map { Float($0) })
            default:
                // Running statistics have the range of the data, which half precision may not hold.
                try writer.add(
                    tensor.name, shape: tensor.shape, floats: extractor.network.read(tensor.name),
                    as: tensor.kind == .parameter ? type : .float32)
            }
        }
        try writer.add(
            KnownFeatures.tensor, shape: [unknown.known.rows, unknown.known.columns],
            floats: unknown.known.values.map { Float($0) }, as: .float16)
        return writer.encode()
    }

    // MARK: - Configuration

    private func description(version: String) throws -> ModelConfiguration {
        let backbone = plan.backbone.configuration
        var definition = extractor.network.definition
        definition.classes = plan.pictures.info.labels.count
        var chain = backbone.chain
        let known = KnownFeatures(neighbours: unknown.neighbours, threshold: unknown.threshold)
        chain[chain.count - 1] = StageConfiguration(
            plugin: "classifier-net",
            parameters: .object([
                "temperature": .number((1000 * fit.temperature).rounded() / 1000),
                KnownFeatures.parameter: try JSONValue(encoding: known),
            ]))
        let info = plan.pictures.info
        let sets = [
            TrainedSet(
                name: info.name, sha256: info.splits[Part.train.rawValue]?.sha256 ?? "", perClass: nil,
                isLearntWhole: true)
        ]
        return ModelConfiguration(
            name: plan.name, version: version, description: plan.description, labels: info.labels,
            superclasses: info.superclasses, superclassOf: info.superclassOf, input: backbone.input, chain: chain,
            network: try JSONValue(encoding: definition), weights: backbone.weights,
            training: try Provenance(
                Provenance.OwnClasses(
                    backbone: .init(name: backbone.name, version: backbone.version, sha256: plan.backbone.sha256),
                    data: .init(name: info.name, images: plan.learnt.count, classes: summary.counts),
                    method: fit.method.rawValue, penalty: fit.penalty, folds: summary.folds, seed: Int(plan.seed),
                    seconds: summary.seconds, sets: sets)),
            metrics: summary.metrics)
    }

    /// Scores by the whole chain, of the weights as they are stored.
    private func goldenSet(
        _ model: ModelConfiguration, weights: [UInt8], in store: ModelStore, search: PluginSearch
    ) throws -> GoldenSet {
        // The store clears away what a process that was killed leaves under such a name.
        let folder = store.trained.appending(".staging-\(getpid())-golden")
        try Files.makeDirectories(folder)
        defer { try? Files.removeTree(folder) }
        try Files.replace(folder.appending(ModelFolder.configurationName), with: model.encode() as [UInt8])
        try Files.replace(folder.appending(ModelFolder.weightsName), with: weights)
        // As many as the backbone has: a start checks them all.
        let count = plan.backbone.golden.count
        let (height, width) = (model.input.height, model.input.width)
        let inputs = SyntheticImages.make(count: count, height: height, width: width, seed: 1)
        let chain = try Chain(
            model.chain, shape: ImageShape(height: height, width: width), classes: model.labels.count, maxCount: count,
            search: search, modelDirectory: folder)
        return try GoldenSet(
            count: count, height: height, width: width, classes: model.labels.count, inputs: inputs,
            scores: try chain.process(inputs))
    }

    /// A line of JSON for each picture: what the folds answered.
    private var answers: [UInt8] {
        zip(plan.learnt, summary.outcomes).flatMap { picture, outcome in
            Array(outcome.line(image: picture.name, labels: summary.labels, thresholds: Thresholds()).utf8)
        }
    }
}

/// The model card of own classes.
struct OwnClassesCard {
    let text: String

    init(_ model: ModelConfiguration, plan: OwnClassesPlan, summary: OwnClassesSummary) {
        let backbone = plan.backbone.configuration
        let name = "\(model.name)@\(model.version)"
        var lines = [
            "---", "library_name: fovea", "pipeline_tag: image-classification", "tags:", "- image-classification",
            "---", "",
            "# \(name)", "",
            "An image classifier for \(Figures.grouped(model.labels.count)) labels: \(model.description). The network is "
                + "`\(backbone.name)@\(backbone.version)`, unchanged, with a new last layer.", "", "## Results", "",
            "```",
        ]
        lines += summary.lines
        lines += [
            "```", "",
            "Each picture was answered by a last layer that had not learnt the picture or any that looks the same. The model that is "
                + "stored has learnt all of them. `answers.jsonl` has the answer to each picture.", "",
            "| label | pictures | right |", "|---|---|---|",
        ]
        let classes = Score(summary.outcomes, labels: summary.labels).classes
        for (label, count) in zip(summary.labels, summary.counts) {
            let share = classes[label].map { Figures.percent($0.top1) } ?? "–"
            lines.append("| \(label.replacing("|", with: "\\|")) | \(count) | \(share) |")
        }
        lines += [
            "", "## Training", "", "| setting | value |", "|---|---|", "| head | \(summary.method.rawValue) |",
            "| penalty | \(summary.penalty) |", "| folds | \(summary.folds) |",
            "| temperature | \(Units.decimals(summary.temperature, 3)) |",
            "| time | \(Units.show(seconds: summary.seconds)) |", "",
        ]
        if let origin = backbone.training?.imported {
            lines += ["The backbone comes from \(origin.origin), licence \(origin.licence).", ""]
        }
        text = lines.joined(separator: "\n")
    }
}
