// The safetensors format, as far as Fovea needs it.
//
//     ┌──────────────┬───────────────────────────────┬──────────────────────────────────┐
//     │ u64 LE: N    │ N bytes of JSON, space-padded │ data, little-endian, C order     │
//     └──────────────┴───────────────────────────────┴──────────────────────────────────┘
//     {"__metadata__": {text: text}, name: {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, …}
//
// Offsets count from the start of the data. Everything is checked before anything is believed: the tensors must cover
// the data from its first to its last byte without gap or overlap, each must have exactly the bytes its shape and type
// ask for, and floating-point values must be finite.

import FoveaSystem
import SystemPackage

/// The element types that are read and written.
package enum TensorType: String, Sendable, Codable {
    case float32 = "F32"
    case float16 = "F16"
    case uint8 = "U8"
    case int64 = "I64"

    /// Bytes of one element.
    package var size: Int {
        switch self {
        case .float32: 4
        case .float16: 2
        case .uint8: 1
        case .int64: 8
        }
    }
}

/// A safetensors file that has passed all checks.
package struct SafetensorsFile: Sendable {
    /// One tensor's place.
    package struct Entry: Sendable, Equatable {
        package let name: String
        package let type: TensorType
        package let shape: [Int]
        /// Bytes within the file.
        package let range: Range<Int>

        /// Elements.
        package var count: Int { range.count / type.size }
    }

    /// Longest header, in bytes.
    package static let headerLimit = 1 << 20

    /// The tensors in the order of their data.
    package let entries: [Entry]
    /// Text that travels with the tensors.
    package let metadata: [String: String]

    private let bytes: [UInt8]
    private let subject: String
    private let positions: [String: Int]

    /// Reads and checks a file; follows no link at the last component.
    package init(path: FilePath, limit: Int = ModelFolder.weightsLimit) throws(ModelError) {
        try self.init(bytes: ModelFolder.read(path, limit: limit), subject: path.escaped)
    }

    /// Checks the bytes of a file.
    ///
    /// - Parameter subject: the file's name in messages.
    package init(bytes: [UInt8], subject: String) throws(ModelError) {
        func refusal(_ problem: String) -> ModelError { ModelError(.damaged, subject, problem) }

        guard bytes.count >= 8 else { throw refusal("is not safetensors: only \(bytes.count) bytes") }
        let length = (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[$1]) << UInt64(8 * $1) }
        guard length <= Self.headerLimit else {
            // The beginnings of these formats, read as a length, are far above the limit.
            if bytes.starts(with: [0x50, 0x4B, 3, 4]) {
                throw refusal("is a zip archive (PyTorch's format), which can carry code; save it as safetensors")
            }
            if bytes[0] == 0x80, (1...5).contains(bytes[1]) {
                throw refusal("is a Python pickle, which can carry code; save it as safetensors")
            }
            throw refusal("is not safetensors: a header of \(length) bytes, at most \(Self.headerLimit) are allowed")
        }
        let start = 8 + Int(length)
        guard start <= bytes.count else {
            throw refusal("header of \(length) bytes reaches past the end of the file (\(bytes.count) bytes)")
        }

        let header: JSONValue
        do throws(StrictJSON.Failure) {
            header = try StrictJSON.parse(bytes[8..<start], depth: 4)
        } catch {
            throw refusal("header: \(error)")
        }
        guard case .object(let members) = header else { throw refusal("header is not a JSON object") }

        var entries: [Entry] = []
        var metadata: [String: String] = [:]
        for (name, value) in members {
            guard case .object(let fields) = value else { throw refusal("header: '\(name)' is not an object") }
            if name == "__metadata__" {
                for (key, value) in fields {
                    guard let text = value.string else { throw refusal("metadata '\(key)' is not text") }
                    metadata[key] = text
                }
            } else {
                do throws(ModelError) {
                    entries.append(try Self.entry(name, fields, dataStart: start, end: bytes.count))
                } catch {
                    throw refusal("tensor '\(name)': \(error.problem)")
                }
            }
        }
        entries.sort {
            ($0.range.lowerBound, $0.range.upperBound, $0.name) < ($1.range.lowerBound, $1.range.upperBound, $1.name)
        }

        var end = start
        for entry in entries {
            guard entry.range.lowerBound == end else {
                let what = entry.range.lowerBound > end ? "there is a gap before" : "other data overlap"
                throw refusal("\(what) tensor '\(entry.name)'")
            }
            end = entry.range.upperBound
        }
        guard end == bytes.count else { throw refusal("\(bytes.count - end) bytes after the last tensor") }
        for entry in entries {
            if let index = Self.firstNonFinite(bytes, entry) {
                throw refusal("tensor '\(entry.name)' holds a NaN or an infinity at element \(index)")
            }
        }

        self.entries = entries
        self.metadata = metadata
        self.bytes = bytes
        self.subject = subject
        self.positions = Dictionary(uniqueKeysWithValues: entries.enumerated().map { ($1.name, $0) })
    }

    private static func entry(
        _ name: String, _ fields: [String: JSONValue], dataStart: Int, end: Int
    ) throws(ModelError) -> Entry {
        func refusal(_ problem: String) -> ModelError { ModelError(.damaged, name, problem) }
        if let unknown = fields.keys.sorted().first(where: { !["dtype", "shape", "data_offsets"].contains($0) }) {
            throw refusal("unknown field '\(unknown)'")
        }
        guard let typeName = fields["dtype"]?.string else { throw refusal("no dtype") }
        guard let type = TensorType(rawValue: typeName) else {
            throw refusal("dtype '\(typeName)' is not supported; F32, F16, U8 and I64 are")
        }
        guard let shape = sizes(fields["shape"]) else { throw refusal("shape is not a list of sizes") }
        guard shape.count <= 8 else { throw refusal("\(shape.count) dimensions, at most 8 are allowed") }
        guard let offsets = sizes(fields["data_offsets"]), offsets.count == 2, offsets[0] <= offsets[1] else {
            throw refusal("data_offsets is not a pair [begin, end]")
        }
        guard offsets[1] <= end - dataStart else {
            throw refusal("data reach to byte \(offsets[1]), the file has \(end - dataStart)")
        }
        var count = type.size
        for size in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: size)
            guard !overflow else { throw refusal("shape \(shape) is too large") }
            count = product
        }
        guard count == offsets[1] - offsets[0] else {
            throw refusal("shape \(shape) of \(typeName) needs \(count) bytes, there are \(offsets[1] - offsets[0])")
        }
        return Entry(name: name, type: type, shape: shape, range: dataStart + offsets[0]..<dataStart + offsets[1])
    }

    private static func sizes(_ value: JSONValue?) -> [Int]? {
        guard case .array(let elements) = value else { return nil }
        var sizes: [Int] = []
        for element in elements {
            guard case .int(let size) = element, size >= 0 else { return nil }
            sizes.append(size)
        }
        return sizes
    }

    private static func firstNonFinite(_ bytes: [UInt8], _ entry: Entry) -> Int? {
        bytes.withUnsafeBytes { raw in
            let raw = UnsafeRawBufferPointer(rebasing: raw[entry.range])
            switch entry.type {
            case .float32:
                return (0..<entry.count).first {
                    UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)) & 0x7F80_0000
                        == 0x7F80_0000
                }
            case .float16:
                return (0..<entry.count).first {
                    UInt16(littleEndian: raw.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self)) & 0x7C00 == 0x7C00
                }
            case .uint8, .int64: return nil
            }
        }
    }

    // MARK: - Reading tensors

    /// The tensor of this name, nil where there is none.
    package subscript(name: String) -> Entry? { positions[name].map { entries[$0] } }

    /// The tensor of this name, which must be there.
    package func entry(_ name: String) throws(ModelError) -> Entry {
        guard let entry = self[name] else { throw ModelError(.damaged, subject, "has no tensor '\(name)'") }
        return entry
    }

    /// Refuses a file that does not hold exactly these tensors, each of its shape.
    ///
    /// - Parameters:
    ///   - network: whose tensors they are, for messages.
    ///   - others: tensors that may be there as well, of any shape.
    package func check(
        against expected: [(name: String, shape: [Int])], of network: String, beside others: Set<String> = []
    ) throws(ModelError) {
        let names = Set(expected.map(\.name)).union(others)
        if let foreign = entries.first(where: { !names.contains($0.name) }) {
            throw ModelError(
                .damaged, subject, "tensor '\(foreign.name)' does not belong to the network '\(network)'")
        }
        for (name, shape) in expected {
            let entry = try entry(name)
            guard entry.shape == shape else {
                throw ModelError(
                    .damaged, subject, "tensor '\(name)' is \(entry.shape), the network needs \(shape)")
            }
        }
    }

    /// The raw bytes of a tensor.
    package func bytes(_ name: String) throws(ModelError) -> ArraySlice<UInt8> { bytes[try entry(name).range] }

    /// The values of an F32 or F16 tensor.
    package func floats(_ name: String) throws(ModelError) -> [Float] {
        let entry = try entry(name)
        guard entry.type == .float32 || entry.type == .float16 else {
            throw ModelError(.damaged, subject, "tensor '\(name)' is \(entry.type.rawValue), F32 or F16 is needed")
        }
        return bytes.withUnsafeBytes { all in
            let raw = UnsafeRawBufferPointer(rebasing: all[entry.range])
            return [Float](unsafeUninitializedCapacity: entry.count) { values, filled in
                filled = entry.count
                if entry.type == .float32 {
                    for index in 0..<entry.count {
                        let bits = raw.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self)
                        values.initializeElement(at: index, to: Float(bitPattern: UInt32(littleEndian: bits)))
                    }
                } else {
                    for index in 0..<entry.count {
                        let bits = raw.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)
                        values.initializeElement(at: index, to: HalfPrecision.float(UInt16(littleEndian: bits)))
                    }
                }
            }
        }
    }
}

/// Conversions between IEEE 754 half and single precision, without calls into a runtime library.
package enum HalfPrecision {
    /// The single-precision value of a finite half: exact, subnormals included.
    @inline(__always)
    package static func float(_ bits: UInt16) -> Float {
        // Exponent and fraction move into place; the exponent's bias grows from 15 to 127 by the factor 2^112,
        // which also normalises what was subnormal.
        let magnitude = Float(bitPattern: UInt32(bits & 0x7FFF) << 13) * 0x1p112
        return Float(bitPattern: magnitude.bitPattern | UInt32(bits & 0x8000) << 16)
    }

    /// The nearest half (ties to even); an infinity where `value` is too large.
    package static func bits(_ value: Float) -> UInt16 { Float16(value).bitPattern }

    /// `value` as it will be read back after it was stored as a half.
    package static func rounded(_ value: Float) -> Float { float(bits(value)) }
}
