import FoundationEssentials
import FoveaSystem
import SystemPackage

/// The format of an image file, by its content.
package enum ImageFileFormat: UInt8, Sendable, Equatable {
    case png = 1
    case jpeg = 2

    /// `png` or `jpeg`.
    package var name: String { self == .png ? "png" : "jpeg" }
}

/// What a worker learned of an image's file.
package struct ImageFacts: Sendable, Equatable {
    /// Of the picture, upright.
    package var width: Int
    package var height: Int
    /// Of the file.
    package var bytes: Int
    /// Of the file, 32 bytes.
    package var sha256: [UInt8]
    package var format: ImageFileFormat

    package init(width: Int, height: Int, bytes: Int, sha256: [UInt8], format: ImageFileFormat) {
        self.width = width
        self.height = height
        self.bytes = bytes
        self.sha256 = sha256
        self.format = format
    }
}

/// A classified image.
package struct ImageScores: Sendable, Equatable {
    package var facts: ImageFacts
    /// One per label, from 0 to 1, their sum 1.
    package var probabilities: [Float]
    /// How far the image is from all that the model knows: 1 is the model's own threshold, above it the image belongs to
    /// no class. nil where the model cannot tell.
    package var unknownness: Float?
    /// Microseconds for reading and hashing the file, and for decoding and resizing it.
    package var readMicroseconds: Int
    package var decodeMicroseconds: Int

    package init(
        facts: ImageFacts, probabilities: [Float], unknownness: Float? = nil, readMicroseconds: Int,
        decodeMicroseconds: Int
    ) {
        self.facts = facts
        self.probabilities = probabilities
        self.unknownness = unknownness
        self.readMicroseconds = readMicroseconds
        self.decodeMicroseconds = decodeMicroseconds
    }
}

/// The answer to one batch.
package struct WorkerScores: Sendable, Equatable {
    package struct Image: Sendable, Equatable {
        package let id: UInt64
        package let outcome: Result<ImageScores, WorkerFault>

        package init(id: UInt64, outcome: Result<ImageScores, WorkerFault>) {
            self.id = id
            self.outcome = outcome
        }
    }

    package let batch: UInt64
    /// In the order of the command.
    package let images: [Image]
    /// Microseconds of each stage of the chain for the whole batch; an image's share is this divided by
    /// the number of images that succeeded.
    package let stageMicroseconds: [Int]
    /// Microseconds for the whole batch, from the command to the answer.
    package let totalMicroseconds: Int

    package init(batch: UInt64, images: [Image], stageMicroseconds: [Int], totalMicroseconds: Int) {
        self.batch = batch
        self.images = images
        self.stageMicroseconds = stageMicroseconds
        self.totalMicroseconds = totalMicroseconds
    }
}

/// An image as the network sees it, and small enough for a page.
package struct WorkerPreview: Sendable, Equatable {
    package var facts: ImageFacts
    /// Of `seen`; the model's input size.
    package var width: Int
    package var height: Int
    /// RGB8, height × width × 3, after the filters.
    package var seen: [UInt8]
    /// The same as a PNG file.
    package var seenPNG: [UInt8]
    /// A PNG file of at most 200 pixels a side, in the picture's proportions, encoded anew.
    package var thumbnailPNG: [UInt8]

    package init(
        facts: ImageFacts, width: Int, height: Int, seen: [UInt8], seenPNG: [UInt8], thumbnailPNG: [UInt8]
    ) {
        self.facts = facts
        self.width = width
        self.height = height
        self.seen = seen
        self.seenPNG = seenPNG
        self.thumbnailPNG = thumbnailPNG
    }
}

/// Decoded and resized pixels.
package struct WorkerPixels: Sendable, Equatable {
    package var facts: ImageFacts
    package var width: Int
    package var height: Int
    /// RGB8, height × width × 3.
    package var pixels: [UInt8]

    package init(facts: ImageFacts, width: Int, height: Int, pixels: [UInt8]) {
        self.facts = facts
        self.width = width
        self.height = height
        self.pixels = pixels
    }
}

