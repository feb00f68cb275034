import FoveaModels
import FoveaPipeline
import FoveaSystem
import FoveaTestKit
import Glibc
import SystemPackage
import Testing

private let facts = ImageFacts(
    width: 640, height: 480, bytes: 12_345, sha256: [UInt8](repeating: 7, count: 32), format: .jpeg)

private func scores(images: Int, classes: Int) -> WorkerScores {
    let probabilities = [Float](repeating: 1 / Float(classes), count: classes)
    func outcome(_ id: Int) -> Result<ImageScores, WorkerFault> {
        if id % 5 == 4 { return .failure(WorkerFault(code: "truncated", text: "ends early")) }
        return .success(
            ImageScores(
                facts: facts, probabilities: probabilities, unknownness: id % 2 == 0 ? Float(id) / 3 : nil,
                readMicroseconds: 10, decodeMicroseconds: 200))
    }
    return WorkerScores(
        batch: 9, images: (0..<images).map { WorkerScores.Image(id: UInt64($0), outcome: outcome($0)) },
        stageMicroseconds: [1, 2, 3], totalMicroseconds: 4000)
}

private func hello(pid: Int32 = 5, labels: [String] = ["cat", "dog"], tells: Bool = false) -> WorkerHello {
    var hello = WorkerHello(pid: pid)
    hello.model = .init(name: "m", version: "1", sha256: "00ff")
    hello.labels = labels
    hello.tellsUnknown = tells
    hello.input = .init(height: 32, width: 32)
    hello.stages = [
        .init(
            plugin: "normalize", version: "1", kind: .normalizer, parameters: .object(["mode": .string("signed")]),
            details: .null, library: "/x.so")
    ]
    hello.batch = 64
    return hello
}

/// All frames that a message makes.
private func frames(_ message: WorkerMessage) throws -> [[UInt8]] {
    let (a, b) = try SeqPacket.pair()
    defer {
        try? a.close()
        try? b.close()
    }
    SeqPacket.setBuffers(a, bytes: 4 << 20)
    try message.send(to: a)
    var frames: [[UInt8]] = []
    while let frame = try? SeqPacket.receive(from: b, limit: 1 << 17, blocking: false) { frames.append(frame.bytes) }
    return frames
}

private func decoded(_ frames: [[UInt8]]) throws -> WorkerMessage? {
    var assembler = FrameAssembler(limit: WorkerProtocol.messageLimit)
    for frame in frames {
        if let (kind, payload) = try assembler.add(frame) { return try WorkerMessage(kind: kind, payload: payload) }
    }
    return nil
}

private let preview = WorkerPreview(
    facts: facts, width: 2, height: 1, seen: [1, 2, 3, 4, 5, 6], seenPNG: [9, 9], thumbnailPNG: [8])

private let messages: [WorkerMessage] = [
    .hello(hello()), .hello(hello(tells: true)), .refused(WorkerFault(code: "golden", text: "differs")),
    .failed(WorkerFault(code: "internal", text: "")), .scores(scores(images: 7, classes: 3)),
    .preview(id: 3, .success(preview)), .preview(id: 3, .failure(WorkerFault(code: "x", text: "y"))),
    .pixels(id: 4, .success(WorkerPixels(facts: facts, width: 1, height: 2, pixels: [1, 2, 3, 4, 5, 6]))),
]

