import FoveaTorch

/// Writes files in PyTorch's legacy format, right ones and wrong ones.
package struct TestStateDictionary {
    package struct Storage {
        package var key: String
        package var floats: [Float]
        /// What the file says instead of the count.
        package var claimed: UInt64?
    }

    package struct Tensor {
        package var name: String
        package var storage: String
        package var count: Int
        package var offset = 0
        package var shape: [Int]
        package var strides: [Int]

        package init(name: String, storage: String, count: Int, offset: Int = 0, shape: [Int], strides: [Int]) {
            (self.name, self.storage, self.count, self.offset) = (name, storage, count, offset)
            (self.shape, self.strides) = (shape, strides)
        }
    }

    package init() {}

    package var storages: [Storage] = []
    package var tensors: [Tensor] = []
    /// What stands before the dictionary's STOP.
    package var epilogue: [UInt8] = []
    /// The keys in the list of storages, where they are not those of `storages`.
    package var keys: [String]?
    package var trailer: [UInt8] = []

    /// One tensor of a storage of its own.
    package static func one(_ name: String = "a", shape: [Int], _ floats: [Float]) -> TestStateDictionary {
        var file = TestStateDictionary()
        file.add(name, shape: shape, floats)
        return file
    }

    package mutating func add(_ name: String, shape: [Int], _ floats: [Float]) {
        let key = "\(storages.count)"
        var strides = shape
        var stride = 1
        for index in shape.indices.reversed() {
            strides[index] = stride
            stride *= shape[index]
        }
        storages.append(Storage(key: key, floats: floats))
        tensors.append(Tensor(name: name, storage: key, count: floats.count, shape: shape, strides: strides))
    }

    // MARK: - Bytes

    package var bytes: [UInt8] {
        var file = TorchFile.magic
        file += [0x80, 2] + Self.integer(1001) + Self.stop
        file += [0x80, 2, 0x7D] + Self.text("little_endian") + [0x88, 0x73] + Self.stop
        file += dictionary
        file += [0x80, 2, 0x5D, 0x28] + (keys ?? storages.map(\.key)).flatMap(Self.text) + [0x65] + Self.stop
        for storage in storages {
            file += withUnsafeBytes(of: (storage.claimed ?? UInt64(storage.floats.count)).littleEndian, Array.init)
            for value in storage.floats { file += withUnsafeBytes(of: value.bitPattern.littleEndian, Array.init) }
        }
        return file + trailer
    }

    private var dictionary: [UInt8] {
        var pickle: [UInt8] = [0x80, 2] + Self.call("collections", "OrderedDict", [0x29]) + [0x28]
        for tensor in tensors {
            let storage =
                [0x28] + Self.text("storage") + Self.global("torch", "FloatStorage") + Self.text(tensor.storage)
                + Self.text("cpu") + Self.integer(tensor.count) + [0x4E, 0x74, 0x51]
            let arguments =
                [0x28] + storage + Self.integer(tensor.offset) + Self.tuple(tensor.shape) + Self.tuple(tensor.strides)
                + [0x89] + Self.call("collections", "OrderedDict", [0x29]) + [0x74]
            pickle += Self.text(tensor.name) + Self.call("torch._utils", "_rebuild_tensor_v2", arguments)
        }
        return pickle + [0x75] + epilogue + Self.stop
    }

    package static let stop: [UInt8] = [0x2E]

    package static func text(_ text: String) -> [UInt8] {
        [0x58] + withUnsafeBytes(of: UInt32(text.utf8.count).littleEndian, Array.init) + Array(text.utf8)
    }

    package static func integer(_ value: Int) -> [UInt8] {
        [0x4A] + withUnsafeBytes(of: Int32(value).littleEndian, Array.init)
    }

    package static func tuple(_ values: [Int]) -> [UInt8] { [0x28] + values.flatMap(integer) + [0x74] }

    package static func global(_ module: String, _ name: String) -> [UInt8] {
        [0x63] + Array("\(module)\n\(name)\n".utf8)
    }

    package static func call(_ module: String, _ name: String, _ arguments: [UInt8]) -> [UInt8] {
        global(module, name) + arguments + [0x52]
    }
}
