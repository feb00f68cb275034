import FoveaSystem
import SystemPackage

/// The worker's end of the socket: takes commands, sends messages, blocks in both.
package struct WorkerSocket: ~Copyable {
    private let socket: FileDescriptor
    private var assembler = FrameAssembler(limit: WorkerProtocol.commandLimit)

    package init(_ socket: FileDescriptor) { self.socket = socket }

    /// The next command; nil when the other end is closed. The command's descriptors are the caller's to close.
    package mutating func receive() throws -> WorkerCommand? {
        var descriptors: [FileDescriptor] = []
        do {
            while true {
                let first = !assembler.isInside
                guard let frame = try SeqPacket.receive(from: socket, limit: WorkerProtocol.frameSize) else {
                    return nil
                }
                guard first || frame.descriptors.isEmpty else {
                    descriptors += frame.descriptors
                    throw WorkerProtocolError("descriptors on a later frame")
                }
                descriptors += frame.descriptors
                if let (kind, payload) = try assembler.add(frame.bytes) {
                    return try WorkerCommand(kind: kind, payload: payload, descriptors: descriptors)
                }
            }
        } catch {
            for descriptor in descriptors { try? descriptor.close() }
            throw error
        }
    }

    package func send(_ message: WorkerMessage) throws { try message.send(to: socket) }
}
