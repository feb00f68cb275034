import FoveaDaemon
import FoveaSystem
import SystemPackage
import Testing

@Suite struct OutboxNamesTests {
    private func name(_ original: String, _ number: Int = 1, suffix: String = ".json") -> String {
        OutboxNames.name(FilePath.Component(original)!, number: number, suffix: suffix).string
    }

    @Test func shortNamesStay() {
        #expect(name("cat.png") == "cat.png")
        #expect(name("cat.png", 2) == "cat-2.png")
        #expect(name("cat.png", 1234) == "cat-1234.png")
        #expect(name("cat", 3) == "cat-3")
        #expect(name("a.tar.gz", 2) == "a.tar-2.gz")
        #expect(name("Küche.jpg", 2) == "Küche-2.jpg")
    }

    @Test func whatIsNoExtension() {
        #expect(name(".hidden", 2) == ".hidden-2")
        #expect(name(".hidden.png", 2) == ".hidden-2.png")
        #expect(name("dot.", 2) == "dot-2.")
        #expect(name("a.this is a sentence and no extension", 2) == "a.this is a sentence and no extension-2")
    }

    @Test(arguments: [1, 2, 10, 99999], [".json", ".error.json", ""])
    func longNamesLeaveRoom(_ number: Int, _ suffix: String) {
        for length in [200, 240, 244, 245, 250, 251, 255] {
            let long = String(repeating: "x", count: length - 4) + ".png"
            let result = name(long, number, suffix: suffix)
            #expect(result.utf8.count + suffix.utf8.count <= 255)
            #expect(result.hasSuffix((number > 1 ? "-\(number)" : "") + ".png"))
            #expect(
                result.utf8.count == min(255 - suffix.utf8.count, length + (number > 1 ? "-\(number)".utf8.count : 0)))
        }
    }

    @Test func textIsCutAtCharacters() {
        for unit in ["ä", "€", "🎈"] {
            let count = 250 / unit.utf8.count
            for padding in 0..<4 {
                let long = String(repeating: "x", count: padding) + String(repeating: unit, count: count) + ".png"
                guard let component = FilePath.Component(long), long.utf8.count <= 255 else { continue }
                for number in [1, 12, 12345] {
                    let result = OutboxNames.name(component, number: number, suffix: ".error.json")
                    #expect(String(validating: result.bytes, as: UTF8.self) != nil, "cut inside a character")
                    #expect(result.bytes.count <= 244 && result.bytes.count > 244 - unit.utf8.count)
                }
            }
        }
    }

    @Test func otherBytesAreKept() {
        let bytes: [UInt8] = [0xFF, 0xE4, 0x2E, 0x70, 0x6E, 0x67]
        let component = FilePath(bytes: bytes).lastComponent!
        #expect(OutboxNames.name(component, number: 1, suffix: ".json").bytes == bytes)
        #expect(
            OutboxNames.name(component, number: 2, suffix: ".json").bytes
                == [0xFF, 0xE4, 0x2D, 0x32, 0x2E, 0x70, 0x6E, 0x67])
        let long = FilePath(bytes: [UInt8](repeating: 0xFF, count: 255)).lastComponent!
        #expect(OutboxNames.name(long, number: 1, suffix: ".json").bytes == [UInt8](repeating: 0xFF, count: 250))
    }

    @Test func differentNumbersGiveDifferentNames() {
        let long = FilePath.Component(String(repeating: "y", count: 251) + ".jpg")!
        let names = Set((1...300).map { OutboxNames.name(long, number: $0, suffix: ".json") })
        #expect(names.count == 300)
    }
}