@Suite struct ProtocolTests {
    @Test func messagesComeBack() throws {
        for message in messages { #expect(try decoded(frames(message)) == message) }
    }

    @Test func largeMessagesTravelInPieces() throws {
        let message = WorkerMessage.scores(scores(images: 64, classes: 600))
        let pieces = try frames(message)
        #expect(pieces.count > 1 && pieces.allSatisfy { $0.count <= WorkerProtocol.frameSize })
        #expect(try decoded(pieces) == message)
        // A piece of another message in between, and a missing first piece that makes the rest nonsense.
        #expect(throws: WorkerProtocolError.self) { try decoded([pieces[0], frames(messages[1])[0]]) }
        #expect(throws: WorkerProtocolError.self) { try decoded(Array(pieces.dropFirst())) }
    }

    @Test func commandsComeBackWithTheirDescriptors() throws {
        let (ours, theirs) = try SeqPacket.pair()
        var socket = WorkerSocket(theirs)
        let start = WorkerStart(
            model: FilePath(bytes: [0x2F, 0xFF, 0x25]), plugins: ["/a b"], batch: 7, sandbox: false)
        try WorkerCommand.start(start).send(to: ours, blocking: true)
        #expect(try socket.receive() == .start(start))

        let file = try memoryFile("image")
        try Files.write([1, 2, 3], to: file)
        let images = (0..<200).map { WorkerImage(id: UInt64($0) << 40, descriptor: file) }
        try WorkerCommand.classify(batch: .max, images: images).send(to: ours, blocking: true)
        guard case .classify(.max, let received)? = try socket.receive() else {
            Issue.record("not a classify")
            return
        }
        #expect(received.map(\.id) == images.map(\.id))
        for image in received {
            #expect(try Files.read(image.descriptor, count: 3) == [1, 2, 3])
            try image.descriptor.close()
        }
        try file.close()
        try WorkerCommand.stop.send(to: ours, blocking: true)
        #expect(try socket.receive() == .stop)
        try ours.close()
        #expect(try socket.receive() == nil)
        try theirs.close()
    }

    @Test func nothingThatArrivesTraps() throws {
        var random = SplitMix64(seed: 1)
        for message in messages + [.scores(scores(images: 64, classes: 10))] {
            let frame = try #require(try frames(message).first)
            for length in 0..<min(frame.count, 400) {
                #expect(throws: WorkerProtocolError.self) { try decoded([Array(frame.prefix(length))]) }
            }
            #expect(throws: WorkerProtocolError.self) { try decoded([frame + [0]]) }
            for _ in 0..<3000 {
                var changed = frame
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    changed[Int.random(in: 0..<changed.count, using: &random)] = UInt8(
                        truncatingIfNeeded: random.next())
                }
                _ = try? decoded([changed])
            }
        }
        for kind in UInt8.min...UInt8.max {
            for length in [0, 1, 8, 100, 5000] {
                let payload = (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                _ = try? WorkerMessage(kind: kind, payload: payload)
                _ = try? WorkerCommand(kind: kind, payload: payload, descriptors: [])
                // Counts that promise 4 billion of everything.
                _ = try? WorkerMessage(kind: kind, payload: [UInt8](repeating: 0xFF, count: length))
            }
        }
    }

    @Test func messagesAreBounded() throws {
        var assembler = FrameAssembler(limit: 100)
        let header: [UInt8] = [0x46, 0x56, 1, 130, 1, 0, 0, 0]
        #expect(try assembler.add(header + [UInt8](repeating: 0, count: 60)) == nil)
        #expect(throws: WorkerProtocolError.self) { try assembler.add(header + [UInt8](repeating: 0, count: 60)) }
        var endless = FrameAssembler(limit: 100)
        #expect(throws: WorkerProtocolError.self) { try endless.add(header) }
    }

    @Test(arguments: ["../up", "a/b", ".hidden", "failed", "unsure", "", "a\nb", String(repeating: "x", count: 101)])
    func labelsAreFolderNames(label: String) throws {
        #expect(throws: WorkerProtocolError.self) { try decoded(frames(.hello(hello(labels: ["cat", label])))) }
    }

    /// A model from before the outbox had a folder of that name.
    @Test func aLabelThatOlderVersionsAllowedIsTaken() throws {
        let message = WorkerMessage.hello(hello(labels: ["cat", "unknown"]))
        #expect(try decoded(frames(message)) == message)
    }

    @Test func anUnknownnessThatIsNoneIsRefused() throws {
        for value: Float in [.nan, .infinity, -1, -0.001] {
            let row = ImageScores(
                facts: facts, probabilities: [1], unknownness: value, readMicroseconds: 0, decodeMicroseconds: 0)
            let message = WorkerMessage.scores(
                WorkerScores(
                    batch: 1, images: [.init(id: 1, outcome: .success(row))], stageMicroseconds: [],
                    totalMicroseconds: 0))
            #expect(throws: WorkerProtocolError.self) { try decoded(frames(message)) }
        }
        var empty = WorkerHello(pid: 5)
        empty.batch = 1
        #expect(try decoded(frames(.hello(empty))) == .hello(empty))
        empty.tellsUnknown = true
        #expect(throws: WorkerProtocolError.self) { try decoded(frames(.hello(empty))) }
    }

    @Test func faultsAreFitForATerminal() {
        let fault = WorkerFault(
            code: "A-b c\u{1B}9", text: "red \u{1B}[31m\n\u{202E}x" + String(repeating: "y", count: 5000))
        #expect(fault.code == "-bc9")
        #expect(
            !fault.text.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x202E } && fault.text.count <= 600)
    }

    @Test func probabilities() {
        #expect(scoresFault([0.25, 0.75] as [Float]) == nil)
        for row: [Float] in [[.nan, 1], [.infinity, 0], [-0.1, 1.1], [0.5, 0.4], [2, -1], []] {
            #expect(scoresFault(row) != nil)
        }
    }
}

