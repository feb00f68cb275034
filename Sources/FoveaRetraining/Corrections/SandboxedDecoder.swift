import FoveaControl
import FoveaModels
import FoveaPipeline
import FoveaSystem
import SystemPackage

/// Decodes people's images in a worker process, which may neither open files nor reach a network: a picture that was
/// classified in a sandbox is not trusted more for having been corrected.
package struct SandboxedDecoder {
    private let questions: WorkerQuestions<[UInt8]>

    /// Times limits.seconds: at idle priority beside a busy daemon everything takes longer.
    private static let patience = 30.0

    /// - Parameters:
    ///   - root: what paths are below.
    ///   - target: the model's input.
    ///   - executable: of the worker; nil is `fovea-worker` beside the running program.
    package init(
        _ root: FilePath, as target: ImageTarget, limits: Configuration.Limits, executable: FilePath? = nil
    ) {
        let start = WorkerStart(
            model: nil, plugins: [],
            limits: WorkerLimits(bytes: limits.file, side: limits.side, pixels: limits.pixels, memory: limits.memory))
        questions = WorkerQuestions(root: root, start: start, executable: executable, group: 64) { worker, files in
            try worker.decode(
                descriptors: files, as: target,
                timeout: .milliseconds(Int(limits.seconds * Self.patience * 1000))
            ).map { $0.map(\.pixels) }
        }
    }

    /// - Returns: for each path the pixels, RGB8, the target's height × width × 3, or why there are none.
    package func decode(_ paths: [FilePath]) throws -> [Result<[UInt8], CorrectionFault>] {
        try questions.answers(to: paths).map { $0.mapError { CorrectionFault($0.text) } }
    }
}
