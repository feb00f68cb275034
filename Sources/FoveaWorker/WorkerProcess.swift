import CLinux
import FoveaImage
import FoveaPipeline
import FoveaSystem
import Glibc
import SystemPackage

/// The life of a worker: `start` → load, prove, seal → hello → answers, until `stop` or the end of the socket.
struct WorkerProcess: ~Copyable {
    private var socket: WorkerSocket
    private var generation: Generation?
    private var intake = ImageIntake(WorkerLimits())

    init(_ descriptor: FileDescriptor) { socket = WorkerSocket(descriptor) }

    /// - Returns: the exit code.
    mutating func run() -> Int32 {
        do {
            guard case .start(let start)? = try socket.receive() else {
                return complain("the first command was not start")
            }
            do {
                try prepare(start)
            } catch let fault as WorkerFault {
                try socket.send(.refused(fault))
                return 65
            }
            while let command = try socket.receive() {
                guard try answer(command) else { return 0 }
            }
            return 0
        } catch let error as SystemError where error.errno == .brokenPipe || error.errno == .connectionReset {
            return 0
        } catch {
            // To the daemon if it still listens, and to the log.
            try? socket.send(.failed(WorkerFault(code: "internal", text: "\(error)")))
            return complain("\(error)")
        }
    }

    private func complain(_ text: String) -> Int32 {
        try? Files.write("fovea-worker: \(text)\n".utf8, to: .standardError)
        return 70
    }

    // MARK: - Start

    private mutating func prepare(_ start: WorkerStart) throws {
        guard (1...WorkerProtocol.mostImages).contains(start.batch) else {
            throw WorkerFault(code: "start", text: "batch \(start.batch) is not from 1 to \(WorkerProtocol.mostImages)")
        }
        // Landlock's rules are made from paths as they are now, so relative ones are resolved first.
        var folder: FilePath?
        if let model = start.model {
            do throws(SystemError) { folder = try Files.resolve(model) } catch {
                throw WorkerFault(code: "model", text: "\(error)")
            }
        }
        var sandbox = Sandbox()
        if start.sandbox {
            try sandbox.enter(readable: PluginSearch(start.plugins).folders + (folder.map { [$0] } ?? []))
        }
        if let folder { generation = try Generation(start, folder: folder) }
        intake = ImageIntake(start.limits)
        let resident = cl_resident()
        if start.sandbox { try sandbox.seal(memory: start.limits.memory) }

        var hello = WorkerHello(pid: getpid())
        generation?.describe(in: &hello)
        hello.batch = start.batch
        hello.sandbox = sandbox.text
        hello.sandboxGaps = sandbox.gaps
        hello.residentBytes = Int(resident)
        try socket.send(.hello(hello))
    }

    // MARK: - Answers

    /// False when it was told to stop.
    private mutating func answer(_ command: WorkerCommand) throws -> Bool {
        switch command {
        case .start: throw WorkerProtocolError("a second start")
        case .stop: return false
        case .classify(let batch, let images): try socket.send(classify(batch, images))
        case .preview(let image):
            defer { try? image.descriptor.close() }
            try socket.send(.preview(id: image.id, preview(image.descriptor)))
        case .decode(let image, let target):
            defer { try? image.descriptor.close() }
            try socket.send(.pixels(id: image.id, intake.pixels(image.descriptor, as: target)))
        }
        return true
    }

    private static let noModel = WorkerFault(code: "no-model", text: "this worker was started without a model")

    /// Decodes every image of the batch straight into the chain's input, runs the chain once on those that could be
    /// decoded, and puts the answers back into the order of the command.
    private func classify(_ batch: UInt64, _ images: [WorkerImage]) throws -> WorkerMessage {
        let start = ContinuousClock.now
        defer { for image in images { try? image.descriptor.close() } }
        guard let generation else {
            return .scores(
                WorkerScores(
                    batch: batch, images: images.map { .init(id: $0.id, outcome: .failure(Self.noModel)) },
                    stageMicroseconds: [], totalMicroseconds: 0))
        }
        let (chain, target) = (generation.chain, generation.target)
        guard images.count <= chain.maxCount else {
            throw WorkerProtocolError("\(images.count) images in a batch of at most \(chain.maxCount)")
        }
        var decoded = 0
        var outcomes: [Result<ImageScores, WorkerFault>] = []
        for image in images {
            let outcome = intake.read(image.descriptor).flatMap { file in
                let begin = ContinuousClock.now
                return intake.decode(
                    file, as: target, into: chain.input.pointer + decoded * chain.shape.count
                ).map {
                    ImageScores(
                        facts: $0, probabilities: [], readMicroseconds: file.readMicroseconds,
                        decodeMicroseconds: microseconds(since: begin))
                }
            }
            if case .success = outcome { decoded += 1 }
            outcomes.append(outcome)
        }
        var times = [Int](repeating: 0, count: chain.stages.count)
        if decoded > 0 { times = try chain.run(count: decoded) }
        var row = 0
        for i in outcomes.indices {
            guard case .success(var scores) = outcomes[i] else { continue }
            scores.probabilities = Array(
                UnsafeBufferPointer(start: chain.scores.pointer + row * chain.classes, count: chain.classes))
            scores.unknownness = chain.unknownness?[row]
            row += 1
            if let fault = scoresFault(scores.probabilities) {
                outcomes[i] = .failure(
                    WorkerFault(code: "scores", text: "the classifier gave no probabilities: \(fault)"))
            } else if let fault = unknownnessFault(scores.unknownness, tells: generation.tellsUnknown) {
                outcomes[i] = .failure(WorkerFault(code: "scores", text: "the classifier gave \(fault)"))
            } else {
                outcomes[i] = .success(scores)
            }
        }
        return .scores(
            WorkerScores(
                batch: batch, images: zip(images, outcomes).map { .init(id: $0.id, outcome: $1) },
                stageMicroseconds: times, totalMicroseconds: microseconds(since: start)))
    }

    private func preview(_ descriptor: FileDescriptor) -> Result<WorkerPreview, WorkerFault> {
        guard let chain = generation?.chain, let target = generation?.target else { return .failure(Self.noModel) }
        return intake.read(descriptor).flatMap { file in
            intake.thumbnail(file).flatMap { facts, thumbnail in
                var seen = [UInt8](repeating: 0, count: chain.shape.count)
                let decoded = seen.withUnsafeMutableBufferPointer {
                    intake.decode(file, as: target, into: $0.baseAddress!)
                }
                if case .failure(let fault) = decoded { return .failure(fault) }
                do throws(PluginError) {
                    try seen.withUnsafeMutableBufferPointer { buffer throws(PluginError) in
                        try chain.applyFilters(buffer.baseAddress!, count: 1)
                    }
                } catch {
                    return .failure(WorkerFault(code: "plugin", text: error.description))
                }
                return .success(
                    WorkerPreview(
                        facts: facts, width: target.width, height: target.height, seen: seen,
                        seenPNG: PNGEncoder.encode(seen, width: target.width, height: target.height),
                        thumbnailPNG: thumbnail))
            }
        }
    }
}
