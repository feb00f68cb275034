import FoveaModels
import FoveaSystem
import Glibc
import SystemPackage

/// Runs a chain that nobody has run before, in a process of its own (`fovea-worker --score-chain`), which may read the model, the
/// plugins and the system's libraries, and write nothing: a plugin that crashes or hangs takes only that process with it.
package struct ChainTrial {
    /// Seconds for loading and scoring a few images.
    package static let limit = 120.0

    /// A folder with `config.json`, and the weights where the classifier reads them.
    package let folder: FilePath
    package let plugins: [FilePath]
    /// nil is `fovea-worker` beside the running program.
    package let executable: FilePath?

    package init(_ folder: FilePath, plugins: [FilePath], executable: FilePath? = nil) {
        (self.folder, self.plugins, self.executable) = (folder, plugins, executable)
    }

    /// Scores of images by the whole chain, the same ones one by one and together.
    ///
    /// - Parameters:
    ///   - inputs: RGB8, count × height × width × 3.
    ///   - count: images, times the model's labels: scores that are expected.
    /// - Throws: `WorkerFault` with what the plugin said or how it ended the process; `SystemError`.
    package func scores(_ inputs: [UInt8], count: Int) throws -> [Float] {
        let completed = try ChildProcess.run(
            executable ?? programDirectory().appending("fovea-worker"),
            ["--score-chain", folder.string] + plugins.map { "--plugins=\($0.string)" },
            environment: WorkerClient.environment(), input: inputs, limit: Self.limit)
        func fault(_ text: String) -> WorkerFault { WorkerFault(code: "plugin", text: text) }
        if completed.wasLate { throw fault("the chain was not done after \(Int(Self.limit)) s") }
        switch completed.ending {
        case .exited(0): break
        case .exited(65):
            let words = String(decoding: completed.error.suffix(4096), as: UTF8.self)
            throw fault(
                printable(words.split(separator: "\n").last.map(String.init) ?? "no reason given", atMost: 1000))
        case let ending: throw fault("a plugin of the chain ended the process: \(ending)")
        }
        // Before them stands what a plugin may have printed.
        guard completed.output.count >= 4 * count else {
            throw fault("the chain gave \(completed.output.count / 4) scores instead of \(count)")
        }
        return completed.output.suffix(4 * count).withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    }
}
