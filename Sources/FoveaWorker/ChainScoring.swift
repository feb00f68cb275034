import CLinux
import FoveaModels
import FoveaPipeline
import FoveaSystem
import Glibc
import SystemPackage

/// `fovea-worker --score-chain FOLDER`: pixels from standard input through the chain of a model that has no golden set yet, scores
/// as floats to standard output; see `ChainTrial`.
enum ChainScoring {
    /// - Returns: 0; 65 with a sentence on standard error.
    static func run(_ folder: FilePath, arguments: [String]) -> Int32 {
        Sandbox.inheritNothing()
        do {
            let scores = try scores(
                folder,
                plugins: arguments.filter { $0.hasPrefix("--plugins=") }.map { FilePath(String($0.dropFirst(10))) })
            try scores.withUnsafeBytes { try Files.write(Array($0), to: .standardOutput) }
            return 0
        } catch {
            let text = (error as? WorkerFault)?.text ?? "\(error)"
            try? Files.write(Array("\(printable(text, atMost: 1000))\n".utf8), to: .standardError)
            return 65
        }
    }

    private static func scores(_ folder: FilePath, plugins: [FilePath]) throws -> [Float] {
        let model = try Files.resolve(folder)
        let path = model.appending(ModelFolder.configurationName)
        let configuration = try ModelConfiguration(
            bytes: try ModelFolder.read(path, limit: ModelFolder.textLimit), subject: path.escaped)
        let shape = ImageShape(height: configuration.input.height, width: configuration.input.width)
        let pixels = try Files.read(.standardInput, count: GoldenSet.most * shape.count)
        guard !pixels.isEmpty, pixels.count % shape.count == 0 else {
            throw WorkerFault(code: "start", text: "\(pixels.count) bytes are no whole images")
        }
        let search = PluginSearch(plugins)
        var sandbox = Sandbox()
        try sandbox.enter(readable: search.folders + [model])
        let chain = try Chain(
            configuration.chain, shape: shape, classes: configuration.labels.count,
            maxCount: pixels.count / shape.count,
            search: search, modelDirectory: model)
        try chain.warmUp()
        guard cl_thread_count() == 1 else {
            throw WorkerFault(code: "plugin", text: "a plugin of the chain starts threads; a worker has one")
        }
        let together = try chain.process(pixels)
        let classes = configuration.labels.count
        for start in stride(from: 0, to: together.count, by: classes) {
            let row = together[start..<start + classes]
            if let fault = scoresFault(row) {
                throw WorkerFault(code: "scores", text: "the classifier gave no probabilities: \(fault)")
            }
            let image = start / classes
            let alone = try chain.process(Array(pixels[image * shape.count..<(image + 1) * shape.count]))
            guard zip(alone, row).allSatisfy({ $0.bitPattern == $1.bitPattern }) else {
                throw WorkerFault(
                    code: "scores",
                    text:
                        "image \(image) gets other scores alone than in a batch: `foveactl plugin check` looks further")
            }
        }
        return together
    }
}
