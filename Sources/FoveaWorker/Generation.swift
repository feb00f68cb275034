import CLinux
import FoveaModels
import FoveaPipeline
import FoveaSystem
import Glibc
import SystemPackage

/// A verified model and its chain, loaded, warmed up and proven by the golden set.
struct Generation {
    let model: VerifiedModel
    let chain: Chain
    private(set) var timings = WorkerHello.Timings()
    /// The largest absolute difference of a probability from the golden set's.
    let goldenDifference: Float
    /// What an image is decoded to.
    var target: ImageTarget { model.configuration.input.target }
    /// The model can tell which images belong to none of its classes: see `Chain.unknownness`.
    let tellsUnknown: Bool

    init(_ start: WorkerStart, folder: FilePath) throws(WorkerFault) {
        var clock = ContinuousClock.now
        func lap() -> Double {
            defer { clock = .now }
            return Double(microseconds(since: clock)) / 1000
        }
        do throws(ModelError) { model = try ModelFolder.verify(folder) } catch {
            throw WorkerFault(code: "model", text: "\(error)")
        }
        let configuration = model.configuration
        do throws(PluginError) {
            let proven = try Self.load(configuration, start, folder)
            timings.load = lap()
            try proven.warmUp()
            timings.warmUp = lap()
            let golden = model.golden
            let scores = try proven.process(golden.inputs)
            timings.golden = lap()
            goldenDifference = golden.largestDifference(from: scores)
            // The golden set proves the model as it is; what averages otherwise is loaded beside it.
            if let tta = start.tta, configuration.usesNetwork, tta != configuration.tta {
                let averaging = try Self.load(configuration.averaging(tta), start, folder)
                timings.load += lap()
                try averaging.warmUp()
                timings.warmUp += lap()
                chain = averaging
            } else {
                chain = proven
            }
            // Of the last images that the chain has seen, in warming up or the golden set.
            tellsUnknown = chain.unknownness != nil
        } catch {
            throw WorkerFault(code: error.code == .model ? "model" : "plugin", text: error.description)
        }
        guard goldenDifference <= model.golden.tolerance else {
            throw WorkerFault(
                code: "golden",
                text: "the model does not reproduce its golden set: a probability differs by \(goldenDifference), "
                    + "\(model.golden.tolerance) is allowed")
        }
        if let fault = chain.unknownness?.lazy.compactMap({ unknownnessFault($0) }).first {
            throw WorkerFault(code: "scores", text: "the classifier gave \(fault)")
        }
    }

    private static func load(
        _ configuration: ModelConfiguration, _ start: WorkerStart, _ folder: FilePath
    ) throws(PluginError) -> Chain {
        try Chain(
            configuration.chain,
            shape: ImageShape(height: configuration.input.height, width: configuration.input.width),
            classes: configuration.labels.count, maxCount: start.batch, search: PluginSearch(start.plugins),
            modelDirectory: folder)
    }

    /// Fills in all that a hello says about the model.
    func describe(in hello: inout WorkerHello) {
        let configuration = model.configuration
        hello.model = WorkerHello.Model(
            name: configuration.name, version: configuration.version, sha256: model.sha256)
        hello.labels = configuration.labels
        hello.superclasses = configuration.superclasses
        hello.superclassOf = configuration.superclassOf
        hello.input = WorkerHello.Size(height: chain.shape.height, width: chain.shape.width)
        hello.stages = chain.descriptions
        hello.chain = Chain.text(hello.stages)
        hello.tellsUnknown = tellsUnknown
        hello.instructionSet = hello.stages.last?.details["instructionSet"]?.string ?? ""
        hello.timings = timings
        hello.goldenDifference = Double(goldenDifference)
    }
}
