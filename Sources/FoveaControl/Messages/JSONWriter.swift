/// Writes JSON into bytes, for the records that the daemon makes thousands of times a second. Numbers are the shortest
/// text that reads back as the same value.
package struct JSONWriter {
    package private(set) var bytes: [UInt8] = []

    package init(capacity: Int) { bytes.reserveCapacity(capacity) }

    /// Structure, as it is: braces, keys, commas.
    package mutating func raw(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    package mutating func raw(_ json: [UInt8]) { bytes.append(contentsOf: json) }

    package mutating func string(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): raw("\\\"")
            case UInt8(ascii: "\\"): raw("\\\\")
            case 0x0A: raw("\\n")
            case 0x00..<0x20:
                raw("\\u00")
                bytes.append(byte < 16 ? 48 : 49)
                bytes.append(byte & 15 < 10 ? 48 + byte & 15 : 87 + byte & 15)
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    package mutating func number(_ value: Int) { bytes.append(contentsOf: value.description.utf8) }

    package mutating func number(_ value: Float) {
        precondition(value.isFinite, "JSON has no \(value)")
        bytes.append(contentsOf: value.description.utf8)
    }

    package mutating func number(_ value: Double) {
        precondition(value.isFinite, "JSON has no \(value)")
        bytes.append(contentsOf: value.description.utf8)
    }

    package mutating func time(_ value: Timestamp) {
        bytes.append(UInt8(ascii: "\""))
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 24) { buffer in
            value.write(into: buffer)
            bytes.append(contentsOf: buffer)
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
