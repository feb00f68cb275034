import Foundation
import FoveaTestKit
import FoveaTorch
import Testing

@Suite struct TorchFileTests {
    private func golden(_ name: String) throws -> Data {
        try Data(contentsOf: #require(Bundle.module.resourceURL).appendingPathComponent("Golden/\(name)"))
    }

    private func problem(_ file: TestStateDictionary) -> String? { problem(file.bytes) }

    private func problem(_ bytes: [UInt8]) -> String? {
        do throws(TorchError) {
            _ = try TorchFile(bytes: bytes, subject: "x.pth")
            return nil
        } catch { return error.problem }
    }

    // MARK: - What is read

    @Test("PyTorch's own file gives PyTorch's own values, transposed filters too")
    func golden() throws {
        let file = try TorchFile(bytes: Array(golden("small.pth")), subject: "small.pth")
        let lines = try String(decoding: golden("small.txt"), as: UTF8.self).split(separator: "\n")
        #expect(file.tensors.count == lines.count)
        for (line, tensor) in zip(lines, file.tensors) {
            let parts = line.split(separator: "|").map(String.init)
            #expect(tensor.name == parts[0])
            #expect(tensor.type.rawValue == parts[1])
            #expect(tensor.shape == (parts[2] == "scalar" ? [] : parts[2].split(separator: "x").map { Int($0)! }))
            let values = parts[3].split(separator: " ").map { Float($0)! }
            #expect(tensor.count == values.count)
            if tensor.type == .float32 { #expect(try file.floats(tensor.name) == values) }
        }
        let transposed = try #require(file.tensor("conv.weight"))
        #expect(transposed.strides != [6, 2, 1, 1] && transposed.shape == [4, 3, 2, 1])
        #expect(throws: TorchError.self) { try file.floats("norm.num_batches_tracked") }
        #expect(throws: TorchError.self) { try file.floats("missing") }
    }

    @Test func writtenFilesAreRead() throws {
        var written = TestStateDictionary.one("a", shape: [2, 3], [1, 2, 3, 4, 5, 6])
        written.add("b", shape: [], [7])
        written.add("c", shape: [0, 4], [])
        let file = try TorchFile(bytes: written.bytes, subject: "x")
        #expect(file.tensors.map(\.name) == ["a", "b", "c"])
        #expect(try file.floats("a") == [1, 2, 3, 4, 5, 6])
        #expect(try file.floats("b") == [7])
        #expect(try file.floats("c") == [])
    }

    // MARK: - What is refused

    @Test("A pickle that would run a command is refused by the name it asks for, and runs nothing")
    func codeIsNotRun() throws {
        let mark = FileManager.default.temporaryDirectory.appendingPathComponent("fovea-torch-\(UUID())").path
        for module in ["os", "posix", "builtins", "torch"] {
            var file = TestStateDictionary.one(shape: [1], [1])
            file.epilogue = TestStateDictionary.call(
                module, "system", [0x28] + TestStateDictionary.text("touch \(mark)") + [0x74])
            let text = try #require(problem(file))
            #expect(text.contains("\(module).system") && text.contains("nothing was executed"))
        }
        #expect(!FileManager.default.fileExists(atPath: mark))
    }

    @Test("Every opcode that state dictionaries do not need is refused")
    func foreignOpcodes() throws {
        let known: Set<UInt8> = [
            0x28, 0x29, 0x2E, 0x4A, 0x4B, 0x4D, 0x4E, 0x51, 0x52, 0x58, 0x5D, 0x62, 0x63, 0x65, 0x68, 0x6A, 0x71, 0x72,
            0x73, 0x74, 0x75, 0x7D, 0x80, 0x85, 0x86, 0x88, 0x89,
        ]
        for code in UInt8.min...UInt8.max where !known.contains(code) {
            var file = TestStateDictionary.one(shape: [1], [1])
            file.epilogue = [code]
            #expect(problem(file)?.contains("opcode 0x") == true)
        }
    }

    @Test func knownNamesInOtherPlacesAreRefused() {
        for (module, name) in [("torch", "FloatStorage"), ("torch._utils", "_rebuild_tensor_v2")] {
            var file = TestStateDictionary.one(shape: [1], [1])
            file.epilogue = TestStateDictionary.call(module, name, [0x29])
            #expect(problem(file) != nil)
        }
        var file = TestStateDictionary.one(shape: [1], [1])
        file.epilogue = [0x7D] + TestStateDictionary.text("__class__") + [0x4E, 0x73, 0x62]
        #expect(problem(file)?.contains("attributes") == true)
    }

    @Test func storagesMustBeThere() {
        let right = TestStateDictionary.one(shape: [2], [1, 2])
        #expect(problem(right) == nil)
        var file = right
        file.tensors[0].shape = [3]
        #expect(problem(file)?.contains("beyond its storage") == true)
        file = right
        file.tensors[0].offset = 1
        #expect(problem(file)?.contains("beyond its storage") == true)
        file = right
        file.tensors[0].offset = -1
        #expect(problem(file)?.contains("beyond its storage") == true)
        file = right
        file.tensors[0].count = 1
        #expect(problem(file)?.contains("elements") == true)
        file = right
        file.storages[0].claimed = .max
        #expect(problem(file)?.contains("elements") == true)
        file = right
        file.keys = ["9"]
        #expect(problem(file)?.contains("no tensor names") == true)
        file = right
        file.keys = []
        #expect(problem(file)?.contains("lists 0 storages") == true)
        file = right
        file.trailer = [0]
        #expect(problem(file)?.contains("1 bytes after") == true)
    }

    @Test func tensorsMayNotOverlap() {
        var file = TestStateDictionary.one(shape: [4], [1, 2, 3, 4])
        file.tensors.append(.init(name: "b", storage: "0", count: 4, offset: 3, shape: [1], strides: [1]))
        #expect(problem(file)?.contains("shares its elements") == true)
        file.tensors[0].shape = [3]
        #expect(problem(file) == nil)
        file.tensors[1].name = "a"
        #expect(problem(file)?.contains("twice") == true)
    }

    @Test("A value that is looked through is short, so that naming one again and again costs no more than its bytes")
    func longValuesAreRefused() {
        var file = TestStateDictionary.one(shape: [1], [1])
        file.tensors[0].shape = [Int](repeating: 1, count: 9)
        file.tensors[0].strides = file.tensors[0].shape
        #expect(problem(file)?.contains("not known") == true)
        file = .one(shape: [1], [1])
        let entry = TestStateDictionary.text("_metadata") + [0x4E, 0x73]
        file.epilogue = [0x7D] + entry + [0x62]
        #expect(problem(file) == nil)
        file.epilogue = [0x7D] + entry + entry + [0x62]
        #expect(problem(file)?.contains("attributes") == true)
    }

    @Test func shapesMustBeDense() {
        for (shape, strides) in [
            ([2, 2], [1, 1]), ([2, 2], [4, 1]), ([2], [0]), ([2], [-1]), ([-2, -2], [2, 1]), ([4], [2]),
            ([Int(Int32.max), Int(Int32.max), Int(Int32.max)], [1, 1, 1]),
        ] {
            var file = TestStateDictionary.one(shape: [4], [1, 2, 3, 4])
            file.tensors[0].shape = shape
            file.tensors[0].strides = strides
            #expect(problem(file) != nil)
        }
        var file = TestStateDictionary.one(shape: [4], [1, 2, 3, 4])
        (file.tensors[0].shape, file.tensors[0].strides) = ([2, 2], [1, 2])
        #expect(try! TorchFile(bytes: file.bytes, subject: "x").floats("a") == [1, 3, 2, 4])
    }

    @Test("Depth, memo, texts and the stack are bounded, and cycles end")
    func bounds() {
        var file = TestStateDictionary.one(shape: [1], [1])
        file.epilogue = [UInt8](repeating: 0x85, count: 1 << 17)  // a tuple in a tuple in a tuple …
        #expect(problem(file)?.contains("instead of a state dictionary") == true)
        file.epilogue = [UInt8](repeating: 0x85, count: 1 << 19)
        #expect(problem(file)?.contains("tuples, lists and dictionaries") == true)
        file.epilogue = [UInt8](repeating: 0x4E, count: 1 << 19)
        #expect(problem(file)?.contains("stack") == true)
        file.epilogue = (0..<1 << 17).flatMap { [0x72] + withUnsafeBytes(of: UInt32($0).littleEndian, Array.init) }
        #expect(problem(file)?.contains("memo") == true)
        file.epilogue = TestStateDictionary.text(String(repeating: "x", count: 5000))
        #expect(problem(file)?.contains("5000 bytes") == true)
        file.epilogue = [0x58, 0xFF, 0xFF, 0xFF, 0xFF]
        #expect(problem(file)?.contains("4294967295 bytes") == true)
        file.epilogue = [UInt8](repeating: 0x28, count: 2 << 20)
        #expect(problem(file) != nil)
        // A dictionary that holds itself.
        file.epilogue = [0x71, 0] + TestStateDictionary.text("self") + [0x68, 0, 0x73]
        #expect(problem(file)?.contains("not a named tensor") == true)
        // A storage of more elements than memory has.
        file = .one(shape: [1], [1])
        file.tensors[0].count = Int(Int32.max)
        file.storages[0].claimed = UInt64(Int32.max)
        #expect(problem(file)?.contains("at most") == true)
    }

    @Test func otherFilesAreNamed() {
        #expect(problem([])?.contains("legacy format") == true)
        #expect(problem([0x50, 0x4B, 3, 4, 0, 0])?.contains("_use_new_zipfile_serialization=False") == true)
        #expect(problem(Array("GIF89a".utf8))?.contains("first bytes") == true)
    }

    @Test("A file that is cut off anywhere is refused")
    func cutOff() throws {
        let whole = try Array(golden("small.pth"))
        for count in 0..<whole.count { #expect(problem(Array(whole.prefix(count))) != nil) }
    }

    @Test("Messages carry no control characters of the file")
    func messagesAreClean() throws {
        var file = TestStateDictionary.one("\u{1B}[31m\u{202E}x", shape: [3], [1, 2])
        #expect(try #require(problem(file)).unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x202E })
        file = .one(shape: [1], [1])
        file.epilogue = TestStateDictionary.global("\u{1B}[31m", "x")
        #expect(try #require(problem(file)).unicodeScalars.allSatisfy { $0.value >= 0x20 })
    }

    // MARK: - Fuzzing

    @Test("20,000 damaged files end in values or in a refusal; none ends the process")
    func fuzz() throws {
        var two = TestStateDictionary.one("_conv_stem.weight", shape: [2, 2], [1, 2, 3, 4])
        two.add("_fc.bias", shape: [3], [5, 6, 7])
        let corpus = [try Array(golden("small.pth")), two.bytes]
        var mutator = Mutator(seed: 1)
        var (read, refused) = (0, 0)
        for _ in 0..<20_000 {
            let bytes = mutator.mutate(corpus)
            do throws(TorchError) {
                let file = try TorchFile(bytes: bytes, subject: "x")
                read += 1
                for tensor in file.tensors {
                    #expect(tensor.range.lowerBound >= 0 && tensor.range.upperBound <= bytes.count)
                    if tensor.type == .float32 { #expect(try file.floats(tensor.name).count == tensor.count) }
                }
                #expect(file.tensors.reduce(0) { $0 + $1.range.count } <= bytes.count)
            } catch {
                refused += 1
                #expect(error.problem.utf8.count < 1000)
            }
        }
        // Damage to a number alone is read; everything else is refused.
        #expect(read > 100 && refused > 10_000)
    }
}
