import FoveaControl
import FoveaPipeline
import FoveaSystem
import Glibc
import SystemPackage

/// Decodes people's images in a worker process, which may neither open files nor reach a network: a picture that was
/// classified in a sandbox is not trusted more for having been corrected.
package struct SandboxedDecoder {
    private let root: FilePath
    private let height: Int
    private let width: Int
    private let limits: Configuration.Limits
    private let executable: FilePath?

    /// - Parameters:
    ///   - root: what paths are below.
    ///   - executable: of the worker; nil is `fovea-worker` beside the running program.
    package init(
        _ root: FilePath, height: Int, width: Int, limits: Configuration.Limits, executable: FilePath? = nil
    ) {
        (self.root, self.height, self.width, self.limits) = (root, height, width, limits)
        self.executable = executable
    }

    /// Images that a worker gets before its answers are waited for; they are tried one by one where they end it.
    private static let group = 64

    /// Times limits.seconds: at idle priority beside a busy daemon everything takes longer.
    private static let patience = 30.0

    /// - Returns: for each path the pixels, RGB8, height × width × 3, or why there are none.
    package func decode(_ paths: [FilePath]) throws -> [Result<[UInt8], CorrectionFault>] {
        var results: [Result<[UInt8], CorrectionFault>] = []
        var worker: WorkerClient?
        defer { _ = worker?.end() }
        while results.count < paths.count {
            let group = paths[results.count...].prefix(Self.group)
            if let decoded = try attempt(Array(group), &worker) {
                results += decoded
                continue
            }
            for path in group {
                results +=
                    try attempt([path], &worker) ?? [
                        .failure(
                            CorrectionFault("its decoding ended the worker process, or took far too long"))
                    ]
            }
        }
        return results
    }

    /// nil where the worker has ended or was too slow.
    private func attempt(
        _ paths: [FilePath], _ worker: inout WorkerClient?
    ) throws -> [Result<[UInt8], CorrectionFault>]? {
        if worker == nil {
            let start = WorkerStart(
                model: nil, plugins: [],
                limits: WorkerLimits(
                    bytes: limits.file, side: limits.side, pixels: limits.pixels, memory: limits.memory))
            worker = try WorkerClient(start: start, executable: executable)
            try worker?.waitForHello()
        }
        var opened: [Result<FileDescriptor, CorrectionFault>] = []
        defer { for case .success(let descriptor) in opened { try? descriptor.close() } }
        for path in paths {
            do throws(SystemError) {
                opened.append(.success(try Files.open(root.pushing(path), O_RDONLY | O_NONBLOCK | O_NOFOLLOW)))
            } catch {
                opened.append(.failure(CorrectionFault("\(error)")))
            }
        }
        let descriptors = opened.compactMap { try? $0.get() }
        do {
            var decoded = try worker!.decode(
                descriptors: descriptors, width: width, height: height,
                timeout: .milliseconds(Int(limits.seconds * Self.patience * 1000)))[...]
            return opened.map { file in
                file.flatMap { _ in
                    decoded.removeFirst().map(\.pixels).mapError { CorrectionFault($0.text) }
                }
            }
        } catch is WorkerClientError {
            _ = worker?.end()
            worker = nil
            return nil
        }
    }
}