/// From a worker to the daemon.
package enum WorkerMessage: Sendable, Equatable {
    /// The first message of a worker that will serve.
    case hello(WorkerHello)
    /// The first and only message of a worker that will not: the model or a plugin is at fault.
    case refused(WorkerFault)
    case scores(WorkerScores)
    case preview(id: UInt64, Result<WorkerPreview, WorkerFault>)
    case pixels(id: UInt64, Result<WorkerPixels, WorkerFault>)
    /// The worker cannot go on and ends: a stage failed on a batch, or a command made no sense.
    case failed(WorkerFault)

    private enum Kind: UInt8 { case hello = 129, refused, scores, preview, pixels, failed }

    private static let mostPixelBytes = WorkerCommand.largestSide * WorkerCommand.largestSide * 3
    private static let mostThumbnailBytes = 1 << 20

    package func send(to socket: FileDescriptor) throws {
        var writer = ByteWriter()
        let kind: Kind
        switch self {
        case .hello(let hello):
            kind = .hello
            writer.putRaw([UInt8](try JSONEncoder().encode(hello)))
        case .refused(let fault):
            kind = .refused
            writer.put(fault)
        case .failed(let fault):
            kind = .failed
            writer.put(fault)
        case .scores(let scores):
            kind = .scores
            writer.put(scores)
        case .preview(let id, let outcome):
            kind = .preview
            writer.put(id)
            writer.put(outcome) { writer, preview in
                writer.put(preview.facts)
                writer.putCount(preview.width)
                writer.putCount(preview.height)
                writer.putBlock(preview.seen)
                writer.putBlock(preview.seenPNG)
                writer.putBlock(preview.thumbnailPNG)
            }
        case .pixels(let id, let outcome):
            kind = .pixels
            writer.put(id)
            writer.put(outcome) { writer, pixels in
                writer.put(pixels.facts)
                writer.putCount(pixels.width)
                writer.putCount(pixels.height)
                writer.putBlock(pixels.pixels)
            }
        }
        try WorkerProtocol.send(kind: kind.rawValue, payload: writer.bytes, to: socket, blocking: true)
    }

    package init(kind: UInt8, payload: [UInt8]) throws(WorkerProtocolError) {
        guard let kind = Kind(rawValue: kind) else { throw WorkerProtocolError("unknown message \(kind)") }
        var reader = ByteReader(payload)
        switch kind {
        case .hello:
            let json = try reader.takeRaw(payload.count)
            let hello: WorkerHello
            do {
                hello = try JSONDecoder().decode(WorkerHello.self, from: Data(json))
            } catch {
                throw WorkerProtocolError("hello: \(printable("\(error)", atMost: 300))")
            }
            try hello.validate()
            self = .hello(hello)
        case .refused: self = .refused(try reader.takeFault())
        case .failed: self = .failed(try reader.takeFault())
        case .scores: self = .scores(try reader.takeScores())
        case .preview:
            let id = try reader.take(UInt64.self)
            guard try reader.takeSuccess() else {
                self = .preview(id: id, .failure(try reader.takeFault()))
                break
            }
            let facts = try reader.takeFacts()
            let (width, height) = try reader.takeSize()
            let seen = try reader.takeBlock("the pixels", limit: Self.mostPixelBytes)
            let seenPNG = try reader.takeBlock("the picture", limit: Self.mostPixelBytes * 2)
            let thumbnail = try reader.takeBlock("the thumbnail", limit: Self.mostThumbnailBytes)
            guard seen.count == width * height * 3 else { throw WorkerProtocolError("pixels of another size") }
            self = .preview(
                id: id,
                .success(
                    WorkerPreview(
                        facts: facts, width: width, height: height, seen: seen, seenPNG: seenPNG,
                        thumbnailPNG: thumbnail)))
        case .pixels:
            let id = try reader.take(UInt64.self)
            guard try reader.takeSuccess() else {
                self = .pixels(id: id, .failure(try reader.takeFault()))
                break
            }
            let facts = try reader.takeFacts()
            let (width, height) = try reader.takeSize()
            let pixels = try reader.takeBlock("the pixels", limit: Self.mostPixelBytes)
            guard pixels.count == width * height * 3 else { throw WorkerProtocolError("pixels of another size") }
            self = .pixels(
                id: id, .success(WorkerPixels(facts: facts, width: width, height: height, pixels: pixels)))
        }
        try reader.end()
    }
}

// MARK: - The parts, writing and reading side by side

extension ByteWriter {
    fileprivate mutating func put(_ fault: WorkerFault) {
        putBlock(Array(fault.code.utf8))
        putBlock(Array(fault.text.utf8))
    }

    fileprivate mutating func put<Value>(
        _ outcome: Result<Value, WorkerFault>, _ body: (inout ByteWriter, Value) -> Void
    ) {
        switch outcome {
        case .success(let value):
            put(UInt8(0))
            body(&self, value)
        case .failure(let fault):
            put(UInt8(1))
            put(fault)
        }
    }

    fileprivate mutating func put(_ facts: ImageFacts) {
        precondition(facts.sha256.count == 32)
        putCount(facts.width)
        putCount(facts.height)
        put(UInt64(facts.bytes))
        putRaw(facts.sha256)
        put(facts.format.rawValue)
    }

