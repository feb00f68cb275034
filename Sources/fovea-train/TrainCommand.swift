import ArgumentParser
import FoveaModels
import FoveaNN
import FoveaSystem

struct TrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train", abstract: "Trains a network from scratch and puts it into the model store.",
        discussion: """
            Ctrl-C stops after the current batch and leaves a checkpoint; the message says how to go on from it.
            docs/training.md explains the options.
            """)

    @Option(help: "The network's architecture.")
    var arch: String

    @Option(help: ArgumentHelp("A data set's name, an archive, a CIFAR folder or a folder per class.", valueName: "d"))
    var data: String

    @Option(help: "The model's name; otherwise DATA-ARCH.")
    var name: String?

    @Option(help: "A sentence about the model.")
    var description: String?

    @Option(help: "Times that each image is seen.")
    var epochs = 40

    @Option(
        help: ArgumentHelp(
            "Images in a step, otherwise 128, or fewer where an epoch would have less than 8 steps.", valueName: "n"))
    var batch: Int?

    @Option(help: "The largest learning rate.")
    var learningRate = 1e-3

    @Option(help: "How the learning rate goes: cosine, constant, step or step:FACTOR (each epoch).")
    var schedule = "cosine"

    @Option(help: "Epochs in which the learning rate rises from 0.")
    var warmup = 1.0

    @Option(help: "Decoupled weight decay.")
    var weightDecay = 0.05

    @Option(help: "Share of each label that is spread over all labels.")
    var labelSmoothing = 0.1

    @Option(help: "Largest norm of the gradients; 0 is no limit.")
    var clip = 100.0

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp("A setting of the network, such as hidden=512,512.", valueName: "k=v"))
    var settings: [String] = []

    @Option(help: "Same seed and same number of threads give the same weights.")
    var seed: UInt64 = 1

    @Option(help: "Threads; 0 is one per processor.")
    var threads = 0

    @Option(help: "Random changes to training images: flip, crop=PIXELS, or none.")
    var augment = "flip,crop=4"

    @Option(
        help: ArgumentHelp(
            "Images of each class kept for choosing, otherwise a tenth, 50 at most; 0 trains on all and keeps the last epoch.",
            valueName: "n"))
    var development: Int?

    @Option(help: "Stop after so many epochs without a better one; 0 is never.")
    var patience = 0

    @Flag(help: "Leave the sharpening filter out of the chain.")
    var noSharpen = false

    @Flag(help: "Measure the finished model on the test images as well: once, when nothing is left to choose.")
    var test = false

    @Option(help: "How weights are stored: f16 or f32.")
    var weights = "f16"

    @Option(help: ArgumentHelp("Go on from a checkpoint; the other options as they were.", valueName: "file"))
    var resume: String?

    @Option(help: ArgumentHelp("Where the checkpoint is written after each epoch.", valueName: "file"))
    var checkpoint: String?

    @Option(help: ArgumentHelp("The folder of models that gets the new one.", valueName: "folder"))
    var output: String?

    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard Architectures.names.contains(arch) else {
            throw ValidationError(
                "There is no architecture '\(arch)'; there are: \(Architectures.names.joined(separator: ", ")).")
        }
        guard (1...100_000).contains(epochs) else { throw ValidationError("--epochs must be from 1 to 100000.") }
        guard batch.map({ (2...65536).contains($0) }) ?? true else {
            throw ValidationError("--batch must be from 2 to 65536.")
        }
        guard learningRate > 0, learningRate.isFinite else { throw ValidationError("--learning-rate must be above 0.") }
        guard warmup >= 0, warmup <= Double(epochs) else {
            throw ValidationError("--warmup must be from 0 to the number of epochs.")
        }
        guard weightDecay >= 0, weightDecay.isFinite else {
            throw ValidationError("--weight-decay must not be negative.")
        }
        guard (0..<1).contains(labelSmoothing) else {
            throw ValidationError("--label-smoothing must be at least 0 and below 1.")
        }
        guard clip >= 0, patience >= 0, development ?? 0 >= 0 else {
            throw ValidationError("--clip, --patience and --development must not be negative.")
        }
        guard (0...1024).contains(threads) else { throw ValidationError("--threads must be from 0 to 1024.") }
        guard patience == 0 || development != 0 else {
            throw ValidationError("--patience needs development images: --development above 0.")
        }
        _ = try trainingSettings(images: 1)
        _ = try networkSettings()
        _ = try storedType()
        if let name, !ModelIdentifier.isValid(name) {
            throw ValidationError("--name '\(name)': up to 64 of a-z, 0-9, '.', '_', '-', the first a letter or digit.")
        }
    }

    func run() throws {
        Interruption.install()
        try Failure.reporting("train") { try TrainingRun(self).run() }
    }

    // MARK: - Values

    /// - Parameter images: that are trained on.
    func trainingSettings(images: Int) throws -> TrainingSettings {
        var settings = TrainingSettings()
        settings.epochs = epochs
        settings.batch = batch ?? min(128, max(16, images / 8))
        settings.learningRate = learningRate
        guard let schedule = Schedule(schedule == "step" ? "step:0.99" : schedule) else {
            throw ValidationError("--schedule '\(schedule)': cosine, constant, step or step:FACTOR, such as step:0.99.")
        }
        settings.schedule = schedule
        settings.warmup = warmup
        settings.weightDecay = weightDecay
        settings.labelSmoothing = labelSmoothing
        settings.clip = clip
        settings.seed = seed
        settings.threads = threads == 0 ? processorCount() : threads
        settings.patience = patience
        settings.augmentation = try augmentation()
        return settings
    }

    private func augmentation() throws -> TrainingSettings.Augmentation {
        var result = TrainingSettings.Augmentation(flip: false, crop: 0)
        if augment == "none" { return result }
        for part in augment.split(separator: ",", omittingEmptySubsequences: false) {
            if part == "flip" {
                result.flip = true
            } else if part.hasPrefix("crop="), let pixels = Int(part.dropFirst(5)), (0...256).contains(pixels) {
                result.crop = pixels
            } else {
                throw ValidationError("--augment '\(augment)': flip, crop=PIXELS, both with a comma, or none.")
            }
        }
        return result
    }

    /// `--set` values as the object that the architecture reads: dots make inner objects, commas lists.
    func networkSettings() throws -> JSONValue {
        var root: [String: JSONValue] = [:]
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
        if text.contains(",") {
            return .array(text.split(separator: ",").map { value($0) })
        }
        return (try? StrictJSON.parse(Array(text.utf8), depth: 8)) ?? .string(String(text))
    }

    func storedType() throws -> TensorType {
        switch weights.lowercased() {
        case "f16": .float16
        case "f32": .float32
        default: throw ValidationError("--weights '\(weights)': f16 or f32.")
        }
    }
}
