import FoveaControl
import FoveaModels
import FoveaPipeline
import FoveaSystem
import SystemPackage

/// The workers that run one model and its chain. Changing anything of these means another generation.
/// Used by the dispatcher's thread only.
final class Generation {
    enum Phase: Equatable {
        /// Its first worker alone proves the model, then the others start; none has work yet.
        case starting
        case serving
        /// Replaced: it finishes what it has.
        case draining
        case ended
    }

    let number: Int
    let identifier: ModelIdentifier
    let folder: FilePath
    var phase = Phase.starting
    var workers: [Worker] = []
    /// What the first worker said; all of a generation say the same.
    private(set) var hello: WorkerHello?
    private(set) var identity: ModelIdentity?
    private(set) var chain = ChainDescription([])
    private(set) var classes = ResultRecord.Classes(labels: [], superclassOf: nil, superclasses: nil)
    /// Workers in a row that ended before they served.
    var failedStarts = 0
    /// Monotonic nanoseconds before which no worker is started again.
    var nextStart = 0
    var health = ModelHealth()
    /// Nanoseconds that an image has taken, on the average of the slowest batch so far.
    var slowestImage: Int?
    var firstImage: SwapReceipt.Image?
    var lastImage: SwapReceipt.Image?
    /// Of the slowest worker, milliseconds.
    private(set) var timings = WorkerHello.Timings()

    init(number: Int, identifier: ModelIdentifier, folder: FilePath) {
        self.number = number
        self.identifier = identifier
        self.folder = folder
    }

    /// Takes a worker's hello.
    ///
    /// - Returns: why this generation cannot serve, nil when it can.
    func accept(_ new: WorkerHello) -> String? {
        guard let model = new.model else { return "the worker says that it has no model" }
        guard model.name == identifier.name, model.version == identifier.version else {
            return "the folder of \(identifier) holds \(model.name)@\(model.version)"
        }
        if let hello, hello.model != new.model || hello.labels != new.labels || hello.tellsUnknown != new.tellsUnknown {
            return "the files of \(identifier) changed while its workers started"
        }
        timings.load = max(timings.load, new.timings.load)
        timings.warmUp = max(timings.warmUp, new.timings.warmUp)
        timings.golden = max(timings.golden, new.timings.golden)
        if hello == nil {
            hello = new
            identity = ModelIdentity(name: model.name, version: model.version, sha256: model.sha256)
            classes = ResultRecord.Classes(
                labels: new.labels, superclassOf: new.superclassOf, superclasses: new.superclasses)
            chain = ChainDescription(
                new.stages.map { ChainStep(plugin: $0.plugin, version: $0.version, parameters: $0.parameters) })
        }
        return nil
    }

    var imagesInFlight: Int { workers.reduce(0) { $0 + $1.imagesInFlight } }
    var servingWorkers: Int { workers.count { $0.state == .serving } }
}
