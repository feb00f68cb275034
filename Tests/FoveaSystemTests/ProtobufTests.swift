import FoveaSystem
import Testing

@Suite struct ProtobufTests {
    /// The examples of protobuf.dev/programming-guides/encoding, and what `protoc --encode` gives for negative numbers.
    @Test func writesTheWireFormat() {
        var writer = ProtobufWriter()
        writer.integer(1, 150)
        #expect(writer.bytes == [0x08, 0x96, 0x01])
        writer = ProtobufWriter()
        writer.string(2, "testing")
        #expect(writer.bytes == [0x12, 0x07] + Array("testing".utf8))
        writer = ProtobufWriter()
        writer.message(3) { $0.integer(1, 150) }
        #expect(writer.bytes == [0x1A, 0x03, 0x08, 0x96, 0x01])
        writer = ProtobufWriter()
        writer.integers(6, [3, 270, 86942])
        #expect(writer.bytes == [0x32, 0x06, 0x03, 0x8E, 0x02, 0x9E, 0xA7, 0x05])
        writer = ProtobufWriter()
        writer.integer(1, -2)
        #expect(writer.bytes == [0x08, 0xFE] + [UInt8](repeating: 0xFF, count: 8) + [0x01])
        writer = ProtobufWriter()
        writer.float(16, 1.5)
        writer.double(1, -2)
        #expect(writer.bytes == [0x85, 0x01, 0, 0, 0xC0, 0x3F, 0x09, 0, 0, 0, 0, 0, 0, 0, 0xC0])
    }
}
