import Dispatch
import FoveaCLI
import FoveaData
import FoveaModels
import FoveaNN
import FoveaPipeline
import FoveaRetraining
import FoveaSystem
import Glibc
import Synchronization
import SystemPackage

/// Runs a model's whole chain, the same plugins that serve, over labelled images: a chain for each thread, batches of a
/// fixed size. What an image scores depends on neither. The chains are loaded once. One call at a time.
package final class Evaluator {
    let configuration: ModelConfiguration
    /// The folder with config.json and model.safetensors.
    let folder: FilePath
    let search: PluginSearch
    let threads: Int
    let batch: Int
    let console: Console
    private var workers: [Worker] = []
    /// Bytes of each, by the first.
    private var each = 0

    package init(
        configuration: ModelConfiguration, folder: FilePath, search: PluginSearch, threads: Int, batch: Int,
        console: Console
    ) {
        (self.configuration, self.folder, self.search) = (configuration, folder, search)
        (self.threads, self.batch, self.console) = (threads, batch, console)
    }

    /// Each has the whole network: as many as there are threads, and blocks of images, and as the memory holds.
    private func load(blocks: Int) throws {
        func worker() throws -> Worker {
            let shape = ImageShape(height: configuration.input.height, width: configuration.input.width)
            let chain = try Chain(
                configuration.chain, shape: shape, classes: configuration.labels.count, maxCount: batch, search: search,
                modelDirectory: folder)
            try chain.warmUp()
            return Worker(chain: chain)
        }
        if workers.isEmpty {
            let before = residentMemory(of: getpid())
            workers.append(try worker())
            each = residentMemory(of: getpid()) - before
        }
        while workers.count < min(threads, blocks), machineMemory - residentMemory(of: getpid()) > 2 * each {
            workers.append(try worker())
        }
    }

    /// - Returns: what the model said, in the order of the images, and the seconds it took without loading the model.
    package func run(_ data: EvaluationData, title: String) throws -> (outcomes: [Outcome], seconds: Double) {
        let shape = ImageShape(height: configuration.input.height, width: configuration.input.width)
        let classes = configuration.labels.count
        let count = data.labels.count
        let blocks = (count + batch - 1) / batch
        try load(blocks: blocks)
        let (workers, batch) = (workers, batch)

        let next = Atomic<Int>(0)
        let done = Atomic<Int>(0)
        let results = Mutex<(outcomes: [(Int, [Outcome])], failure: (any Error)?)>(([], nil))
        let begin = ContinuousClock.now
        let console = console
        DispatchQueue.concurrentPerform(iterations: workers.count) { index in
            let chain = workers[index].chain
            var bar = index == 0 ? ProgressBar(console, title, total: count) : nil
            while results.withLock({ $0.failure == nil }) {
                let block = next.add(1, ordering: .relaxed).oldValue
                guard block < blocks else { break }
                let first = block * batch
                let images = min(batch, count - first)
                do {
                    try data.fill(first..<first + images, size: shape.count, into: chain.input.pointer)
                    try chain.run(count: images)
                } catch {
                    results.withLock { $0.failure = error }
                    break
                }
                let scores = UnsafeBufferPointer(start: chain.scores.pointer, count: images * classes)
                if let place = scores.firstIndex(where: { !$0.isFinite }) {
                    let name = data.names[first + place / classes]
                    let failure = Failure.data("the model's scores for \(name) are not all numbers")
                    results.withLock { $0.failure = failure }
                    break
                }
                let unknownness = chain.unknownness
                if let place = unknownness?.firstIndex(where: { unknownnessFault($0) != nil }) {
                    let fault = unknownnessFault(unknownness![place])!
                    let failure = Failure.data("the model gave \(fault) for \(data.names[first + place])")
                    results.withLock { $0.failure = failure }
                    break
                }
                let outcomes = (0..<images).map { row in
                    Outcome(
                        label: data.labels[first + row],
                        scores: UnsafeBufferPointer(start: chain.scores.pointer + row * classes, count: classes),
                        unknownness: unknownness?[row])
                }
                results.withLock { $0.outcomes.append((first, outcomes)) }
                let total = done.add(images, ordering: .relaxed).newValue
                bar?.update(total)
            }
            bar?.finish()
        }
        let seconds = (ContinuousClock.now - begin) / .seconds(1)
        return try results.withLock { results in
            if let failure = results.failure { throw failure }
            return (results.outcomes.sorted { $0.0 < $1.0 }.flatMap(\.1), seconds)
        }
    }

    /// What the model says of images whose labels do not matter.
    package func answers(to images: LabelledImages, title: String) throws -> [Prediction] {
        try answers(to: EvaluationData(unlabelled: images), title: title)
    }

    /// The same.
    package func answers(to data: EvaluationData, title: String) throws -> [Prediction] {
        try run(data, title: title).outcomes.map {
            Prediction(
                label: configuration.labels[$0.top[0].label], confidence: Double($0.top[0].probability))
        }
    }

    /// `@unchecked Sendable`: each is used by one thread.
    private struct Worker: @unchecked Sendable {
        let chain: Chain
    }
}
