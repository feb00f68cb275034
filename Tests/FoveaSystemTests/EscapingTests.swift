import FoveaSystem
import SystemPackage
import Testing

/// A path as text names one path only.
@Suite struct EscapingTests {
    @Test func everyByteComesBack() {
        for byte in UInt8.min...UInt8.max {
            for bytes in [[byte], [0x61, byte, 0x62], [0xC3, byte], [0xF0, 0x9F, byte], [byte, 0x80]] {
                let text = percentEscaped(bytes)
                #expect(percentUnescaped(text) == bytes, "\(bytes) became \(text)")
                #expect(text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F })
            }
        }
    }

    @Test func randomBytesComeBack() {
        var random = SplitMix64(seed: 7)
        // Bytes that begin, continue and break UTF-8, and those that escaping itself uses, more often than by chance.
        let alphabet: [UInt8] = [0x25, 0x32, 0x35, 0x46, 0x61, 0x0A, 0x7F, 0x80, 0xA9, 0xC3, 0xE2, 0xED, 0xF0, 0xFF]
        for _ in 0..<3000 {
            let bytes = (0..<Int.random(in: 0...12, using: &random)).map { _ in alphabet.randomElement(using: &random)!
            }
            #expect(percentUnescaped(percentEscaped(bytes)) == bytes)
        }
    }

    @Test func differentBytesStayDifferent() {
        var random = SplitMix64(seed: 11)
        let alphabet: [UInt8] = [0x25, 0x34, 0x31, 0x41, 0xC3, 0xA4]
        var seen: [String: [UInt8]] = [:]
        for _ in 0..<3000 {
            let bytes = (0..<Int.random(in: 0...6, using: &random)).map { _ in alphabet.randomElement(using: &random)! }
            let text = percentEscaped(bytes)
            #expect(seen[text] == nil || seen[text] == bytes, "\(text) stands for two names")
            seen[text] = bytes
        }
    }

    @Test func readableTextStays() {
        #expect(FilePath("Küche/photo 1.png").escaped == "Küche/photo 1.png")
        #expect(percentEscaped([0x61, 0xFF, 0x62]) == "a%FFb")
        #expect(percentEscaped(Array("100%".utf8)) == "100%25")
        #expect(percentEscaped(Array("a\nb".utf8)) == "a%0Ab")
        // Latin-1 beside UTF-8: only what is not UTF-8 is escaped.
        #expect(percentEscaped([0xE4] + Array("ä".utf8)) == "%E4ä")
    }

    @Test func unescapingTakesWhatIsNoEscapeAsItIs() {
        #expect(percentUnescaped("100%") == Array("100%".utf8))
        #expect(percentUnescaped("%4") == Array("%4".utf8))
        #expect(percentUnescaped("%zz%41") == Array("%zzA".utf8))
    }

    @Test func pathsKeepTheirBytes() {
        let bytes: [UInt8] = [0x2F, 0x61, 0xFF, 0xFE, 0x2F, 0x62]
        let path = FilePath(bytes: bytes)
        #expect(path.bytes == bytes)
        #expect(path.lastComponent?.bytes == [0x62])
        #expect(FilePath(bytes: percentUnescaped(path.escaped)) == path)
    }
}
