// PyTorch's file format before its zip format, as `torch.save` wrote it until version 1.5:
//
//     pickle   the magic number
//     pickle   the protocol's version, 1001
//     pickle   {"protocol_version": 1001, "little_endian": True, "type_sizes": {…}}
//     pickle   OrderedDict of name → tensor, with a persistent id for each storage
//     pickle   [key of each storage, in the order in which the storages follow]
//     for each storage   count: Int64   count elements, little-endian
//
// Source: `_legacy_save` in PyTorch's torch/serialization.py. Everything is checked before anything is believed: each storage
// that a tensor names is in the list and in the file, once; tensors lie inside their storages without gaps and share no element;
// the last storage ends where the file ends.

/// A state dictionary from a file in PyTorch's legacy format. Nothing in the file is executed.
package struct TorchFile: Sendable {
    package enum ElementType: String, Sendable {
        case float32, int64

        /// Bytes of one element.
        package var size: Int { self == .float32 ? 4 : 8 }
    }

    package struct Tensor: Sendable, Equatable {
        package let name: String
        package let type: ElementType
        package let shape: [Int]
        /// Elements from one index of a dimension to the next: converted networks hold their filters as transposed views.
        package let strides: [Int]
        /// The place of the elements in the file.
        package let range: Range<Int>

        package var count: Int { range.count / type.size }
    }

    /// The largest file, in bytes.
    package static let limit = 1 << 30

    /// The tensors in the dictionary's order.
    package let tensors: [Tensor]
    private let bytes: [UInt8]
    private let subject: String
    private let indices: [String: Int]

    /// The pickle of the number 0x1950a86a20f9469cfc6c.
    package static let magic: [UInt8] = [
        0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E,
    ]

    /// Checks the bytes of a file.
    ///
    /// - Parameter subject: the file's name in messages.
    /// - Throws: `TorchError` with the place and the fault.
    package init(bytes: [UInt8], subject: String) throws(TorchError) {
        func refusal(_ problem: String) -> TorchError { TorchError(subject, problem) }
        guard bytes.count <= Self.limit else {
            throw refusal("has \(bytes.count) bytes, at most \(Self.limit) are read")
        }
        guard bytes.starts(with: Self.magic) else {
            if bytes.starts(with: [0x50, 0x4B, 3, 4]) {
                throw refusal(
                    "is a zip file, PyTorch's newer format: save it with `torch.save(model.state_dict(), FILE, "
                        + "_use_new_zipfile_serialization=False)`")
            }
            throw refusal("is not a file in PyTorch's legacy format: its first bytes are others")
        }
        var position = Self.magic.count
        func read(_ part: String) throws(TorchError) -> (machine: Unpickler, value: PickleValue) {
            var machine = Unpickler(bytes[position...])
            do throws(Unpickler.Fault) {
                let value = try machine.run()
                position = machine.position
                return (machine, value)
            } catch {
                throw refusal("\(error.problem) (byte \(machine.position), \(part))")
            }
        }
        guard try read("protocol").value == .integer(1001) else { throw refusal("has a protocol other than 1001") }
        let system = try read("system")
        guard case .dictionary(let facts) = system.value,
            system.machine.dictionaries[facts].contains(where: {
                $0.key == .text("little_endian") && $0.value == .bool(true)
            })
        else { throw refusal("does not say that its numbers are little-endian") }
        let (machine, root) = try read("state dictionary")
        let list = try read("list of storages")
        let places = try Self.places(of: machine.storages, in: list, bytes, from: position, refusal)
        tensors = try Self.tensors(root, machine, places, refusal)
        var indices: [String: Int] = [:]
        for (index, tensor) in tensors.enumerated() {
            guard indices.updateValue(index, forKey: tensor.name) == nil else {
                throw refusal("has the tensor '\(printable(tensor.name))' twice")
            }
        }
        self.indices = indices
        self.bytes = bytes
        self.subject = subject
    }

    /// The bytes of each storage, found by walking the list to the end of the file.
    private static func places(
        of storages: [PickledStorage], in list: (machine: Unpickler, value: PickleValue), _ bytes: [UInt8],
        from start: Int, _ refusal: (String) -> TorchError
    ) throws(TorchError) -> [Range<Int>] {
        guard case .list(let index) = list.value else { throw refusal("has no list of its storages") }
        let keys = list.machine.sequences[index]
        guard keys.count == storages.count else {
            throw refusal("lists \(keys.count) storages, its tensors name \(storages.count)")
        }
        var indices: [String: Int] = [:]
        for (index, storage) in storages.enumerated() { indices[storage.key] = index }
        var places = [Range<Int>?](repeating: nil, count: storages.count)
        var position = start
        for key in keys {
            guard case .text(let key) = key, let index = indices[key], places[index] == nil else {
                throw refusal("lists a storage twice, or one that no tensor names")
            }
            let storage = storages[index]
            guard bytes.count - position >= 8 else { throw refusal("is cut off before storage '\(printable(key))'") }
            let count = (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[position + $1]) << UInt64(8 * $1) }
            guard count == UInt64(storage.count) else {
                throw refusal(
                    "says that storage '\(printable(key))' has \(storage.count) elements, and at byte \(position) that it "
                        + "has \(count)")
            }
            position += 8
            // No overflow: the unpickler has bounded the count.
            guard bytes.count - position >= storage.count * storage.type.size else {
                throw refusal("is cut off in storage '\(printable(key))'")
            }
            places[index] = position..<position + storage.count * storage.type.size
            position = places[index]!.upperBound
        }
        guard position == bytes.count else {
            throw refusal("has \(bytes.count - position) bytes after its last storage")
        }
        return places.compactMap { $0 }
    }

    private static func tensors(
        _ root: PickleValue, _ machine: Unpickler, _ places: [Range<Int>], _ refusal: (String) -> TorchError
    ) throws(TorchError) -> [Tensor] {
        guard case .dictionary(let index) = root else {
            throw refusal("holds \(root.kind) instead of a state dictionary: save model.state_dict()")
        }
        var tensors: [Tensor] = []
        for (key, value) in machine.dictionaries[index] {
            guard case .text(let name) = key, case .tensor(let index) = value else {
                throw refusal("has an entry that is not a named tensor but \(key.kind): \(value.kind)")
            }
            let tensor = machine.tensors[index]
            let storage = machine.storages[tensor.storage]
            guard let count = denseCount(tensor) else {
                throw refusal(
                    "tensor '\(printable(name))' has gaps or shared elements: shape \(tensor.shape), "
                        + "strides \(tensor.strides)")
            }
            guard tensor.offset >= 0, tensor.offset <= storage.count, count <= storage.count - tensor.offset else {
                throw refusal("tensor '\(printable(name))' reaches beyond its storage of \(storage.count) elements")
            }
            let start = places[tensor.storage].lowerBound + tensor.offset * storage.type.size
            tensors.append(
                Tensor(
                    name: name, type: storage.type, shape: tensor.shape, strides: tensor.strides,
                    range: start..<start + count * storage.type.size))
        }
        var end = 0
        for tensor in tensors.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) where !tensor.range.isEmpty {
            guard tensor.range.lowerBound >= end else {
                throw refusal("tensor '\(printable(tensor.name))' shares its elements with another")
            }
            end = tensor.range.upperBound
        }
        return tensors
    }

    /// The number of elements where they lie without gaps in some order of the dimensions, nil where not or where it overflows.
    private static func denseCount(_ tensor: PickledTensor) -> Int? {
        guard tensor.shape.allSatisfy({ $0 >= 0 }) else { return nil }
        if tensor.shape.contains(0) { return 0 }
        var count = 1
        let dimensions = zip(tensor.shape, tensor.strides).filter { $0.0 > 1 }.sorted { $0.1 < $1.1 }
        for (extent, stride) in dimensions {
            guard stride == count else { return nil }
            let (product, overflows) = count.multipliedReportingOverflow(by: extent)
            if overflows { return nil }
            count = product
        }
        return count
    }

    // MARK: - Values

    /// The tensor of this name, nil where there is none.
    package func tensor(_ name: String) -> Tensor? { indices[name].map { tensors[$0] } }

    /// The elements of a float32 tensor, in C order.
    ///
    /// - Throws: where there is no such tensor, or where its elements are of another type.
    package func floats(_ name: String) throws(TorchError) -> [Float] {
        guard let tensor = tensor(name) else {
            throw TorchError(subject, "has no tensor '\(printable(name))'")
        }
        guard tensor.type == .float32 else {
            throw TorchError(subject, "tensor '\(printable(name))' is of \(tensor.type.rawValue), float32 is expected")
        }
        return bytes.withUnsafeBytes { bytes in
            let elements = UnsafeRawBufferPointer(rebasing: bytes[tensor.range])
            var index = [Int](repeating: 0, count: tensor.shape.count)
            var place = 0
            return (0..<tensor.count).map { _ in
                let bits = elements.loadUnaligned(fromByteOffset: 4 * place, as: UInt32.self)
                // The next index, the last dimension first.
                for dimension in index.indices.reversed() {
                    index[dimension] += 1
                    place += tensor.shape[dimension] > 1 ? tensor.strides[dimension] : 0
                    if index[dimension] < tensor.shape[dimension] { break }
                    place -= tensor.shape[dimension] > 1 ? index[dimension] * tensor.strides[dimension] : 0
                    index[dimension] = 0
                }
                return Float(bitPattern: UInt32(littleEndian: bits))
            }
        }
    }
}
