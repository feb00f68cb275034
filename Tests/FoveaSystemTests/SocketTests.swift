import FoveaSystem
import Glibc
import SystemPackage
import Testing

@Suite struct SocketTests {
    @Test func messagesCarryDescriptors() throws {
        let (left, right) = try SeqPacket.pair()
        let files = try (0..<3).map { number in
            let file = try memoryFile("test")
            try Files.write([UInt8(number), 42], to: file)
            return file
        }
        try SeqPacket.send([1, 2, 3], descriptors: files, to: left)
        try SeqPacket.send([9], to: left)
        for file in files { try file.close() }
        try left.close()

        let first = try #require(try SeqPacket.receive(from: right, limit: 100))
        #expect(first.bytes == [1, 2, 3] && first.descriptors.count == 3)
        for (number, descriptor) in first.descriptors.enumerated() {
            #expect(fcntl(descriptor.rawValue, F_GETFD) & FD_CLOEXEC != 0)
            #expect(try Files.read(descriptor, count: 10) == [UInt8(number), 42])
            try descriptor.close()
        }
        // The bounds of messages are kept.
        let second = try #require(try SeqPacket.receive(from: right, limit: 100))
        #expect(second.bytes == [9] && second.descriptors.isEmpty)
        #expect(try SeqPacket.receive(from: right, limit: 100) == nil)
        try right.close()
    }

    @Test func asManyDescriptorsAsTheKernelTakes() throws {
        let (left, right) = try SeqPacket.pair()
        defer {
            try? left.close()
            try? right.close()
        }
        let file = try memoryFile("test")
        defer { try? file.close() }
        let many = [FileDescriptor](repeating: file, count: SeqPacket.mostDescriptors)
        try SeqPacket.send([1], descriptors: many, to: left)
        let message = try #require(try SeqPacket.receive(from: right, limit: 10))
        #expect(message.descriptors.count == SeqPacket.mostDescriptors)
        for descriptor in message.descriptors { try descriptor.close() }
    }

    @Test func emptyAndOversized() throws {
        let (left, right) = try SeqPacket.pair()
        defer {
            try? left.close()
            try? right.close()
        }
        do throws(SystemError) {
            _ = try SeqPacket.receive(from: right, limit: 10, blocking: false)
            Issue.record("there was nothing to receive")
        } catch { #expect(error.errno == .resourceTemporarilyUnavailable) }
        try SeqPacket.send([UInt8](repeating: 1, count: 11), to: left)
        #expect(throws: SystemError.self) { try SeqPacket.receive(from: right, limit: 10) }
    }

    @Test func wakeUpsAddUpAndClear() throws {
        let wakeUp = try WakeUp()
        defer { try? wakeUp.descriptor.close() }
        func isReadable() -> Bool {
            var poller = pollfd(fd: wakeUp.descriptor.rawValue, events: Int16(POLLIN), revents: 0)
            return poll(&poller, 1, 0) == 1
        }
        #expect(!isReadable())
        for _ in 0..<3 { wakeUp.wake() }
        #expect(isReadable())
        wakeUp.clear()
        #expect(!isReadable())
        wakeUp.clear()
    }
}