    fileprivate mutating func put(_ scores: WorkerScores) {
        put(scores.batch)
        putCount(scores.totalMicroseconds)
        putCount(scores.stageMicroseconds.count)
        for time in scores.stageMicroseconds { putCount(time) }
        putCount(scores.images.count)
        for image in scores.images {
            put(image.id)
            put(image.outcome) { writer, value in
                writer.put(value.facts)
                writer.putCount(value.readMicroseconds)
                writer.putCount(value.decodeMicroseconds)
                writer.put(value.probabilities)
                writer.put(value.unknownness.map { [$0] } ?? [])
            }
        }
    }
}

extension ByteReader {
    fileprivate mutating func takeSuccess() throws(WorkerProtocolError) -> Bool {
        let tag = try take(UInt8.self)
        guard tag <= 1 else { throw WorkerProtocolError("neither a result nor an error") }
        return tag == 0
    }

    fileprivate mutating func takeFault() throws(WorkerProtocolError) -> WorkerFault {
        let code = try takeBlock("a code's length", limit: 100)
        let text = try takeBlock("a text's length", limit: 4096)
        return WorkerFault(code: String(decoding: code, as: UTF8.self), text: String(decoding: text, as: UTF8.self))
    }

    fileprivate mutating func takeFacts() throws(WorkerProtocolError) -> ImageFacts {
        let width = try takeCount("the width", limit: 1 << 20)
        let height = try takeCount("the height", limit: 1 << 20)
        let bytes = try take(UInt64.self)
        let sha256 = try takeRaw(32)
        guard let format = ImageFileFormat(rawValue: try take()), width > 0, height > 0, bytes < 1 << 40 else {
            throw WorkerProtocolError("impossible facts of an image")
        }
        return ImageFacts(width: width, height: height, bytes: Int(bytes), sha256: sha256, format: format)
    }

    fileprivate mutating func takeSize() throws(WorkerProtocolError) -> (width: Int, height: Int) {
        let width = try takeCount("the width", limit: WorkerCommand.largestSide)
        let height = try takeCount("the height", limit: WorkerCommand.largestSide)
        return (width, height)
    }

    fileprivate mutating func takeScores() throws(WorkerProtocolError) -> WorkerScores {
        let batch = try take(UInt64.self)
        let total = try takeCount("a time", limit: Int(UInt32.max))
        let stages = try takeCount("the number of stages", limit: Chain.mostStages)
        var stageTimes: [Int] = []
        for _ in 0..<stages { stageTimes.append(try takeCount("a time", limit: Int(UInt32.max))) }
        let count = try takeCount("the number of images", limit: WorkerProtocol.mostImages)
        var images: [WorkerScores.Image] = []
        for _ in 0..<count {
            let id = try take(UInt64.self)
            guard try takeSuccess() else {
                images.append(WorkerScores.Image(id: id, outcome: .failure(try takeFault())))
                continue
            }
            let facts = try takeFacts()
            let read = try takeCount("a time", limit: Int(UInt32.max))
            let decode = try takeCount("a time", limit: Int(UInt32.max))
            let probabilities = try takeFloats("the number of scores", limit: WorkerProtocol.mostLabels)
            guard scoresFault(probabilities) == nil else {
                throw WorkerProtocolError("scores that are no probabilities")
            }
            let unknownness = try takeFloats("the number of unknown-ness values", limit: 1).first
            if let unknownness, unknownnessFault(unknownness) != nil {
                throw WorkerProtocolError("an unknown-ness that is none")
            }
            images.append(
                WorkerScores.Image(
                    id: id,
                    outcome: .success(
                        ImageScores(
                            facts: facts, probabilities: probabilities, unknownness: unknownness,
                            readMicroseconds: read, decodeMicroseconds: decode))))
        }
        return WorkerScores(batch: batch, images: images, stageMicroseconds: stageTimes, totalMicroseconds: total)
    }
}

/// Why a row is not one of probabilities; nil when it is. The tolerance covers a float32 sum of 10,000 terms.
package func scoresFault(_ row: some Collection<Float>) -> String? {
    var sum: Float = 0
    for score in row {
        if !score.isFinite { return "a score is not a number" }
        if score < 0 || score > 1.001 { return "a score is \(score), outside 0 to 1" }
        sum += score
    }
    return abs(sum - 1) <= 1e-3 ? nil : "the scores of an image add up to \(sum) instead of 1"
}

/// Why a value is no unknown-ness, as the object of "gave"; nil when it is one: finite and at least 0.
package func unknownnessFault(_ value: Float) -> String? {
    if !value.isFinite { return "an unknown-ness that is not a number" }
    return value >= 0 ? nil : "an unknown-ness of \(value), below 0"
}

/// The same of an image, nil where there is no value, beside what the model said at its start.
package func unknownnessFault(_ value: Float?, tells: Bool) -> String? {
    switch value {
    case let value?: tells ? unknownnessFault(value) : "an unknown-ness, though the model said that it cannot tell one"
    case nil: tells ? "no unknown-ness, though the model said that it can tell one" : nil
    }
}
