/// Writes messages in protocol buffers' wire format (protobuf.dev/programming-guides/encoding).
///
/// For the two formats that Fovea writes and never reads, ONNX and TensorBoard's events: some twenty messages, each
/// a function that names its fields' numbers. A library with generated code would be ten thousand lines of them and a
/// minute of every newcomer's first build; that the bytes are right is for `onnx` and TensorBoard themselves to say, in
/// the tests.
///
/// Fields are written in the order of the calls. Unlike proto3's own writers this one writes zeros too.
package struct ProtobufWriter: Sendable {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    /// `int32`, `int64`, `uint64`, `bool` and enumerations.
    package mutating func integer(_ field: Int, _ value: Int) {
        key(field, 0)
        varint(UInt64(bitPattern: Int64(value)))
    }

    package mutating func float(_ field: Int, _ value: Float) {
        key(field, 5)
        withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
    }

    package mutating func double(_ field: Int, _ value: Double) {
        key(field, 1)
        withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
    }

    package mutating func string(_ field: Int, _ value: String) { data(field, Array(value.utf8)) }

    /// `bytes`, and a message that is encoded already.
    package mutating func data(_ field: Int, _ value: [UInt8]) {
        key(field, 2)
        varint(UInt64(value.count))
        bytes += value
    }

    package mutating func message(_ field: Int, _ write: (inout ProtobufWriter) -> Void) {
        var inner = ProtobufWriter()
        write(&inner)
        data(field, inner.bytes)
    }

    /// `repeated int64` and the like, packed.
    package mutating func integers(_ field: Int, _ values: some Sequence<Int>) {
        var inner = ProtobufWriter()
        for value in values { inner.varint(UInt64(bitPattern: Int64(value))) }
        data(field, inner.bytes)
    }

    private mutating func key(_ field: Int, _ wireType: UInt64) { varint(UInt64(field) << 3 | wireType) }

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}
