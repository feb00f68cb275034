import FoveaCLI
import FoveaControl
import FoveaData
import FoveaImage
import FoveaModels
import FoveaNN
import FoveaRetraining
import FoveaSystem
import FoveaTraining
import SystemPackage

extension TrainCommand {
    /// What the options ask for, checked against the data.
    func plan(_ configuration: Configuration, _ console: Console) throws -> TrainingPlan {
        let chain = (chosen?.chain ?? .sharpened).stages.filter { !noSharpen || $0.plugin != "sharpen" }
        let dataset = try dataset(configuration, console, mean: RGBColour(meanOf: chain))

        do {
            try Labels.check(dataset.info.labels, areNew: true)
        } catch {
            throw Failure.data("\(data): labels: \(error)")
        }
        let suggestion = "\(dataset.info.name)-\(architecture)".lowercased()
        let name = name ?? suggestion
        guard ModelIdentifier.isValid(name) else {
            throw Failure.usage("'\(suggestion)' cannot be a model's name: give one with --name")
        }
        // A bare name means the working folder, which must be said where a path's folder is asked for.
        let checkpoint =
            checkpoint.map { $0.contains("/") ? FilePath($0) : FilePath("./" + $0) }
            ?? configuration.state.appending("training").appending("\(name).checkpoint")
        let division =
            development == 0
            ? (train: Array(0..<(try dataset.images("train").count)), development: [])
            : try dataset.split(development: development)
        func settings(_ epochs: Int?) throws -> TrainingSettings {
            var settings = try trainingSettings(images: division.train.count, budgeted: epochs)
            try fit(&settings, to: dataset, note: epochs == nil ? console.note : { _ in })
            settings.warmup = min(settings.warmup, Double(settings.epochs))
            return settings
        }
        let chosenSettings = try settings(nil)
        if answersBySuperclass || chosenSettings.hierarchy > 0, dataset.info.superclassOf == nil {
            throw Failure.usage("--hierarchy: \(data) has no superclasses")
        }
        guard chosenSettings.patience == 0 || !division.development.isEmpty else {
            throw Failure.usage("--patience needs development images, and the data have one image of each class")
        }
        guard target == nil || !division.development.isEmpty else {
            throw Failure.usage("--target needs development images, and the data have one image of each class")
        }
        if test, dataset.splits["test"]?.count ?? 0 == 0 {
            throw Failure.data("\(data): --test: there are no test images")
        }
        var plan = TrainingPlan(
            name: name, description: description ?? "\(architecture) trained on \(dataset.info.name)",
            data: dataset, train: division.train, development: division.development,
            network: NetworkDefinition(
                architecture: architecture,
                input: Shape(height: dataset.info.height, width: dataset.info.width, channels: 3),
                classes: dataset.info.labels.count, settings: try networkSettings(),
                superclassOf: answersBySuperclass ? dataset.info.superclassOf : nil),
            chain: chain, settings: chosenSettings, checkpoint: checkpoint, goOn: Self.goOn(checkpoint))
        if let from {
            let base = try configuration.model(from)
            let start = try StartingWeights(base, for: plan.network)
            plan.start = start.tensors
            plan.base = .init(try base.configuration.identifier, sha256: base.sha256)
            console.note(
                "begins with the weights of \(from)"
                    + (start.fresh.isEmpty ? "" : "; these begin anew: \(start.fresh.joined(separator: ", "))"))
        }
        plan.budget = try budgetSeconds.map { .init(seconds: $0, settings: settings) }
        plan.target = target.map { $0 / 100 }
        plan.weights = try storedType()
        plan.averaging = tta
        plan.temperature = temperature
        plan.measuresTest = test
        plan.checkpointEvery = try checkpointSeconds
        plan.resumes = resume.map { FilePath($0) }
        plan.sets = [
            TrainedSet(
                name: dataset.info.name, sha256: try dataset.images("train").sha256, perClass: development,
                isLearntWhole: division.development.isEmpty)
        ]
        if let from, let sets = try configuration.model(from).configuration.training?.sets() {
            // What the first model has learnt, the new one has learnt too.
            plan.sets += sets
        }
        plan.files = {
            var digests = ImageDigests()
            digests.learn(try dataset.images("train"), division.train)
            digests.holdBack(try dataset.images("train"), division.development)
            return digests.files
        }
        return plan
    }

