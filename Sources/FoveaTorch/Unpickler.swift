// Reads one pickle of a PyTorch state dictionary.
//
// A pickle is a program for a stack machine, and Python's own machine calls whatever the program names. This one knows the
// opcodes of PickleOpcode.swift and four names, builds values, and calls nothing. Work and memory are linear in the bytes
// read: each opcode takes a byte at least and makes one value at most.

/// The stack machine.
struct Unpickler {
    /// Bounds of one pickle. The files known have 2,600 memo entries and 48 kB.
    struct Limits {
        var bytes = 1 << 20
        var stack = 1 << 16
        var memo = 1 << 16
        /// Tuples, lists and dictionaries.
        var containers = 1 << 18
        /// Bytes of one text.
        var text = 4096
        /// Dimensions of a tensor.
        var dimensions = 8
        /// Elements of a tensor or a storage.
        var elements = 1 << 28
    }

    private let bytes: ArraySlice<UInt8>
    private let limits: Limits
    /// The next byte.
    private(set) var position: Int
    private var stack: [PickleValue] = []
    private var memo: [Int: PickleValue] = [:]
    private var isMarked = 0

    /// The elements of tuples and lists.
    private(set) var sequences: [[PickleValue]] = []
    /// The pairs of dictionaries, in their order.
    private(set) var dictionaries: [[(key: PickleValue, value: PickleValue)]] = []
    private(set) var storages: [PickledStorage] = []
    private(set) var tensors: [PickledTensor] = []
    private var storageOf: [String: Int] = [:]

    /// - Parameter bytes: begin with the pickle; what follows after its STOP is left alone.
    init(_ bytes: ArraySlice<UInt8>, limits: Limits = Limits()) {
        self.bytes = bytes.prefix(limits.bytes)
        self.limits = limits
        position = bytes.startIndex
    }

    /// A fault, at the opcode that shows it.
    struct Fault: Error { let problem: String }

    /// Runs the pickle to its STOP.
    ///
    /// - Returns: the one value that is left.
    mutating func run() throws(Fault) -> PickleValue {
        guard try byte() == PickleOpcode.proto.rawValue, try byte() == 2 else {
            throw Fault(problem: "is not a pickle of protocol 2")
        }
        while true {
            let code = try byte()
            guard let opcode = PickleOpcode(rawValue: code) else {
                throw Fault(
                    problem: "has the pickle opcode 0x\(hexadecimal(code)), which no state dictionary needs: refused, "
                        + "nothing was executed")
            }
            if opcode == .stop {
                guard stack.count == 1, let value = stack.first, value != .mark else {
                    throw Fault(problem: "ends with \(stack.count) values on the pickle's stack instead of one")
                }
                return value
            }
            try perform(opcode)
        }
    }

    private mutating func perform(_ opcode: PickleOpcode) throws(Fault) {
        switch opcode {
        case .proto, .stop: throw Fault(problem: "has a second PROTO in one pickle")
        case .none: try push(.none)
        case .newTrue: try push(.bool(true))
        case .newFalse: try push(.bool(false))
        case .binInt1: try push(.integer(Int(byte())))
        case .binInt2: try push(.integer(Int(try word(2))))
        case .binInt: try push(.integer(Int(Int32(bitPattern: try word(4)))))
        case .binUnicode: try push(.text(text(count: Int(try word(4)))))
        case .mark:
            isMarked += 1
            try push(.mark)
        case .emptyTuple: try push(try sequence([], as: PickleValue.tuple))
        case .emptyList: try push(try sequence([], as: PickleValue.list))
        case .emptyDict: try push(try emptyDictionary())
        case .tuple1:
            let value = try pop()
            try push(try sequence([value], as: PickleValue.tuple))
        case .tuple2:
            let last = try pop()
            try push(try sequence([try pop(), last], as: PickleValue.tuple))
        case .tuple: try push(try sequence(try popToMark(), as: PickleValue.tuple))
        case .appends: try append(popToMark())
        case .setItem:
            let value = try pop()
            try set([pop(), value])
        case .setItems: try set(popToMark())
        case .binPut: try put(Int(byte()))
        case .longBinPut: try put(Int(try word(4)))
        case .binGet: try get(Int(byte()))
        case .longBinGet: try get(Int(try word(4)))
        case .global: try push(.name(name()))
        case .reduce:
            let arguments = try pop()
            try push(reduce(try pop(), arguments))
        case .binPersID: try push(storage(try pop()))
        case .build: try build()
        }
    }

    // MARK: - Bytes

