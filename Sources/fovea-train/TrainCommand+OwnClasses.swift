import ArgumentParser
import FoveaCLI
import FoveaControl
import FoveaData
import FoveaImage
import FoveaModels
import FoveaSystem
import FoveaTraining

// Without --arch and --preset, `train` fits a head to the features of a backbone.

extension TrainCommand {
    /// Own classes on a backbone, not a network from scratch.
    var isOwnClasses: Bool { architecture.isEmpty }

    /// Options that decide a training from scratch and say nothing about a head.
    private var scratchOptions: [(name: String, isGiven: Bool)] {
        [
            ("--from", from != nil), ("--size", size != nil), ("--framing", framing != "stretch"),
            ("--epochs", epochs != nil),
            ("--budget", budget != nil), ("--target", target != nil), ("--batch", batch != nil),
            ("--optimizer", optimizer != nil), ("--learning-rate", learningRate != nil),
            ("--momentum", momentum != nil),
            ("--muon-learning-rate", muonLearningRate != nil), ("--muon-momentum", muonMomentum != nil),
            ("--schedule", schedule != nil), ("--warmup", warmup != nil), ("--weight-decay", weightDecay != nil),
            ("--label-smoothing", labelSmoothing != nil), ("--hierarchy", hierarchy != nil),
            ("--averaging", averaging != nil), ("--clip", clip != nil), ("--set", !settings.isEmpty),
            ("--augment", augment != nil), ("--sizes", sizes != nil), ("--development", development != nil),
            ("--patience", patience != nil), ("--temperature", temperature != nil), ("--no-sharpen", noSharpen),
            ("--test", test), ("--resume", resume != nil), ("--checkpoint", checkpoint != nil), ("--tta", tta != .none),
        ]
    }

    func validateOwnClasses() throws {
        if let option = scratchOptions.first(where: \.isGiven)?.name {
            throw ValidationError(
                "\(option) decides a training from scratch: give --arch or --preset as well. Without them `train` fits the last layer "
                    + "of a backbone to your classes.")
        }
        try CommonOptions.check(seed: seed)
        try CommonOptions.check(threads: threads)
        _ = try storedType()
        try validateName()
    }

    func runOwnClasses() throws {
        let console = Console(quiet: common.quiet)
        let configuration = try common.load()
        let source = try DataSource.find(data, datasets: configuration.datasets)
        // Folds judge, so nothing is set aside.
        guard
            let imported = try source.pictures(
                ImportOptions(testFraction: 0, limits: ImageLimits(configuration.limits)))
        else {
            throw Failure.data(
                "\(data) keeps pixels of one size and no pictures, so no backbone can see them: name an architecture that is trained "
                    + "from scratch, such as --arch foveanet or --preset fast")
        }
        console.noteImport(leftOut: imported.refused, notes: imported.notes)
        let info = imported.set.info
        do {
            try Labels.check(info.labels, areNew: true)
        } catch {
            throw Failure.data("\(data): labels: \(error)")
        }
        let suggestion = info.name.lowercased()
        let name = name ?? suggestion
        guard ModelIdentifier.isValid(name) else {
            throw Failure.usage("'\(suggestion)' cannot be a model's name: give one with --name")
        }
        let (model, advice) = try (backbone.map { BackboneChoice.named($0) } ?? .usual).model(configuration)
        if let advice { console.note(advice) }
        var plan = OwnClassesPlan(
            name: name, description: description ?? "\(info.name) on \(model.configuration.name)",
            pictures: imported.set,
            backbone: model, threads: threadCount(threads))
        plan.seed = seed
        if weights != "f16" { plan.weights = try storedType() }
        let result = try OwnClassesRun(
            plan, configuration: configuration, store: configuration.store(output: output), console: console
        ).run()
        if common.json { return try report(result.model) }
        var lines = [
            "\(result.model.identifier) in \(result.model.folder.escaped), after \(Units.show(seconds: result.seconds))"
        ]
        lines += result.summary.lines
        lines.append("to let it serve: foveactl model swap \(result.model.identifier)")
        Console.line(lines.joined(separator: "\n"))
    }
}