    /// The data in memory, as the model's input wants them.
    private func dataset(_ configuration: Configuration, _ console: Console, mean: RGBColour) throws -> Dataset {
        let source = try DataSource.find(data, datasets: configuration.datasets)
        let framing = Framing(option: framing, mean: mean) ?? .stretch
        let side = try size ?? source.usualSize ?? 32
        let target = ImageTarget(height: side, width: side, framing: framing, resample: resample)
        let imported = try source.load(ImportOptions(target: target, limits: ImageLimits(configuration.limits)))
        console.noteImport(leftOut: imported.refused, notes: imported.notes)
        var dataset = imported.dataset
        if try source.isFixed {
            guard size == nil || dataset.info.height == side && dataset.info.width == side else {
                throw Failure.usage(
                    "--size \(side): \(data) keeps pixels of \(dataset.info.width) × \(dataset.info.height), and no other size can "
                        + "be made of them: import the pictures themselves")
            }
            // Its images were made before; what serves is framed as asked for.
            (dataset.framing, dataset.resample) = (framing, resample)
        }
        let images = try dataset.images("train")
        var counts = [Int](repeating: 0, count: dataset.info.labels.count)
        for label in images.labels { counts[Int(label)] += 1 }
        let shown = zip(dataset.info.labels, counts).prefix(20).map { "\($0) \($1)" }.joined(separator: ", ")
        console.note(
            "\(images.count) images to learn from: \(shown)"
                + (counts.count > 20 ? " and \(counts.count - 20) more labels" : ""))
        return dataset
    }

    /// Leaves out what images of this size cannot have.
    private func fit(_ settings: inout TrainingSettings, to dataset: Dataset, note: (String) -> Void) throws {
        let side = min(dataset.info.height, dataset.info.width)
        if let size = settings.sizes.last, size.side > side {
            guard sizes == nil else {
                throw Failure.usage("--sizes \(size.side): the images have \(side) pixels a side")
            }
            note("the images have \(side) pixels a side: the preset's smaller ones are left out")
            settings.sizes = settings.sizes.filter { $0.side < side }
        }
        guard settings.augmentation.crop < side else {
            throw Failure.usage("--augment crop=\(settings.augmentation.crop): the images have \(side) pixels a side")
        }
    }

    /// How to go on from the checkpoint: this command, with `--resume`.
    private static func goOn(_ checkpoint: FilePath) -> String {
        var words: [String] = []
        var skipping = false
        for argument in CommandLine.arguments.dropFirst() {
            if skipping {
                skipping = false
            } else if argument == "--resume" {
                skipping = true
            } else if !argument.hasPrefix("--resume=") {
                words.append(shellQuoted(argument))
            }
        }
        return "to go on: foveactl \(words.joined(separator: " ")) --resume \(shellQuoted(checkpoint.string))"
    }

    /// What the new model is, for a person or as JSON.
    func report(_ model: ModelStore.Model) throws {
        let verified = try ModelFolder.verify(model.folder)
        let metrics = verified.configuration.metrics ?? .object([:])
        if common.json {
            let result = JSONValue.object([
                "schema": .string("fovea.training/1"), "name": .string(verified.configuration.name),
                "version": .string(verified.configuration.version), "sha256": .string(verified.sha256),
                "folder": .string(model.folder.escaped), "metrics": metrics,
                "training": verified.configuration.training?.json ?? .null,
            ])
            Console.data(JSONText.pretty(result))
            return
        }
        var lines = ["\(model.identifier) in \(model.folder.escaped)"]
        for (part, title) in [("dev", "development"), ("test", "test")] {
            guard let figures = metrics[part], let top1 = figures["top1"]?.double,
                let top5 = figures["top5"]?.double
            else { continue }
            lines.append(
                "\(title): top1 \(Figures.percent(top1, decimals: 2)), top5 \(Figures.percent(top5, decimals: 2))")
        }
        if let temperature = verified.configuration.chain.last?.parameters["temperature"]?.double {
            lines.append("temperature: \(Units.decimals(temperature, 3))")
        }
        lines.append("to let it serve: foveactl model swap \(model.identifier)")
        Console.line(lines.joined(separator: "\n"))
    }
}