    private mutating func byte() throws(Fault) -> UInt8 {
        guard position < bytes.endIndex else { throw ended }
        defer { position += 1 }
        return bytes[position]
    }

    private var ended: Fault {
        Fault(
            problem: bytes.count == limits.bytes
                ? "has a pickle of more than \(limits.bytes) bytes" : "is cut off in the middle of a pickle")
    }

    /// A little-endian number of `count` bytes, 4 at most.
    private mutating func word(_ count: Int) throws(Fault) -> UInt32 {
        var value: UInt32 = 0
        for index in 0..<count { value |= UInt32(try byte()) << UInt32(8 * index) }
        return value
    }

    private mutating func text(count: Int) throws(Fault) -> String {
        guard count <= limits.text else {
            throw Fault(problem: "has a text of \(count) bytes, at most \(limits.text) are read")
        }
        guard bytes.endIndex - position >= count else { throw ended }
        defer { position += count }
        guard let text = String(validating: bytes[position..<position + count], as: UTF8.self) else {
            throw Fault(problem: "has a text that is not UTF-8")
        }
        return text
    }

    /// The two lines of GLOBAL: a module and a name in it.
    private mutating func name() throws(Fault) -> PickleName {
        var lines: [String] = []
        for _ in 0..<2 {
            let line = bytes[position...].prefix(256).prefix { $0 != UInt8(ascii: "\n") }
            guard line.endIndex < bytes.endIndex else { throw ended }
            guard bytes[line.endIndex] == UInt8(ascii: "\n") else {
                throw Fault(problem: "has a name of more than 255 bytes")
            }
            // A name of no use is shown, so it must not carry control characters to a terminal.
            lines.append(
                String(decoding: line.map { (0x21...0x7E).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self))
            position = line.endIndex + 1
        }
        guard let name = PickleName(rawValue: lines.joined(separator: " ")) else {
            throw Fault(
                problem: "asks for \(lines.joined(separator: ".")), which no state dictionary needs: refused, nothing "
                    + "was executed")
        }
        return name
    }

    // MARK: - Stack, memo, arena

    private mutating func push(_ value: PickleValue) throws(Fault) {
        guard stack.count < limits.stack else {
            throw Fault(problem: "puts more than \(limits.stack) values on the pickle's stack")
        }
        stack.append(value)
    }

    private mutating func pop() throws(Fault) -> PickleValue {
        guard let value = stack.popLast() else { throw Fault(problem: "takes a value from the pickle's empty stack") }
        guard value != .mark else { throw Fault(problem: "takes a mark for a value") }
        return value
    }

    private mutating func popToMark() throws(Fault) -> [PickleValue] {
        guard isMarked > 0, let mark = stack.lastIndex(of: .mark) else {
            throw Fault(problem: "refers to a mark that is not on the pickle's stack")
        }
        isMarked -= 1
        defer { stack.removeSubrange(mark...) }
        return Array(stack[(mark + 1)...])
    }

    private mutating func put(_ index: Int) throws(Fault) {
        guard let value = stack.last, value != .mark else {
            throw Fault(problem: "memoises a value that is not there")
        }
        guard memo.count < limits.memo else {
            throw Fault(problem: "has more than \(limits.memo) entries in the pickle's memo")
        }
        memo[index] = value
    }

    private mutating func get(_ index: Int) throws(Fault) {
        guard let value = memo[index] else {
            throw Fault(problem: "refers to entry \(index) of the pickle's memo, which is empty")
        }
        try push(value)
    }

    private mutating func sequence(
        _ values: [PickleValue], as make: (Int) -> PickleValue
    ) throws(Fault) -> PickleValue {
        try countContainer()
        sequences.append(values)
        return make(sequences.count - 1)
    }

    private func countContainer() throws(Fault) {
        guard sequences.count + dictionaries.count < limits.containers else {
            throw Fault(problem: "has more than \(limits.containers) tuples, lists and dictionaries in a pickle")
        }
    }

    private mutating func emptyDictionary() throws(Fault) -> PickleValue {
        try countContainer()
        dictionaries.append([])
        return .dictionary(dictionaries.count - 1)
    }

    private mutating func append(_ values: [PickleValue]) throws(Fault) {
        guard case .list(let index)? = stack.last else { throw Fault(problem: "appends to what is not a list") }
        sequences[index] += values
    }

    private mutating func set(_ pairs: [PickleValue]) throws(Fault) {
        guard case .dictionary(let index)? = stack.last else {
            throw Fault(problem: "sets the items of what is not a dictionary")
        }
        guard pairs.count % 2 == 0 else { throw Fault(problem: "sets a key of a dictionary without its value") }
        for start in stride(from: 0, to: pairs.count, by: 2) {
            dictionaries[index].append((pairs[start], pairs[start + 1]))
        }
    }

    // MARK: - What stands for objects

    /// The object that REDUCE of a name and a tuple of arguments stands for.
    private mutating func reduce(_ callable: PickleValue, _ arguments: PickleValue) throws(Fault) -> PickleValue {
        guard case .tuple(let index) = arguments else { throw Fault(problem: "calls with what is not a tuple") }
        let arguments = sequences[index]
        switch callable {
        case .name(.orderedDict) where arguments.isEmpty: return try emptyDictionary()
        case .name(.rebuildTensor): return try tensor(arguments)
        default:
            throw Fault(
                problem: "calls \(callable.kind) with \(arguments.count) arguments, which no state dictionary needs: "
                    + "refused, nothing was executed")
        }
    }

    /// `_rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks)`.
    private mutating func tensor(_ arguments: [PickleValue]) throws(Fault) -> PickleValue {
        guard arguments.count == 6, case .storage(let storage) = arguments[0],
            case .integer(let offset) = arguments[1], let shape = integers(arguments[2]),
            let strides = integers(arguments[3]), case .bool = arguments[4],
            case .dictionary(let hooks) = arguments[5], dictionaries[hooks].isEmpty
        else { throw Fault(problem: "describes a tensor in a way that is not known") }
        guard shape.count == strides.count else {
            throw Fault(problem: "has a tensor of \(shape.count) dimensions and \(strides.count) strides")
        }
        tensors.append(PickledTensor(storage: storage, offset: offset, shape: shape, strides: strides))
        return .tensor(tensors.count - 1)
    }

    /// The persistent id `('storage', type, key, location, count, None)`.
    private mutating func storage(_ value: PickleValue) throws(Fault) -> PickleValue {
        guard case .tuple(let index) = value, sequences[index].count == 6,
            sequences[index][0] == .text("storage"), case .name(let name) = sequences[index][1],
            case .text(let key) = sequences[index][2], case .text = sequences[index][3],
            case .integer(let count) = sequences[index][4], sequences[index][5] == .none
        else { throw Fault(problem: "refers to a storage in a way that is not known") }
        let type: TorchFile.ElementType
        switch name {
        case .floatStorage: type = .float32
        case .longStorage: type = .int64
        default: throw Fault(problem: "has a storage of the type \(name.rawValue)")
        }
        guard (0...limits.elements).contains(count) else {
            throw Fault(problem: "has a storage of \(count) elements, at most \(limits.elements) are read")
        }
        let storage = PickledStorage(key: key, type: type, count: count)
        if let known = storageOf[key] {
            guard storages[known] == storage else {
                throw Fault(problem: "describes the storage '\(printable(key))' in two ways")
            }
            return .storage(known)
        }
        storages.append(storage)
        storageOf[key] = storages.count - 1
        return .storage(storages.count - 1)
    }

    /// BUILD gives an OrderedDict its attributes. State dictionaries have one, `_metadata`, with versions of modules: it is
    /// checked for being one and left out.
    private mutating func build() throws(Fault) {
        let state = try pop()
        guard case .dictionary(let index) = state, case .dictionary? = stack.last, dictionaries[index].count <= 1,
            dictionaries[index].allSatisfy({ $0.key == .text("_metadata") })
        else { throw Fault(problem: "gives an object attributes that no state dictionary has") }
    }

    /// The elements of a short tuple of integers, nil where it is none.
    private func integers(_ value: PickleValue) -> [Int]? {
        guard case .tuple(let index) = value, sequences[index].count <= limits.dimensions else { return nil }
        var integers: [Int] = []
        for element in sequences[index] {
            guard case .integer(let integer) = element else { return nil }
            integers.append(integer)
        }
        return integers
    }
}

/// Two hexadecimal digits.
func hexadecimal(_ byte: UInt8) -> String {
    let text = String(byte, radix: 16)
    return text.count == 1 ? "0" + text : text
}

/// A name from the file as a message may show it: no control characters, 100 scalars at most.
func printable(_ text: String) -> String {
    var shown = String.UnicodeScalarView()
    for scalar in text.unicodeScalars.prefix(100) {
        let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
        shown.append(isControl || scalar.properties.isBidiControl ? "\u{FFFD}" : scalar)
    }
    return String(shown)
}
