import FoveaSystem

/// Collects tensors and lays them out as a safetensors file. The same tensors give the same bytes.
package struct SafetensorsWriter {
    private struct Tensor {
        let name: String
        let type: TensorType
        let shape: [Int]
        let bytes: [UInt8]
    }

    private var tensors: [Tensor] = []
    /// Text that travels with the tensors.
    package var metadata: [String: String] = [:]

    package init() {}

    /// Adds floating-point values.
    ///
    /// - Parameters:
    ///   - type: how they are stored, F32 or F16.
    /// - Throws: `.damaged` for a value that is not finite as stored.
    package mutating func add(
        _ name: String, shape: [Int], floats: [Float], as type: TensorType = .float32
    ) throws(ModelError) {
        precondition(type == .float32 || type == .float16, "floats are stored as F32 or F16")
        var bytes: [UInt8] = []
        bytes.reserveCapacity(floats.count * type.size)
        for (index, value) in floats.enumerated() {
            if type == .float16 {
                let bits = HalfPrecision.bits(value)
                guard bits & 0x7C00 != 0x7C00 else { throw notFinite(name, index, value, type) }
                bytes.append(UInt8(truncatingIfNeeded: bits))
                bytes.append(UInt8(truncatingIfNeeded: bits >> 8))
            } else {
                guard value.isFinite else { throw notFinite(name, index, value, type) }
                withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
            }
        }
        append(name, type, shape, bytes)
    }

    /// Adds bytes.
    package mutating func add(_ name: String, shape: [Int], bytes: [UInt8]) { append(name, .uint8, shape, bytes) }

    /// Adds whole numbers.
    package mutating func add(_ name: String, shape: [Int], integers: [Int64]) {
        append(name, .int64, shape, integers.flatMap { withUnsafeBytes(of: $0.littleEndian, Array.init) })
    }

    /// The bytes of the file.
    package func encode() -> [UInt8] {
        // The largest element types first: every tensor is then aligned to its own element size.
        let ordered = tensors.enumerated().sorted {
            ($1.element.type.size, $0.offset) < ($0.element.type.size, $1.offset)
        }.map(\.element)
        var header: [String: JSONValue] = [:]
        if !metadata.isEmpty { header["__metadata__"] = .object(metadata.mapValues { .string($0) }) }
        var end = 0
        for tensor in ordered {
            header[tensor.name] = .object([
                "dtype": .string(tensor.type.rawValue),
                "shape": .array(tensor.shape.map { .int($0) }),
                "data_offsets": .array([.int(end), .int(end + tensor.bytes.count)]),
            ])
            end += tensor.bytes.count
        }
        var text = Array(JSONValue.object(header).text.utf8)
        while text.count % 8 != 0 { text.append(0x20) }
        var file = withUnsafeBytes(of: UInt64(text.count).littleEndian, Array.init)
        file.reserveCapacity(8 + text.count + end)
        file += text
        for tensor in ordered { file += tensor.bytes }
        return file
    }

    private mutating func append(_ name: String, _ type: TensorType, _ shape: [Int], _ bytes: [UInt8]) {
        precondition(
            shape.reduce(type.size, *) == bytes.count, "tensor \(name): shape \(shape) and \(bytes.count) bytes")
        precondition(!tensors.contains { $0.name == name }, "tensor \(name) twice")
        tensors.append(Tensor(name: name, type: type, shape: shape, bytes: bytes))
    }

    private func notFinite(_ name: String, _ index: Int, _ value: Float, _ type: TensorType) -> ModelError {
        ModelError(.damaged, name, "element \(index) is \(value), which cannot be stored as \(type.rawValue)")
    }
}
