import FoundationEssentials
import FoveaCLI
import FoveaControl
import FoveaData
import FoveaModels
import FoveaNN
import FoveaPipeline
import FoveaSystem
import SystemPackage

/// What a training comes to, without the memory that it took: measuring needs some of its own.
struct TrainedNetwork {
    let result: TrainingResult
    /// With the epochs that there were.
    let settings: TrainingSettings
    let definition: NetworkDefinition
    /// `model.safetensors`.
    let weights: [UInt8]
    /// Divides the logits.
    let temperature: Double
}

/// Makes a model of a trained network: measures it as it will serve, and stores it with its golden set and its report.
struct ModelWriter {
    private let plan: TrainingPlan
    private let settings: TrainingSettings
    private let configuration: Configuration
    private let console: Console

    init(_ plan: TrainingPlan, settings: TrainingSettings, configuration: Configuration, console: Console) {
        (self.plan, self.settings, self.configuration, self.console) = (plan, settings, configuration, console)
    }

    /// - Parameters:
    ///   - folder: for the time of measuring.
    ///   - report: files for the model's folder `training`.
    /// - Returns: the model in the store.
    func store(
        _ trained: TrainedNetwork, in store: ModelStore, beside folder: FilePath, report: TrainingRun.Report
    ) throws -> ModelStore.Model {
        let (result, weights) = (trained.result, trained.weights)
        var model = ModelConfiguration(
            name: plan.name, version: try plan.version?() ?? store.nextVersion(of: plan.name),
            description: plan.description,
            labels: plan.data.info.labels, superclasses: plan.data.info.superclasses,
            superclassOf: plan.data.info.superclassOf,
            input: .init(plan.data.target), chain: plan.chain,
            network: try JSONValue(encoding: trained.definition), weights: .init(dtype: plan.weights),
            training: try provenance(result)
        )
        .averaging(plan.averaging)
        .at(temperature: trained.temperature)

        // The classifier reads a folder: the weights are measured as they will be read, not as they were trained.
        try Files.removeTree(folder)  // of a training that was killed here
        try Files.makeDirectory(folder)
        defer { try? Files.removeTree(folder) }
        try Files.replace(folder.appending(ModelFolder.configurationName), with: model.encode() as [UInt8])
        try Files.replace(folder.appending(ModelFolder.weightsName), with: weights)
        let golden = try goldenSet(model, folder)
        let heldOut: TrainingRecord.HeldOut?
        (model.metrics, heldOut) = try metrics(model, folder)

        while true {
            let files = try ModelFolder.files(configuration: model, weights: weights, golden: golden)
            let record = TrainingRecord(
                configuration: model, settings: settings, images: Set(plan.train).count,
                perEpoch: plan.train.count, epochs: result.epochs,
                keptEpoch: result.epoch, heldOut: heldOut, hashes: files.mapValues { hexadecimal(Digest.sha256($0)) },
                finished: Date().timeIntervalSince1970)
            do {
                return try store.add(
                    configuration: model, weights: weights, golden: golden,
                    training: plan.files().merging(try report(record, console.note)) { $1 })
            } catch let error as ModelError where error.code == .exists && plan.version == nil {
                // Another training of this name was faster.
                model.version = try store.nextVersion(of: plan.name)
            }
        }
    }

    /// Parameters as `type`; running statistics always as F32, since their range is the data's.
    static func encode(_ network: Network, as type: TensorType) throws -> [UInt8] {
        var writer = SafetensorsWriter()
        writer.metadata = ["format": "fovea", "layout": "NHWC"]
        for tensor in network.tensors {
            try writer.add(
                tensor.name, shape: tensor.shape, floats: network.read(tensor.name),
                as: tensor.kind == .parameter ? type : .float32)
        }
        return writer.encode()
    }

    private func goldenSet(_ model: ModelConfiguration, _ folder: FilePath) throws -> GoldenSet {
        let count = GoldenSet.most
        let (height, width) = (model.input.height, model.input.width)
        let inputs = SyntheticImages.make(count: count, height: height, width: width, seed: settings.seed)
        let chain = try Chain(
            model.chain, shape: ImageShape(height: height, width: width), classes: model.labels.count, maxCount: count,
            search: configuration.pluginSearch, modelDirectory: folder)
        return try GoldenSet(
            count: count, height: height, width: width, classes: model.labels.count, inputs: inputs,
            scores: try chain.process(inputs))
    }

    /// Figures of the finished model on images that it was not trained on, and the first of them for the report.
    private func metrics(
        _ model: ModelConfiguration, _ folder: FilePath
    ) throws -> (JSONValue, TrainingRecord.HeldOut?) {
        let evaluator = Evaluator(
            configuration: model, folder: folder, search: configuration.pluginSearch, threads: settings.threads,
            batch: 64, console: console)
        var metrics: [String: JSONValue] = [:]
        var heldOut: TrainingRecord.HeldOut?
        func measure(_ title: String, _ part: TrainingRecord.HeldOut.Part, _ images: LabelledImages) throws {
            let data = try EvaluationData(images, labels: plan.data.info.labels, model: model)
            let outcomes = try evaluator.run(data, title: title).outcomes
            metrics[title] = Score(outcomes, labels: model.labels, superclassOf: model.superclassOf).summary
            heldOut = heldOut ?? .init(part, images: images, outcomes: outcomes)
        }
        if let heldBack = plan.heldBack {
            try measure("dev", .heldBack, heldBack)
        } else if !plan.development.isEmpty {
            try measure("dev", .development, try plan.data.images("train").selecting(plan.development))
        }
        if plan.measuresTest { try measure("test", .test, try plan.data.images("test")) }
        return (.object(metrics), heldOut)
    }

    private func provenance(_ result: TrainingResult) throws -> Provenance {
        var training = Provenance.Training()
        training.data = .init(
            name: plan.data.info.name, images: Set(plan.train).count, development: plan.development.count)
        training.settings = try JSONValue(encoding: settings)
        (training.epoch, training.epochs) = (result.epoch, result.epochs.count)
        training.ended =
            switch result.end {
            case .patience: .patience
            case .target: .target
            case .finished, .stopped: .finished
            }
        training.seconds = result.epochs.reduce(0) { $0 + $1.seconds }
        (training.sets, training.base, training.recipe) = (plan.sets, plan.base, plan.recipe)
        training.retraining = plan.retraining
        return try Provenance(training)
    }
}
