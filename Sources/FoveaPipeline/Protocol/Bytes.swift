import FoveaSystem

/// Appends little-endian values.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    mutating func put<I: FixedWidthInteger>(_ value: I) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// As UInt32; values outside are clamped.
    mutating func putCount(_ value: Int) { put(UInt32(clamping: value)) }

    /// Bytes after their number.
    mutating func putBlock(_ block: some Collection<UInt8>) {
        putCount(block.count)
        bytes.append(contentsOf: block)
    }

    mutating func put(_ floats: [Float]) {
        putCount(floats.count)
        // Both of the machines that Fovea runs on are little-endian.
        floats.withUnsafeBytes { bytes.append(contentsOf: $0) }
    }

    /// Bytes without their number.
    mutating func putRaw(_ raw: [UInt8]) { bytes.append(contentsOf: raw) }
}

/// Takes little-endian values; throws at the end of the bytes and never reads, or allocates, beyond what is there.
struct ByteReader {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func take<I: FixedWidthInteger>(_ type: I.Type = I.self) throws(WorkerProtocolError) -> I {
        let size = MemoryLayout<I>.size
        guard bytes.count - position >= size else { throw WorkerProtocolError("a message ends early") }
        defer { position += size }
        return I(littleEndian: bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: position, as: I.self) })
    }

    /// A UInt32 of at most `limit`.
    mutating func takeCount(_ what: StaticString, limit: Int) throws(WorkerProtocolError) -> Int {
        let value = Int(try take(UInt32.self))
        guard value <= limit else { throw WorkerProtocolError("\(what) is \(value), the most is \(limit)") }
        return value
    }

    mutating func takeRaw(_ count: Int) throws(WorkerProtocolError) -> [UInt8] {
        guard count >= 0, bytes.count - position >= count else { throw WorkerProtocolError("a message ends early") }
        defer { position += count }
        return Array(bytes[position..<position + count])
    }

    mutating func takeBlock(_ what: StaticString, limit: Int) throws(WorkerProtocolError) -> [UInt8] {
        let count = try takeCount(what, limit: limit)
        return try takeRaw(count)
    }

    mutating func takeFloats(_ what: StaticString, limit: Int) throws(WorkerProtocolError) -> [Float] {
        let count = try takeCount(what, limit: limit)
        let raw = try takeRaw(count * 4)
        return [Float](unsafeUninitializedCapacity: count) { buffer, filled in
            raw.withUnsafeBytes { UnsafeMutableRawBufferPointer(buffer).copyMemory(from: $0) }
            filled = count
        }
    }

    /// To be called when all is read.
    func end() throws(WorkerProtocolError) {
        guard position == bytes.count else {
            throw WorkerProtocolError("\(bytes.count - position) bytes too many in a message")
        }
    }
}
