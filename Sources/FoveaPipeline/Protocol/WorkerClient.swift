import FoveaSystem
import Glibc
import SystemPackage

/// The end of a worker's life, seen from outside.
package enum WorkerClientError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The socket is closed: the worker has ended.
    case ended
    /// No message within the time given.
    case timedOut
    /// The worker will not serve (`.refused`) or cannot go on (`.failed`).
    case fault(WorkerFault)

    package var description: String {
        switch self {
        case .ended: "the worker process ended without an answer"
        case .timedOut: "the worker process gave no answer in time"
        case .fault(let fault): fault.description
        }
    }
}

/// One worker process and the socket to it.
///
/// For a loop around poll(2): `socket` becomes readable, `receive` takes message after message until nil. For
/// programs without such a loop `waitForHello`, `classify` and `decode` block. Not thread-safe. What the worker sends
/// is checked against what it was asked; an error thrown by `receive` means that this worker must be ended.
package final class WorkerClient {
    /// For poll(2) only.
    package let socket: FileDescriptor
    package let process: ChildProcess
    /// Set when the hello has been received.
    package private(set) var hello: WorkerHello?

    private var assembler = FrameAssembler(limit: WorkerProtocol.messageLimit)
    /// Batches sent and not answered, with the names of their images.
    private var batches: [UInt64: [UInt64]] = [:]
    /// Images sent by `preview` and `decode` and not answered.
    private var previews: Set<UInt64> = []
    private var decodes: [UInt64: (width: Int, height: Int)] = [:]
    private var isClosed = false

    /// Spawns the worker. Call it on a thread that lives as long as the worker shall: when that thread ends, the
    /// kernel kills the worker (PR_SET_PDEATHSIG).
    ///
    /// - Parameter executable: nil is `fovea-worker` beside the running program.
    package init(
        start: WorkerStart, executable: FilePath? = nil, arguments: [String] = [], error: FileDescriptor? = nil
    ) throws {
        let (ours, theirs) = try SeqPacket.pair()
        defer { try? theirs.close() }
        for end in [ours, theirs] { SeqPacket.setBuffers(end, bytes: 4 << 20) }
        do {
            process = try ChildProcess(
                executable: executable ?? programDirectory().appending("fovea-worker"), arguments: arguments,
                environment: Self.environment(), input: theirs, error: error, ownGroup: true)
        } catch {
            try? ours.close()
            throw error
        }
        socket = ours
        do {
            try send(.start(start))
        } catch {
            end()
            throw error
        }
    }

    /// For tests: a socket whose other end the test holds, and a process that stands for the worker.
    package init(socket: FileDescriptor, process: ChildProcess) {
        self.socket = socket
        self.process = process
    }

    deinit { if !isClosed { try? socket.close() } }

    /// The worker's whole environment.
    static func environment() -> [String] {
        // The Swift runtime's backtracer would start a process on a crash, which a sealed worker may not.
        var lines = ["SWIFT_BACKTRACE=enable=no"]
        for name in ["PATH", "LANG", "FOVEA_ISA"] {
            if let value = getenv(name) { lines.append("\(name)=\(String(cString: value))") }
        }
        return lines
    }

    /// Batches, previews and decodes sent and not yet answered.
    package var inFlight: Int { batches.count + previews.count + decodes.count }

    /// Sends without waiting; throws a `SystemError` of EAGAIN when the worker does not take what was sent before.
    package func send(_ command: WorkerCommand) throws {
        switch command {
        case .classify(let batch, let images):
            precondition(batches[batch] == nil && !images.isEmpty && images.count <= WorkerProtocol.mostImages)
        case .preview(let image): precondition(!previews.contains(image.id))
        case .decode(let image, _): precondition(decodes[image.id] == nil)
        case .start, .stop: break
        }
        try command.send(to: socket, blocking: false)
        switch command {
        case .classify(let batch, let images): batches[batch] = images.map(\.id)
        case .preview(let image): previews.insert(image.id)
        case .decode(let image, let target): decodes[image.id] = (target.width, target.height)
        case .start, .stop: break
        }
    }

    /// The next message; nil when none is there yet. Never blocks.
    ///
    /// - Throws: `WorkerClientError.ended`, `WorkerProtocolError`, `SystemError`.
    package func receive() throws -> WorkerMessage? {
        while true {
            let frame: [UInt8]
            switch try nextFrame() {
            case .none: return nil
            case .ended: throw WorkerClientError.ended
            case .frame(let bytes): frame = bytes
            }
            guard let (kind, payload) = try assembler.add(frame) else { continue }
            let message = try WorkerMessage(kind: kind, payload: payload)
            try check(message)
            return message
        }
    }

    private enum NextFrame {
        case none, ended
        case frame([UInt8])
    }

    private func nextFrame() throws -> NextFrame {
        do throws(SystemError) {
            guard
                let (bytes, descriptors) = try SeqPacket.receive(
                    from: socket, limit: WorkerProtocol.frameSize, blocking: false)
            else { return .ended }
            if descriptors.isEmpty { return .frame(bytes) }
            for descriptor in descriptors { try? descriptor.close() }
        } catch {
            if error.errno == .resourceTemporarilyUnavailable { return .none }
            throw error
        }
        throw WorkerProtocolError("a worker sent descriptors")
    }

    /// Holds an answer against its question.
    private func check(_ message: WorkerMessage) throws(WorkerProtocolError) {
        switch message {
        case .hello(let hello):
            guard self.hello == nil else { throw WorkerProtocolError("a second hello") }
            guard hello.pid == process.pid else { throw WorkerProtocolError("hello: another process's number") }
            self.hello = hello
        case .refused:
            guard hello == nil else { throw WorkerProtocolError("refused after hello") }
        case .failed: break
        case .scores(let scores):
            guard let hello, let ids = batches.removeValue(forKey: scores.batch), ids == scores.images.map(\.id) else {
                throw WorkerProtocolError("an answer to a batch that was not sent, or about other images")
            }
            guard scores.stageMicroseconds.count == hello.stages.count else {
                throw WorkerProtocolError("times of \(scores.stageMicroseconds.count) stages")
            }
            for image in scores.images {
                guard case .success(let value) = image.outcome else { continue }
                if value.probabilities.count != hello.labels.count {
                    throw WorkerProtocolError("\(value.probabilities.count) scores for \(hello.labels.count) labels")
                }
                if let fault = unknownnessFault(value.unknownness, tells: hello.tellsUnknown) {
                    throw WorkerProtocolError("the worker gave \(fault)")
                }
            }
        case .preview(let id, _):
            guard previews.remove(id) != nil else { throw WorkerProtocolError("a preview that nobody asked for") }
        case .pixels(let id, let outcome):
            guard let size = decodes.removeValue(forKey: id) else {
                throw WorkerProtocolError("pixels that nobody asked for")
            }
            if case .success(let pixels) = outcome, (pixels.width, pixels.height) != size {
                throw WorkerProtocolError("pixels of another size")
            }
        }
    }

    /// Kills the worker if it has not ended, and takes its ending. The client is used up.
    @discardableResult
    package func end() -> ChildProcess.Ending {
        if !isClosed { try? socket.close() }
        isClosed = true
        if let ending = process.endingIfEnded() { return ending }
        process.signal(SIGKILL)
        return process.wait()
    }
}
