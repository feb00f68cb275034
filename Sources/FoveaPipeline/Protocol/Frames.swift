import FoveaModels
import FoveaSystem
import SystemPackage

// Frames of the worker's protocol.
//
// The socket is SOCK_SEQPACKET: a frame is one message of the kernel, so it needs no length of its own.
//
//      0        2         3      4       5          8
//     ┌────────┬─────────┬──────┬───────┬──────────┬──────────────
//     │ "FV"   │ version │ kind │ flags │ 0  0  0  │ payload …
//     └────────┴─────────┴──────┴───────┴──────────┴──────────────
//
// A message larger than a frame travels as several frames of one kind; all but the last have the flag `more`.
// Descriptors ride on the first. That is how 64 images × 10,000 classes, or the pixels of a decoded image, pass
// a socket whose messages the kernel bounds at some 200 KiB, without a second way (such as a memfd, which a
// worker under RLIMIT_FSIZE 0 could not write) for large answers.
//
// Either side may face bytes from a process that an image has taken over: nothing is trusted, every length is
// checked against what has arrived, and a message may not grow past the limit of its direction.

/// A peer that did not keep to the protocol. There is no way on from here but to end the peer.
package struct WorkerProtocolError: Error, CustomStringConvertible, Sendable, Equatable {
    package let description: String

    package init(_ description: String) { self.description = "worker protocol: \(description)" }
}

/// Numbers that both ends agree on.
package enum WorkerProtocol {
    /// Changes with every change of the frames; worker and daemon come from one build.
    package static let version: UInt8 = 1
    /// The most bytes in a frame, header included.
    package static let frameSize = 65_536
    /// The most bytes in all payloads of one message to a worker, and from a worker.
    package static let commandLimit = 1 << 20, messageLimit = 32 << 20
    /// The most images in one batch: descriptors in one message of the kernel (SCM_MAX_FD).
    package static let mostImages = SeqPacket.mostDescriptors
    /// The most labels a model may have.
    package static let mostLabels = Labels.most

    static let headerSize = 8
    static let more: UInt8 = 1

    /// Sends one message, in as many frames as it needs.
    static func send(
        kind: UInt8, payload: [UInt8], descriptors: [FileDescriptor] = [], to socket: FileDescriptor, blocking: Bool
    ) throws(SystemError) {
        let piece = frameSize - headerSize
        var start = 0
        repeat {
            let end = min(start + piece, payload.count)
            let flags: UInt8 = end < payload.count ? more : 0
            try SeqPacket.send(
                [0x46, 0x56, version, kind, flags, 0, 0, 0] + payload[start..<end],
                descriptors: start == 0 ? descriptors : [], to: socket, blocking: blocking)
            start = end
        } while start < payload.count
    }
}

/// Puts the frames of a message together.
package struct FrameAssembler {
    /// The most bytes of payload in a message.
    let limit: Int
    private var kind: UInt8?
    private var payload: [UInt8] = []

    package init(limit: Int) { self.limit = limit }

    /// Whether the first frame of a message has come and its last has not.
    package var isInside: Bool { kind != nil }

    /// Takes a frame; the whole message when it was the last one.
    package mutating func add(_ frame: [UInt8]) throws(WorkerProtocolError) -> (kind: UInt8, payload: [UInt8])? {
        guard frame.count >= WorkerProtocol.headerSize, frame[0] == 0x46, frame[1] == 0x56 else {
            throw WorkerProtocolError("a frame does not begin as one")
        }
        guard frame[2] == WorkerProtocol.version else {
            throw WorkerProtocolError(
                "version \(frame[2]) where this program speaks \(WorkerProtocol.version): "
                    + "worker and daemon are of different builds")
        }
        guard frame[4] & ~WorkerProtocol.more == 0, frame[5] == 0, frame[6] == 0, frame[7] == 0 else {
            throw WorkerProtocolError("unknown flags")
        }
        if let kind, kind != frame[3] { throw WorkerProtocolError("kind \(frame[3]) inside a message of kind \(kind)") }
        guard payload.count + frame.count - WorkerProtocol.headerSize <= limit else {
            throw WorkerProtocolError("a message above \(limit) bytes")
        }
        // A frame that brings nothing and asks for another would never end.
        if frame[4] & WorkerProtocol.more != 0, frame.count == WorkerProtocol.headerSize {
            throw WorkerProtocolError("an empty frame inside a message")
        }
        payload += frame[WorkerProtocol.headerSize...]
        if frame[4] & WorkerProtocol.more != 0 {
            kind = frame[3]
            return nil
        }
        defer {
            kind = nil
            payload = []
        }
        return (frame[3], payload)
    }
}
