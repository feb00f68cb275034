import CFoveaPlugin
import FoundationEssentials
import FoveaModels
import FoveaSystem
import Glibc
import SystemPackage

// The ordered stages of a model, with the buffers between them:
//
//     input ──filter──▶ other ──filter──▶ input … ──normalizer──▶ floats ──classifier──▶ scores
//     (the two RGB buffers take turns)
//
// All buffers are made once, for the largest batch, and the worker decodes straight into `input`. Training uses the
// same object without its classifier, so that both prepare images by the same code with the same parameters.

/// The stages of a model at work. One thread at a time.
package final class Chain {
    /// The most stages in a chain.
    package static let mostStages = 16

    package let shape: ImageShape
    package let classes: Int
    package let maxCount: Int
    package let stages: [Stage]

    /// A stage and what it was configured with.
    package struct Stage {
        package let configuration: StageConfiguration
        package let instance: PluginInstance
    }

    private let filters: [PluginInstance]
    private let normalizer: PluginInstance
    private let classifier: PluginInstance?

    /// RGB8, maxCount × height × width × 3: where a batch is put before `run`. `run` uses it up.
    package let input: AlignedBuffer<UInt8>
    private let other: AlignedBuffer<UInt8>
    private let floats: AlignedBuffer<Float>
    /// maxCount × classes: where `run` leaves its scores.
    package let scores: AlignedBuffer<Float>
    /// The unknown-ness of each image of the last `run`, beside `scores`: 1 is the model's own threshold. nil where the
    /// model cannot tell. Judged as little as scores are.
    package private(set) var unknownness: [Float]?
    /// maxCount: where the classifier writes it.
    private let told: AlignedBuffer<Float>

    /// Loads and creates all stages.
    ///
    /// - Parameters:
    ///   - stages: filters, one normalizer, and a classifier unless `preparationOnly`.
    ///   - preparationOnly: leaves out the classifier, if there is one: for training.
    ///   - modelDirectory: the model's folder, for the classifier.
    package init(
        _ stages: [StageConfiguration], shape: ImageShape, classes: Int, maxCount: Int, search: PluginSearch,
        modelDirectory: FilePath? = nil, preparationOnly: Bool = false
    ) throws(PluginError) {
        precondition(maxCount >= 1)
        guard stages.count <= Self.mostStages else {
            throw PluginError(.order, "the chain has \(stages.count) stages, the most is \(Self.mostStages)")
        }
        var libraries: [(PluginLibrary, StageConfiguration)] = []
        for stage in stages { libraries.append((try search.load(stage.plugin), stage)) }
        if preparationOnly, libraries.last?.0.kind == .classifier { libraries.removeLast() }
        try Self.checkOrder(libraries.map { ($0.0.name, $0.0.kind) }, preparationOnly: preparationOnly)

        var made: [Stage] = []
        for (library, configuration) in libraries {
            made.append(
                Stage(
                    configuration: configuration,
                    instance: try PluginInstance(
                        library, shape: shape, classes: classes, maxCount: maxCount,
                        parameters: configuration.parameters.text, modelDirectory: modelDirectory)))
        }
        self.stages = made
        self.shape = shape
        self.classes = classes
        self.maxCount = maxCount
        filters = made.map(\.instance).filter { $0.library.kind == .filter }
        normalizer = made.map(\.instance).first { $0.library.kind == .normalizer }!
        classifier = made.map(\.instance).first { $0.library.kind == .classifier }
        input = AlignedBuffer(count: maxCount * shape.count)
        other = AlignedBuffer(count: maxCount * shape.count)
        floats = AlignedBuffer(count: maxCount * shape.count)
        scores = AlignedBuffer(count: maxCount * classes)
        told = AlignedBuffer(count: maxCount)
    }

    /// filter*, normalizer, classifier.
    static func checkOrder(_ stages: [(name: String, kind: PluginKind)], preparationOnly: Bool) throws(PluginError) {
        let text = stages.map { "\($0.name) (\($0.kind.rawValue))" }.joined(separator: ", ")
        var rest = stages[...]
        while rest.first?.kind == .filter { rest.removeFirst() }
        let kinds = rest.map(\.kind)
        guard kinds == (preparationOnly ? [.normalizer] : [.normalizer, .classifier]) else {
            throw PluginError(
                .order,
                "a chain is any number of filters, one normalizer"
                    + (preparationOnly ? "" : ", one classifier at the end") + "; this one is: \(text)")
        }
    }

    // MARK: - Serving

    /// Touches all memory and starts all that the first batch would otherwise wait for.
    package func warmUp() throws(PluginError) {
        input.fill(0x80)
        for stage in stages { try stage.instance.warmUp() }
        if classifier != nil { try run(count: maxCount) }
    }

    /// Takes the first `count` images of `input`, leaves their rows in `scores` and what the classifier says of them
    /// in `unknownness`, and returns the microseconds of each stage. Scores are not judged here.
    @discardableResult
    package func run(count: Int) throws(PluginError) -> [Int] {
        precondition(count >= 1 && count <= maxCount)
        guard let classifier else { preconditionFailure("a chain without a classifier cannot be run") }
        var times: [Int] = []
        let clock = ContinuousClock()
        var last = clock.now
        func lap() {
            let now = clock.now
            times.append(Int((now - last) / .microseconds(1)))
            last = now
        }
        var source = input
        for filter in filters {
            let target = source === input ? other : input
            try filter.process(count: count, input: source.base, output: target.base)
            source = target
            lap()
        }
        try normalizer.process(count: count, input: source.base, output: floats.base)
        lap()
        try classifier.process(count: count, input: floats.base, output: scores.base)
        unknownness = try Self.unknownness(classifier, count: count, buffer: told)
        lap()
        return times
    }

    /// What the classifier says of the images that it has just scored; nil where it says that it cannot tell.
    private static func unknownness(
        _ classifier: PluginInstance, count: Int, buffer: AlignedBuffer<Float>
    ) throws(PluginError) -> [Float]? {
        // What is not written is no number.
        buffer.fill(.nan)
        guard try classifier.unknownness(count: count, output: buffer.pointer) else { return nil }
        let values = UnsafeBufferPointer(start: buffer.pointer, count: count)
        return PluginInstance.isUntold(values) ? nil : Array(values)
    }

    /// Scores of RGB8 images (count × height × width × 3), in batches of `maxCount`: count × classes.
    package func process(_ rgb: [UInt8]) throws(PluginError) -> [Float] {
        precondition(rgb.count % shape.count == 0)
        let total = rgb.count / shape.count
        var result: [Float] = []
        result.reserveCapacity(total * classes)
        for start in stride(from: 0, to: total, by: maxCount) {
            let count = min(maxCount, total - start)
            rgb.withUnsafeBufferPointer {
                input.copy($0.baseAddress! + start * shape.count, count: count * shape.count)
            }
            try run(count: count)
            result.append(contentsOf: UnsafeBufferPointer(start: scores.pointer, count: count * classes))
        }
        return result
    }

    // MARK: - Training

    /// Runs the filters over images in place.
    ///
    /// - Parameter rgb: count × height × width × 3, RGB8; no alignment needed.
    package func applyFilters(_ rgb: UnsafeMutablePointer<UInt8>, count: Int) throws(PluginError) {
        if filters.isEmpty { return }
        for start in stride(from: 0, to: count, by: maxCount) {
            let n = min(maxCount, count - start)
            input.copy(rgb + start * shape.count, count: n * shape.count)
            let last = try filter(count: n)
            (rgb + start * shape.count).update(from: last.pointer, count: n * shape.count)
        }
    }

    /// Runs the normalizer over images that the filters have seen.
    ///
    /// - Parameters:
    ///   - rgb: count × height × width × 3, RGB8; no alignment needed.
    ///   - output: as many floats.
    package func normalize(
        _ rgb: UnsafePointer<UInt8>, count: Int, into output: UnsafeMutablePointer<Float>
    ) throws(PluginError) {
        for start in stride(from: 0, to: count, by: maxCount) {
            let n = min(maxCount, count - start)
            input.copy(rgb + start * shape.count, count: n * shape.count)
            try normalizer.process(count: n, input: input.base, output: floats.base)
            (output + start * shape.count).update(from: floats.pointer, count: n * shape.count)
        }
    }

    /// Runs the filters over `input` and returns the buffer that holds the result.
    private func filter(count: Int) throws(PluginError) -> AlignedBuffer<UInt8> {
        var source = input
        for filter in filters {
            let target = source === input ? other : input
            try filter.process(count: count, input: source.base, output: target.base)
            source = target
        }
        return source
    }

    // MARK: - Words

    /// The stages as `hello` and results name them.
    package var descriptions: [WorkerHello.Stage] {
        stages.map { stage in
            let library = stage.instance.library
            let details = stage.instance.describe().flatMap {
                try? JSONDecoder().decode(JSONValue.self, from: Data($0.utf8))
            }
            return WorkerHello.Stage(
                plugin: library.name, version: library.version, kind: library.kind,
                parameters: stage.configuration.parameters, details: details ?? .null, library: library.path.escaped)
        }
    }

    /// `sharpen(amount=1) 1.0.0 → normalize(mode=signed) 1.0.0 → classifier-net(vanilla) 1.0.0`.
    package static func text(_ stages: [WorkerHello.Stage]) -> String {
        stages.map { stage in
            var words: [String] = []
            if let architecture = stage.details["architecture"]?.string { words.append(architecture) }
            if case .object(let members) = stage.parameters {
                words += members.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.string ?? $0.value.text)" }
            }
            let parameters = words.isEmpty ? "" : "(\(printable(words.joined(separator: ", "), atMost: 200)))"
            return "\(stage.plugin)\(parameters) \(stage.version)"
        }.joined(separator: " → ")
    }
}

/// Memory aligned to 64 bytes, as plugins are promised.
package final class AlignedBuffer<Element: BitwiseCopyable> {
    package let pointer: UnsafeMutablePointer<Element>
    package let count: Int

    package init(count: Int) {
        self.count = count
        let bytes = max(count * MemoryLayout<Element>.stride, 1)
        pointer = UnsafeMutableRawPointer.allocate(byteCount: (bytes + 63) / 64 * 64, alignment: 64)
            .bindMemory(to: Element.self, capacity: count)
        memset(pointer, 0, bytes)
    }

    deinit { UnsafeMutableRawPointer(pointer).deallocate() }

    var base: UnsafeMutableRawPointer { UnsafeMutableRawPointer(pointer) }

    func fill(_ value: Element) { pointer.update(repeating: value, count: count) }

    func copy(_ source: UnsafePointer<Element>, count: Int) { pointer.update(from: source, count: count) }
}