/// A client facing a worker that has been taken over.
@Suite struct ClientTests {
    /// A client, the other end of its socket, and a process that stands for the worker.
    private func pair() throws -> (WorkerClient, FileDescriptor) {
        let (ours, theirs) = try SeqPacket.pair()
        let process = try ChildProcess(executable: "/bin/sleep", arguments: ["100"], environment: [])
        return (WorkerClient(socket: ours, process: process), theirs)
    }

    private func expectRefusal(
        tells: Bool = false, _ lie: (WorkerClient) -> WorkerMessage, line: Int = #line
    ) throws {
        let (client, worker) = try pair()
        defer {
            client.end()
            try? worker.close()
        }
        try WorkerMessage.hello(hello(pid: client.process.pid, tells: tells)).send(to: worker)
        try client.waitForHello()
        let file = try memoryFile("x")
        defer { try? file.close() }
        try client.send(.classify(batch: 1, images: [10, 11].map { WorkerImage(id: $0, descriptor: file) }))
        try client.send(.decode(WorkerImage(id: 20, descriptor: file), as: ImageTarget(height: 2, width: 2)))
        try lie(client).send(to: worker)
        #expect(throws: WorkerProtocolError.self, "line \(line)") { try client.receive() }
    }

    private func answer(
        batch: UInt64 = 1, ids: [UInt64] = [10, 11], classes: Int = 2, stages: Int = 1, unknownness: Float? = nil
    ) -> WorkerMessage {
        let row = ImageScores(
            facts: facts, probabilities: [1] + [Float](repeating: 0, count: classes - 1), unknownness: unknownness,
            readMicroseconds: 0, decodeMicroseconds: 0)
        return .scores(
            WorkerScores(
                batch: batch, images: ids.map { .init(id: $0, outcome: .success(row)) },
                stageMicroseconds: [Int](repeating: 0, count: stages), totalMicroseconds: 0))
    }

    @Test func liesAreErrors() throws {
        try expectRefusal { .hello(hello(pid: $0.process.pid)) }
        try expectRefusal { _ in .refused(WorkerFault(code: "model", text: "late")) }
        try expectRefusal { _ in answer(batch: 2) }
        try expectRefusal { _ in answer(ids: [10]) }
        try expectRefusal { _ in answer(ids: [11, 10]) }
        try expectRefusal { _ in answer(ids: [10, 11, 12]) }
        try expectRefusal { _ in answer(classes: 3) }
        try expectRefusal { _ in answer(stages: 2) }
        try expectRefusal { _ in answer(unknownness: 0.5) }
        try expectRefusal(tells: true) { _ in answer() }
        try expectRefusal { _ in .preview(id: 10, .success(preview)) }
        let pixels = WorkerPixels(facts: facts, width: 1, height: 1, pixels: [1, 2, 3])
        try expectRefusal { _ in .pixels(id: 20, .success(pixels)) }
        try expectRefusal { _ in .pixels(id: 21, .success(pixels)) }
    }

    @Test func rightAnswersAreTaken() throws {
        let (client, worker) = try pair()
        defer { try? worker.close() }
        #expect(try client.receive() == nil)
        try WorkerMessage.hello(hello(pid: client.process.pid)).send(to: worker)
        try client.waitForHello()
        let file = try memoryFile("x")
        defer { try? file.close() }
        try client.send(.classify(batch: 1, images: [10, 11].map { WorkerImage(id: $0, descriptor: file) }))
        #expect(client.inFlight == 1)
        try answer().send(to: worker)
        #expect(try client.receive() == answer())
        #expect(client.inFlight == 0)
        // The same answer again, and descriptors, which a worker has none of to send.
        try SeqPacket.send([0x46, 0x56, 1, 134, 0, 0, 0, 0], descriptors: [file], to: worker)
        #expect(throws: WorkerProtocolError.self) { try client.receive() }
        #expect(client.end() == .killed(signal: SIGKILL))
    }

    @Test func endOfTheWorker() throws {
        let client = try WorkerClient(start: WorkerStart(model: nil), executable: "/bin/true")
        #expect(throws: WorkerClientError.ended) { try client.next(timeout: .seconds(20)) }
        client.end()
        #expect(throws: SystemError.self) { try WorkerClient(start: WorkerStart(model: nil), executable: "/nowhere") }
    }
}
