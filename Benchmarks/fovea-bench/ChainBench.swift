import FoveaModels
import FoveaPipeline
import FoveaSystem

/// The stages through their plugins, as a worker calls them: batches of 64, one thread.
enum ChainBench {
    static func run(_ report: Report, _ effort: Effort, _ model: BenchModel) throws {
        let configuration = model.configuration
        let (height, width) = (configuration.input.height, configuration.input.width)
        report.begin("chain", "\(model.identifier), batches of 64, one thread")
        let batch = 64
        let chain = try Chain(
            configuration.chain, shape: ImageShape(height: height, width: width),
            classes: configuration.labels.count, maxCount: batch, search: PluginSearch(),
            modelDirectory: model.folder)
        try chain.warmUp()
        let images = (0..<batch).flatMap { Pictures.make(width: width, height: height, seed: UInt64($0)) }
        func refill() {
            images.withUnsafeBufferPointer { chain.input.pointer.update(from: $0.baseAddress!, count: images.count) }
        }

        // Room for any stage's input and output: floats, and scores of more classes than an image has values.
        let count = batch * max(height * width * 3, configuration.labels.count)
        let input = AlignedBuffer<Float>(count: count)
        let output = AlignedBuffer<Float>(count: count)
        for stage in chain.stages {
            let kind = stage.instance.library.kind
            let rates = try effort.rates {
                try stage.instance.process(count: batch, input: input.pointer, output: output.pointer)
                return batch
            }
            report.add(Figure("chain", "\(stage.configuration.plugin) (\(kind.rawValue))", unit: "images/s", rates))
        }
        report.add(
            Figure(
                "chain", "all stages", unit: "images/s",
                try effort.rates {
                    refill()
                    try chain.run(count: batch)
                    return batch
                }))
    }
}
