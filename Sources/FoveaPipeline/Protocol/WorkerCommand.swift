import FoundationEssentials
import FoveaModels
import FoveaSystem
import SystemPackage

/// What an image may cost. The checks are on the file's size and on its header, before pixels are allocated.
package struct WorkerLimits: Codable, Sendable, Equatable {
    /// Bytes of the file.
    package var bytes: Int
    /// Pixels along the longer side.
    package var side: Int
    /// Pixels in all.
    package var pixels: Int
    /// Bytes of address space above what the worker holds after warm-up (RLIMIT_AS).
    package var memory: Int

    package init(bytes: Int = 32 << 20, side: Int = 16_384, pixels: Int = 50_000_000, memory: Int = 512 << 20) {
        self.bytes = bytes
        self.side = side
        self.pixels = pixels
        self.memory = memory
    }
}

/// What a worker is started with.
package struct WorkerStart: Sendable, Equatable {
    /// The model's folder; nil for a worker that only decodes.
    package var model: FilePath?
    /// Folders where plugins are searched, before the program's own.
    package var plugins: [FilePath]
    package var limits: WorkerLimits
    /// The most images in a batch, 1 to `WorkerProtocol.mostImages`.
    package var batch: Int
    /// Averaging other than the model's own; nil leaves it as it is.
    package var tta: TestTimeAugmentation?
    /// False only for tests and for looking at a failing plugin: the worker keeps its rights.
    package var sandbox: Bool

    package init(
        model: FilePath?, plugins: [FilePath] = [], limits: WorkerLimits = WorkerLimits(), batch: Int = 64,
        tta: TestTimeAugmentation? = nil, sandbox: Bool = true
    ) {
        self.model = model
        self.plugins = plugins
        self.limits = limits
        self.batch = batch
        self.tta = tta
        self.sandbox = sandbox
    }
}

extension WorkerStart: Codable {
    private enum CodingKeys: CodingKey { case model, plugins, limits, batch, tta, sandbox }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        func path(_ text: String) -> FilePath { FilePath(bytes: percentUnescaped(text)) }
        model = try container.decodeIfPresent(String.self, forKey: .model).map(path)
        plugins = try container.decode([String].self, forKey: .plugins).map(path)
        limits = try container.decode(WorkerLimits.self, forKey: .limits)
        batch = try container.decode(Int.self, forKey: .batch)
        tta = try container.decodeIfPresent(TestTimeAugmentation.self, forKey: .tta)
        sandbox = try container.decode(Bool.self, forKey: .sandbox)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        // Paths need not be UTF-8: see `FilePath.escaped`.
        try container.encodeIfPresent(model?.escaped, forKey: .model)
        try container.encode(plugins.map(\.escaped), forKey: .plugins)
        try container.encode(limits, forKey: .limits)
        try container.encode(batch, forKey: .batch)
        try container.encodeIfPresent(tta, forKey: .tta)
        try container.encode(sandbox, forKey: .sandbox)
    }
}

/// An image on its way to a worker. The name means something to the sender only.
package struct WorkerImage: Sendable, Equatable {
    package let id: UInt64
    /// Open for reading, a regular file or a memfd. It is read by pread(2), so its offset does not matter.
    package let descriptor: FileDescriptor

    package init(id: UInt64, descriptor: FileDescriptor) {
        self.id = id
        self.descriptor = descriptor
    }
}

/// From the daemon to a worker. Descriptors stay the sender's, who may close them once they are sent; a received
/// command's are the receiver's.
package enum WorkerCommand: Sendable, Equatable {
    /// The first command, once.
    case start(WorkerStart)
    /// Answered by `WorkerMessage.scores` with the same batch number and images in the same order.
    case classify(batch: UInt64, images: [WorkerImage])
    /// What the network sees of an image, and a thumbnail. Answered by `.preview`.
    case preview(WorkerImage)
    /// The pixels of an image, as for a model whose input is this. Answered by `.pixels`.
    case decode(WorkerImage, as: ImageTarget)
    /// Finish what was sent and exit. Closing the socket does the same.
    case stop

    /// The largest side that `decode` gives.
    package static let largestSide = 2048

    private enum Kind: UInt8 { case start = 1, classify, preview, decode, stop }

    /// Sends the command in one message.
    package func send(to socket: FileDescriptor, blocking: Bool) throws {
        var writer = ByteWriter()
        var descriptors: [FileDescriptor] = []
        let kind: Kind
        switch self {
        case .start(let start):
            kind = .start
            writer.putRaw([UInt8](try JSONEncoder().encode(start)))
        case .classify(let batch, let images):
            kind = .classify
            writer.put(batch)
            writer.putCount(images.count)
            for image in images { writer.put(image.id) }
            descriptors = images.map(\.descriptor)
        case .preview(let image):
            kind = .preview
            writer.put(image.id)
            descriptors = [image.descriptor]
        case .decode(let image, let target):
            kind = .decode
            writer.put(image.id)
            writer.put(target)
            descriptors = [image.descriptor]
        case .stop:
            kind = .stop
        }
        try WorkerProtocol.send(
            kind: kind.rawValue, payload: writer.bytes, descriptors: descriptors, to: socket, blocking: blocking)
    }

    /// Reads a command. On an error the descriptors are still the caller's to close.
    package init(kind: UInt8, payload: [UInt8], descriptors: [FileDescriptor]) throws(WorkerProtocolError) {
        guard let kind = Kind(rawValue: kind) else { throw WorkerProtocolError("unknown command \(kind)") }
        var reader = ByteReader(payload)
        var expected = 0
        switch kind {
        case .start:
            let json = try reader.takeRaw(payload.count)
            do {
                self = .start(try JSONDecoder().decode(WorkerStart.self, from: Data(json)))
            } catch {
                throw WorkerProtocolError("start: \(error)")
            }
        case .classify:
            let batch = try reader.take(UInt64.self)
            expected = try reader.takeCount("the number of images", limit: WorkerProtocol.mostImages)
            guard expected == descriptors.count, expected > 0 else {
                throw WorkerProtocolError("\(expected) images with \(descriptors.count) descriptors")
            }
            var images: [WorkerImage] = []
            for descriptor in descriptors {
                images.append(WorkerImage(id: try reader.take(), descriptor: descriptor))
            }
            self = .classify(batch: batch, images: images)
        case .preview, .decode:
            expected = 1
            let id = try reader.take(UInt64.self)
            guard descriptors.count == 1 else {
                throw WorkerProtocolError("one image with \(descriptors.count) descriptors")
            }
            let image = WorkerImage(id: id, descriptor: descriptors[0])
            if kind == .preview {
                self = .preview(image)
            } else {
                self = .decode(image, as: try reader.takeTarget(largestSide: Self.largestSide))
            }
        case .stop:
            self = .stop
        }
        guard descriptors.count == expected else {
            throw WorkerProtocolError("\(descriptors.count) descriptors where \(expected) belong")
        }
        try reader.end()
    }
}
