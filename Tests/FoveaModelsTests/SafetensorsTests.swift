import FoveaModels
import FoveaSystem
import FoveaTestKit
import Testing

@Suite struct SafetensorsTests {
    /// A file of this header and `data` bytes of zeros.
    private func file(_ header: String, data: Int = 0) -> [UInt8] {
        withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian, Array.init) + Array(header.utf8)
            + [UInt8](repeating: 0, count: data)
    }

    private func entry(_ type: String = "F32", _ shape: String = "[2]", _ begin: Int = 0, _ end: Int = 8) -> String {
        #"{"dtype":"\#(type)","shape":\#(shape),"data_offsets":[\#(begin),\#(end)]}"#
    }

    @Test func returnsWhatWasWritten() throws {
        var writer = SafetensorsWriter()
        writer.metadata = ["tolerance": "0.001"]
        writer.add("pixels", shape: [3], bytes: [1, 2, 255])
        try writer.add("half", shape: [2, 2], floats: [1, -0.5, 65504, 0x1p-24], as: .float16)
        try writer.add("single", shape: [1, 3], floats: [.pi, -.leastNonzeroMagnitude, 3e38])
        writer.add("step", shape: [], integers: [-5])
        let file = try SafetensorsFile(bytes: writer.encode(), subject: "x")
        #expect(file.metadata == ["tolerance": "0.001"])
        #expect(try file.floats("half") == [1, -0.5, 65504, 0x1p-24])
        #expect(try file.floats("single") == [.pi, -.leastNonzeroMagnitude, 3e38])
        #expect(try Array(file.bytes("pixels")) == [1, 2, 255])
        #expect(try Array(file.bytes("step")) == [0xFB] + [UInt8](repeating: 0xFF, count: 7))
        #expect(file["single"]?.shape == [1, 3])
        #expect(file["step"]?.shape == [])
        #expect(file["nothing"] == nil)
        #expect(writer.encode() == writer.encode())
        for entry in file.entries { #expect(entry.range.lowerBound % entry.type.size == 0) }
    }

    @Test func theWriterRefusesWhatIsNotFiniteAsStored() throws {
        var writer = SafetensorsWriter()
        #expect(throws: ModelError.self) { try writer.add("a", shape: [1], floats: [.nan]) }
        #expect(throws: ModelError.self) { try writer.add("a", shape: [1], floats: [65520], as: .float16) }
    }

    @Test func halvesConvertAsTheProcessorConvertsThem() {
        for bits in UInt16.min ... .max where bits & 0x7C00 != 0x7C00 {
            let expected = Float(Float16(bitPattern: bits))
            #expect(HalfPrecision.float(bits).bitPattern == expected.bitPattern)
            #expect(HalfPrecision.bits(expected) == bits)
        }
        #expect(HalfPrecision.rounded(1.0001) == 1)
    }

    @Test func refusesEachFault() {
        let good = entry()
        let cases: [([UInt8], String)] = [
            ([1, 2, 3], "only 3 bytes"),
            (Array("PK\u{03}\u{04}".utf8) + [20, 0, 8, 8, 0], "zip archive"),
            ([0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9], "pickle"),
            ([0, 0, 0, 0, 0, 0, 0, 0xFF, 0], "at most"),
            ([100, 0, 0, 0, 0, 0, 0, 0] + Array("{}".utf8), "past the end"),
            (file("[]"), "not a JSON object"),
            (file(#"{"a":\#(good),"a":\#(good)}"#, data: 8), "twice"),
            (file(#"{"a":{"b":{"c":{"d":{}}}}}"#), "deeply"),
            (file(#"{"a":1}"#), "not an object"),
            (file(#"{"__metadata__":{"a":1}}"#), "not text"),
            (file(#"{"a":\#(entry("BF16", "[4]"))}"#, data: 8), "not supported"),
            (file(#"{"a":{"shape":[2],"data_offsets":[0,8]}}"#, data: 8), "no dtype"),
            (file(#"{"a":{"dtype":"F32","data_offsets":[0,8]}}"#, data: 8), "shape is not"),
            (file(#"{"a":{"dtype":"F32","shape":[2]}}"#, data: 8), "data_offsets"),
            (file(#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}"#, data: 8), "unknown field"),
            (file(#"{"a":\#(entry("F32", "[-2]"))}"#, data: 8), "shape is not"),
            (file(#"{"a":\#(entry("F32", "[2.0]"))}"#, data: 8), "shape is not"),
            (file(#"{"a":\#(entry("F32", "[1,1,1,1,1,1,1,1,2]"))}"#, data: 8), "dimensions"),
            (file(#"{"a":\#(entry("F32", "[4611686018427387904,4]"))}"#, data: 8), "too large"),
            (file(#"{"a":\#(entry("F32", "[3]"))}"#, data: 8), "needs 12 bytes"),
            (file(#"{"a":\#(entry("F32", "[2]", 0, 16))}"#, data: 8), "data reach to byte 16"),
            (file(#"{"a":\#(entry("F32", "[2]", 8, 0))}"#, data: 8), "not a pair"),
            (file(#"{"a":\#(entry("F32", "[2]", 4, 12))}"#, data: 12), "gap"),
            (file(#"{"a":\#(good),"b":\#(entry("F32", "[2]", 4, 12))}"#, data: 12), "overlap"),
            (file(#"{"a":\#(good)}"#, data: 9), "1 bytes after"),
            (file("{\"\u{FF}", data: 0).dropLast(1) + [0xFF], "UTF-8"),
        ]
        for (bytes, expected) in cases {
            let message = refusal { _ = try SafetensorsFile(bytes: bytes, subject: "x.safetensors") }
            #expect(message.hasPrefix("damaged: x.safetensors: "), "\(message)")
            #expect(message.contains(expected), "expected \(expected), got \(message)")
        }
    }

    @Test(arguments: [("F32", [0, 0, 0x80, 0x7F]), ("F32", [1, 0, 0xC0, 0xFF]), ("F16", [0, 0, 0, 0x7C])])
    func refusesValuesThatAreNotFinite(_ type: String, _ value: [UInt8]) {
        let shape = type == "F32" ? "[1]" : "[2]"
        let bytes = file(#"{"a":\#(entry(type, shape, 0, 4))}"#).dropLast(0) + value
        #expect(refusal { _ = try SafetensorsFile(bytes: Array(bytes), subject: "x") }.contains("NaN or an infinity"))
    }

    @Test func aLengthThatLooksLikeAnotherFormatIsStillRead() throws {
        // 0x0280 bytes of header begin like a pickle, 0x4B50 like a zip archive.
        for length in [0x0280, 0x4B50] {
            let header = #"{"a":\#(entry())}"#
            let padded = header + String(repeating: " ", count: length - header.utf8.count)
            #expect(try SafetensorsFile(bytes: file(padded, data: 8), subject: "x").floats("a") == [0, 0])
        }
    }

    /// Whatever happens to the bytes, reading ends with tensors inside the file or with a refusal.
    @Test func survivesSeededDamage() throws {
        var generator = SplitMix64(seed: 2024)
        let original = try Sample.weights()
        let header = 8 + Int(original[0])
        var accepted = 0
        for round in 0..<20_000 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let place = Int.random(in: 0..<(round % 2 == 0 ? header : bytes.count), using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes[place] = "0123456789{}[]\",:-".utf8.randomElement(using: &generator)!
                case 2: bytes.remove(at: place)
                default: bytes.insert(bytes[place], at: place)
                }
            }
            do {
                let file = try SafetensorsFile(bytes: bytes, subject: "x")
                for entry in file.entries where entry.type == .float16 || entry.type == .float32 {
                    #expect(try file.floats(entry.name).allSatisfy(\.isFinite))
                }
                #expect(file.entries.reduce(8) { $0 + $1.range.count } <= bytes.count)
                accepted += 1
            } catch {
                #expect(error.code == .damaged)
            }
        }
        #expect(accepted > 0 && accepted < 20_000)
    }
}
