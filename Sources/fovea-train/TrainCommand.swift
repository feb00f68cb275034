import ArgumentParser
import FoveaCLI
import FoveaControl
import FoveaModels
import FoveaNN
import FoveaSystem
import FoveaTraining

struct TrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract:
            "Trains a model and puts it into the model store: your own classes on a backbone, or a network from scratch.",
        discussion: """
            Ctrl-C stops after the current batch and leaves a checkpoint; the message says how to go on from it.
            docs/training.md explains the options.
            """)

    @Option(
        help: ArgumentHelp(
            "The architecture of a network that is trained from scratch; otherwise the preset's. Without both, `train` fits the last "
                + "layer of a backbone to your classes, in seconds.", valueName: "name"))
    var arch: String?

    @Option(
        help: ArgumentHelp(
            "The model whose features your classes are told apart by. Default: the fetched backbone, else the configured model.",
            valueName: "model"))
    var backbone: String?

    @Option(
        help: ArgumentHelp(
            "Settings to begin with, which other options change: \(Preset.names).", valueName: "name"))
    var preset: String?

    @Option(
        help: ArgumentHelp(
            "Begin with the weights of this stored model where they fit, instead of from scratch; with --arch or --preset.",
            valueName: "model"))
    var from: String?

    @Option(help: ArgumentHelp("A data set's name, an archive, a CIFAR folder or a folder per class.", valueName: "d"))
    var data: String

    @Option(help: ArgumentHelp("Pixels along a side of the model's input, otherwise 32.", valueName: "pixels"))
    var size: Int?

    @Option(
        help: ArgumentHelp(
            "How a picture becomes the input, also when the model serves: stretch (default), crop or crop=SHARE (the centre), "
                + "or fit (margins in the mean colour).", valueName: "way"))
    var framing = "stretch"

    @Option(help: ArgumentHelp("The filter that scales pictures: bilinear (default) or bicubic.", valueName: "name"))
    var resample = Resample.bilinear

    @Option(help: "The model's name. Default: DATA for own classes, DATA-ARCH for a network from scratch.")
    var name: String?

    @Option(help: "A sentence about the model.")
    var description: String?

    @Option(help: ArgumentHelp("Times that each image is seen, otherwise the preset's, or 40.", valueName: "n"))
    var epochs: Int?

    @Option(
        help: ArgumentHelp(
            "As many epochs as fit this time, such as 8h or 20m, by the speed of a few steps before.", valueName: "time"
        ))
    var budget: String?

    @Option(
        help: ArgumentHelp(
            "As many epochs as the preset needs for this accuracy in percent, ending where the development images "
                + "show it.", valueName: "percent"))
    var target: Double?

    @Option(
        help: ArgumentHelp(
            "Images in a step, otherwise 128, or fewer where an epoch would have less than 8 steps.", valueName: "n"))
    var batch: Int?

    @Option(
        help: ArgumentHelp(
            "adam, sgd (Nesterov), muon (Muon for the filters of convolutions, Nesterov for the rest) or muon-adam (Adam "
                + "for the rest). Another one than the preset's brings its own learning rate, weight decay and clipping.",
            valueName: "name"))
    var optimizer: TrainingSettings.OptimizerKind?

    @Option(help: ArgumentHelp("The largest learning rate, otherwise 0.001 with adam and 0.05.", valueName: "x"))
    var learningRate: Double?

    @Option(help: ArgumentHelp("Nesterov's momentum of sgd, and with muon of all but the filters.", valueName: "x"))
    var momentum: Double?

    @Option(help: ArgumentHelp("With muon the filters' learning rate, otherwise 0.18.", valueName: "x"))
    var muonLearningRate: Double?

    @Option(help: ArgumentHelp("With muon the filters' momentum, otherwise 0.6.", valueName: "x"))
    var muonMomentum: Double?

    @Option(
        help: ArgumentHelp(
            "How the learning rate goes: cosine (otherwise), linear, one-cycle, constant, step or step:FACTOR (each epoch).",
            valueName: "name"))
    var schedule: String?

    @Option(help: ArgumentHelp("Epochs in which the learning rate rises from 0, otherwise 1.", valueName: "n"))
    var warmup: Double?

    @Option(help: ArgumentHelp("Weight decay, otherwise 0.05 with adam, decoupled, and 0.0005.", valueName: "x"))
    var weightDecay: Double?

    @Option(help: ArgumentHelp("Share of each label that is spread over all, otherwise 0.1.", valueName: "x"))
    var labelSmoothing: Double?

    @Option(
        help: ArgumentHelp(
            "What the superclass's loss counts beside the class's, falling to 0; or softmax: superclass, then class.",
            valueName: "x"))
    var hierarchy: String?

    @Option(
        help: ArgumentHelp(
            "Averages of the weights: ema:DECAY, lookahead:STEPS:SHARE, or none (otherwise).", valueName: "name"))
    var averaging: String?

    @Option(
        help: ArgumentHelp(
            "With adam and sgd the gradients' largest norm, otherwise 100; 0 is no limit.", valueName: "x"))
    var clip: Double?

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp("A setting of the network, such as hidden=512,512.", valueName: "k=v"))
    var settings: [String] = []

    @Option(help: "Same seed, number of threads and instruction set give the same weights.")
    var seed: UInt64 = 1

    @Option(help: "Threads; 0 is one per processor.")
    var threads = 0

    @Option(
        help: ArgumentHelp(
            "Changes to training images: flip or alternate, crop=PIXELS, cutout=PIXELS, blur=SHARE, cutmix=SHARE; seed; "
                + "or none. "
                + "Otherwise flip,crop=4.",
            valueName: "list"))
    var augment: String?

    @Option(
        help: ArgumentHelp(
            "Smaller images to begin with, such as 20:0.15,24:0.5: 20 pixels a side for 15% of the steps.",
            valueName: "list"))
    var sizes: String?

    @Option(
        help: ArgumentHelp(
            "Images of each class kept for choosing, otherwise a tenth, 50 at most; 0 trains on all and keeps the last epoch.",
            valueName: "n"))
    var development: Int?

    @Option(help: ArgumentHelp("Stop after so many epochs without a better one; 0 is never.", valueName: "n"))
    var patience: Int?

    @Option(
        help: ArgumentHelp(
            "Divides the logits, so that confidences mean what they say; otherwise fitted to the development images, "
                + "1 where there are none.", valueName: "x"))
    var temperature: Double?

    @Flag(help: "Leave the sharpening filter out of the chain.")
    var noSharpen = false

    @Flag(help: "Measure the finished model on the test images as well: once, when nothing is left to choose.")
    var test = false

    @Option(help: "How weights are stored: f16 or f32.")
    var weights = "f16"

    @Option(help: ArgumentHelp("Go on from a checkpoint; the other options as they were.", valueName: "file"))
    var resume: String?

    @Option(
        help: ArgumentHelp("Where the checkpoint is written after each epoch and every so often.", valueName: "file"))
    var checkpoint: String?

    @Option(help: ArgumentHelp("The longest time between two checkpoints.", valueName: "time"))
    var checkpointEvery = "10m"

    @Option(help: "The model classifies changed copies of each image and averages: none, flip (2), shift (6).")
    var tta: TestTimeAugmentation = .none

    @Option(help: ArgumentHelp("The folder of models that gets the new one.", valueName: "folder"))
    var output: String?

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if let preset, Preset.all[preset] == nil {
            throw ValidationError("There is no preset '\(preset)'; there are: \(Preset.names).")
        }
        if isOwnClasses { return try validateOwnClasses() }
        guard Architectures.names.contains(architecture) else {
            throw ValidationError(
                "There is no architecture '\(architecture)'; there are: \(Architectures.names.joined(separator: ", "))."
            )
        }
        guard backbone == nil else {
            throw ValidationError(
                "--backbone is for own classes, without --arch and --preset: a training from scratch has none.")
        }
        let settings = try trainingSettings(images: 1 << 20)
        let isMuon = settings.optimizer.usesMuon
        for (option, isGiven, goes, optimizers) in [
            ("--clip", (clip ?? 0) > 0, !isMuon, "adam and sgd"),
            ("--momentum", momentum != nil, [.sgd, .muon].contains(settings.optimizer), "sgd and muon"),
            ("--muon-learning-rate", muonLearningRate != nil, isMuon, "muon and muon-adam"),
            ("--muon-momentum", muonMomentum != nil, isMuon, "muon and muon-adam"),
        ] where isGiven && !goes {
            throw ValidationError("\(option) goes with \(optimizers); the optimizer is \(settings.optimizer.rawValue).")
        }
        if let problem = settings.problem(side: nil) {
            throw ValidationError("--\(Self.option(problem.setting)) \(problem.rule).")
        }
        guard [epochs != nil, budget != nil, target != nil].filter({ $0 }).count <= 1 else {
            throw ValidationError("--epochs, --budget and --target each choose the number of epochs: give one of them.")
        }
        if let target {
            guard let chosen, let most = chosen.reaches.last else {
                let names = Preset.all.filter { !$0.value.reaches.isEmpty }.keys.sorted().joined(separator: ", ")
                throw ValidationError("--target needs a preset whose way is known: --preset \(names).")
            }
            guard architecture == chosen.architecture else {
                throw ValidationError(
                    "--target knows the epochs of the preset's architecture, \(chosen.architecture), alone.")
            }
            guard target > 1, target <= 100 * most.top1 else {
                throw ValidationError(
                    "--target is in percent, such as 75, at most \(Units.decimals(100 * most.top1, 0)).")
            }
            guard development != 0 else { throw ValidationError("--target needs development images.") }
        }
        guard temperature.map({ (0.05...20).contains($0) }) ?? true else {
            throw ValidationError("--temperature must be from 0.05 to 20.")
        }
        guard size.map({ (1...1024).contains($0) }) ?? true else {
            throw ValidationError("--size must be from 1 to 1024.")
        }
        guard Framing(option: framing, mean: RGBColour(127, 127, 127)) != nil else {
            throw ValidationError("--framing '\(framing)': stretch, crop, crop=SHARE (0.05 to 1) or fit.")
        }
        _ = try budgetSeconds
        _ = try checkpointSeconds
        guard development ?? 0 >= 0 else { throw ValidationError("--development must not be negative.") }
        try CommonOptions.check(seed: seed)
        try CommonOptions.check(threads: threads)
        guard settings.patience == 0 || development != 0 else {
            throw ValidationError("--patience needs development images: --development above 0.")
        }
        _ = try networkSettings()
        _ = try storedType()
        try validateName()
    }

    func validateName() throws {
        if let name, !ModelIdentifier.isValid(name) {
            throw ValidationError("--name '\(name)': up to 64 of a-z, 0-9, '.', '_', '-', the first a letter or digit.")
        }
    }

    func run() throws {
        Interruption.install()
        try Program.reporting("train") {
            if isOwnClasses { return try runOwnClasses() }
            let console = Console(quiet: common.quiet)
            let configuration = try common.load()
            let plan = try plan(configuration, console)
            let training = TrainingRun(
                plan, configuration: configuration, store: configuration.store(output: output), console: console,
                report: Program.report)
            try report(try training.run())
        }
    }

    // MARK: - Values

    var architecture: String { arch ?? chosen?.architecture ?? "" }
    var chosen: Preset? { preset.flatMap { Preset.all[$0] } }
    /// The answer is given in two stages.
    var answersBySuperclass: Bool { hierarchy == "softmax" }

    var budgetSeconds: Double? { get throws { try budget.map { try Self.seconds("--budget", $0) } } }
    var checkpointSeconds: Double { get throws { try Self.seconds("--checkpoint-every", checkpointEvery) } }

    private static func seconds(_ option: String, _ text: String) throws -> Double {
        guard let seconds = Units.seconds(text), seconds > 0 else {
            throw ValidationError("\(option) '\(text)': a time such as 90s, 20m or 8h.")
        }
        return seconds
    }

    /// The option that sets `learningRate` is `--learning-rate`; all of the augmentation's are `--augment`.
    private static func option(_ setting: String) -> String {
        setting.hasPrefix("augmentation")
            ? "augment" : setting.map { $0.isUppercase ? "-\($0.lowercased())" : "\($0)" }.joined()
    }

    /// - Parameters:
    ///   - images: that are trained on.
    ///   - budgeted: the epochs that fit the budget.
    func trainingSettings(images: Int, budgeted: Int? = nil) throws -> TrainingSettings {
        var settings = chosen?.settings ?? Self.defaults(optimizer ?? .adam)
        let targeted = target.flatMap { target in chosen?.reaches.first { 100 * $0.top1 >= target }?.epochs }
        settings.epochs = epochs ?? budgeted ?? targeted ?? settings.epochs
        settings.batch = batch ?? min(settings.batch, max(16, images / 8))
        if let optimizer, optimizer != settings.optimizer {
            // The preset's rates are its optimizer's and would be far from right for another.
            let usual = Self.defaults(optimizer)
            (settings.optimizer, settings.learningRate, settings.momentum) = (
                optimizer, usual.learningRate, usual.momentum
            )
            (settings.weightDecay, settings.clip) = (usual.weightDecay, usual.clip)
        }
        settings.learningRate = learningRate ?? settings.learningRate
        settings.momentum = momentum ?? settings.momentum
        settings.muonLearningRate = muonLearningRate ?? settings.muonLearningRate
        settings.muonMomentum = muonMomentum ?? settings.muonMomentum
        if let schedule {
            guard let value = Schedule(schedule == "step" ? "step:0.99" : schedule) else {
                throw ValidationError(
                    "--schedule '\(schedule)': cosine, linear, one-cycle, constant, step or step:FACTOR, such as step:0.99."
                )
            }
            settings.schedule = value
        }
        settings.warmup = warmup ?? chosen?.warmup(epochs: settings.epochs) ?? settings.warmup
        settings.weightDecay = weightDecay ?? settings.weightDecay
        settings.labelSmoothing = labelSmoothing ?? settings.labelSmoothing
        settings.clip = clip ?? settings.clip
        if let hierarchy, !answersBySuperclass {
            guard let value = Double(hierarchy), value >= 0, value.isFinite else {
                throw ValidationError("--hierarchy '\(hierarchy)': a number from 0 on, or softmax.")
            }
            settings.hierarchy = value
        }
        if let averaging {
            guard let value = WeightAveraging(averaging) else {
                throw ValidationError(
                    "--averaging '\(averaging)': ema:DECAY (ema:0.999), lookahead:STEPS:SHARE "
                        + "(lookahead:5:0.5), or none.")
            }
            settings.averaging = value
        }
        settings.seed = seed
        settings.threads = threadCount(threads)
        settings.patience = patience ?? settings.patience
        if let augment { settings.augmentation = try Self.augmentation(augment) }
        if let sizes { settings.sizes = try Self.sizes(sizes) }
        return settings
    }

    /// Without a preset, or where its optimizer is not taken. Adam's weight decay is decoupled and multiplied by its small
    /// learning rate; the others add it to the gradient.
    private static func defaults(_ optimizer: TrainingSettings.OptimizerKind) -> TrainingSettings {
        var settings = TrainingSettings()
        settings.epochs = 40
        let hasAdam = optimizer == .adam || optimizer == .muonAdam
        settings.learningRate = hasAdam ? 1e-3 : 0.05
        settings.weightDecay = hasAdam ? 0.05 : 5e-4
        settings.labelSmoothing = 0.1
        if optimizer.usesMuon { settings.clip = 0 }
        return settings
    }

    private static func augmentation(_ text: String) throws -> TrainingSettings.Augmentation {
        var result = TrainingSettings.Augmentation(flip: .none, crop: 0)
        if text == "none" { return result }
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let words = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let pixels = words.count == 2 ? Int(words[1]).flatMap { (0...256).contains($0) ? $0 : nil } : nil
            let share = words.count == 2 ? Double(words[1]).flatMap { (0...1).contains($0) ? $0 : nil } : nil
            switch (words[0], words.count) {
            case ("flip", 1) where result.flip != .alternating: result.flip = .random
            case ("alternate", 1) where result.flip != .random: result.flip = .alternating
            case ("seed", 1): result.seed = true
            case ("crop", 2) where pixels != nil: result.crop = pixels!
            case ("cutout", 2) where pixels != nil: result.cutout = pixels!
            case ("blur", 2) where share != nil: result.blur = share!
            case ("cutmix", 2) where share != nil: result.cutMix = share!
            default:
                throw ValidationError(
                    "--augment '\(text)': flip or alternate, crop=PIXELS, cutout=PIXELS, blur=SHARE, cutmix=SHARE with "
                        + "commas; seed alone; or none.")
            }
        }
        if result.seed && text != "seed" { throw ValidationError("--augment seed stands alone.") }
        return result
    }

    private static func sizes(_ text: String) throws -> [TrainingSettings.Size] {
        if text == "none" { return [] }
        var result: [TrainingSettings.Size] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let words = part.split(separator: ":")
            guard words.count == 2, let side = Int(words[0]), let until = Double(words[1]), side >= 4, until > 0,
                until <= 1, result.last.map({ $0.side < side && $0.until < until }) ?? true
            else {
                throw ValidationError(
                    "--sizes '\(text)': SIDE:SHARE with commas, both rising, such as 20:0.15,24:0.5; or none.")
            }
            result.append(.init(side: side, until: until))
        }
        return result
    }

    /// `--set` values as the object that the architecture reads: dots make inner objects, commas lists.
    func networkSettings() throws -> JSONValue {
        var root: [String: JSONValue] = [:]
        if architecture == chosen?.architecture, case .object(let members) = chosen?.network { root = members }
        for setting in settings {
            let parts = setting.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
                throw ValidationError("--set '\(setting)': KEY=VALUE is needed, such as hidden=512,512.")
            }
            let path = parts[0].split(separator: ".").map(String.init)
            root = Self.inserting(Self.value(parts[1]), at: path[...], in: root)
        }
        return .object(root)
    }

    private static func inserting(
        _ value: JSONValue, at path: ArraySlice<String>, in members: [String: JSONValue]
    ) -> [String: JSONValue] {
        guard let first = path.first else { return members }
        var members = members
        if path.count == 1 {
            members[first] = value
        } else {
            var inner: [String: JSONValue] = [:]
            if case .object(let existing) = members[first] { inner = existing }
            members[first] = .object(inserting(value, at: path.dropFirst(), in: inner))
        }
        return members
    }

    private static func value(_ text: Substring) -> JSONValue {
        if let json = try? StrictJSON.parse(Array(text.utf8), depth: 8) { return json }
        return text.contains(",") ? .array(text.split(separator: ",").map { value($0) }) : .string(String(text))
    }

    func storedType() throws -> TensorType {
        switch weights.lowercased() {
        case "f16": .float16
        case "f32": .float32
        default: throw ValidationError("--weights '\(weights)': f16 or f32.")
        }
    }
}

extension TrainingSettings.OptimizerKind: ExpressibleByArgument {}
extension Resample: ExpressibleByArgument {}
