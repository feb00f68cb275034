import FoveaModels
import FoveaSystem
import Glibc
import SystemPackage

// For programs that have nothing to do while they wait: foveactl, training, tests.

extension WorkerClient {
    /// The next message, waiting for it.
    ///
    /// - Throws: `WorkerClientError.timedOut` and all that `receive` throws.
    package func next(timeout: Duration) throws -> WorkerMessage {
        let deadline = ContinuousClock.now + timeout
        while true {
            if let message = try receive() { return message }
            let left = deadline - .now
            guard left > .zero else { throw WorkerClientError.timedOut }
            var poller = pollfd(fd: socket.rawValue, events: Int16(POLLIN), revents: 0)
            poll(
                &poller, 1,
                Int32(
                    clamping: left.components.seconds * 1000 + 1 + left.components.attoseconds / 1_000_000_000_000_000))
        }
    }

    /// Waits until the worker serves; a refusal is thrown as `WorkerClientError.fault`.
    @discardableResult
    package func waitForHello(timeout: Duration = .seconds(60)) throws -> WorkerHello {
        switch try next(timeout: timeout) {
        case .hello(let hello): return hello
        case .refused(let fault), .failed(let fault): throw WorkerClientError.fault(fault)
        default: throw WorkerProtocolError("an answer before hello")
        }
    }

    /// Classifies images in batches, two in flight so that the worker never waits.
    ///
    /// - Parameters:
    ///   - descriptors: open files, which stay the caller's.
    ///   - timeout: for each batch.
    /// - Returns: one outcome per descriptor, in order.
    package func classify(
        descriptors: [FileDescriptor], timeout: Duration = .seconds(60)
    ) throws -> [Result<ImageScores, WorkerFault>] {
        guard let hello else { preconditionFailure("classify before hello") }
        var outcomes: [Result<ImageScores, WorkerFault>] = []
        var sent = 0
        while outcomes.count < descriptors.count {
            while sent < descriptors.count, inFlight < 2 {
                let end = min(sent + hello.batch, descriptors.count)
                try sendWaiting(
                    .classify(
                        batch: UInt64(sent),
                        images: (sent..<end).map { WorkerImage(id: UInt64($0), descriptor: descriptors[$0]) }))
                sent = end
            }
            switch try next(timeout: timeout) {
            case .scores(let scores): outcomes += scores.images.map(\.outcome)
            case .failed(let fault): throw WorkerClientError.fault(fault)
            default: throw WorkerProtocolError("another answer than scores")
            }
        }
        return outcomes
    }

    /// Decodes images to RGB8 of one size and framing, `ahead` in flight.
    package func decode(
        descriptors: [FileDescriptor], as target: ImageTarget, ahead: Int = 16, timeout: Duration = .seconds(60)
    ) throws -> [Result<WorkerPixels, WorkerFault>] {
        var outcomes: [Result<WorkerPixels, WorkerFault>] = []
        var sent = 0
        while outcomes.count < descriptors.count {
            while sent < descriptors.count, inFlight < ahead {
                try sendWaiting(
                    .decode(WorkerImage(id: UInt64(sent), descriptor: descriptors[sent]), as: target))
                sent += 1
            }
            switch try next(timeout: timeout) {
            case .pixels(let id, let outcome):
                guard id == UInt64(outcomes.count) else { throw WorkerProtocolError("pixels out of order") }
                outcomes.append(outcome)
            case .failed(let fault): throw WorkerClientError.fault(fault)
            default: throw WorkerProtocolError("another answer than pixels")
            }
        }
        return outcomes
    }

    /// What the network sees of an image, and a thumbnail.
    package func preview(_ descriptor: FileDescriptor, timeout: Duration = .seconds(60)) throws -> WorkerPreview {
        try sendWaiting(.preview(WorkerImage(id: 0, descriptor: descriptor)))
        switch try next(timeout: timeout) {
        case .preview(_, let outcome): return try outcome.get()
        case .failed(let fault): throw WorkerClientError.fault(fault)
        default: throw WorkerProtocolError("another answer than a preview")
        }
    }

    private func sendWaiting(_ command: WorkerCommand) throws {
        while true {
            do {
                return try send(command)
            } catch let error as SystemError where error.errno == .resourceTemporarilyUnavailable {
                var poller = pollfd(fd: socket.rawValue, events: Int16(POLLOUT), revents: 0)
                poll(&poller, 1, 1000)
            }
        }
    }
}
