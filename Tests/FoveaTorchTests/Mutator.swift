/// Damages files in a way that a seed decides: bits, bytes, numbers at their limits, pieces moved, doubled, cut and exchanged
/// between files.
struct Mutator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// SplitMix64 (Steele et al. 2014).
    private mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    private mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }

    private static let interesting: [UInt8] = [
        0, 1, 2, 3, 7, 8, 0x28, 0x29, 0x2E, 0x4A, 0x51, 0x52, 0x58, 0x63, 0x68, 0x71, 0x74, 0x75, 0x7D, 0x7F, 0x80,
        0x85, 0xFF,
    ]

    mutating func mutate(_ corpus: [[UInt8]]) -> [UInt8] {
        var bytes = corpus[below(corpus.count)]
        for _ in 0...below(4) where !bytes.isEmpty {
            let at = below(bytes.count)
            let piece = at..<min(bytes.count, at + 1 + below(32))
            switch below(8) {
            case 0: bytes[at] ^= 1 << UInt8(below(8))
            case 1: bytes[at] = UInt8(truncatingIfNeeded: next())
            case 2: bytes[at] = Self.interesting[below(Self.interesting.count)]
            case 3: bytes.insert(Self.interesting[below(Self.interesting.count)], at: at)
            case 4: bytes.removeSubrange(piece)
            case 5: bytes.insert(contentsOf: bytes[piece], at: below(bytes.count))
            case 6:
                let other = corpus[below(corpus.count)]
                let from = below(other.count)
                bytes.replaceSubrange(piece, with: other[from..<min(other.count, from + 1 + below(32))])
            default: for index in piece.prefix(4) { bytes[index] = [0, 0x7F, 0xFF][below(3)] }
            }
        }
        return bytes
    }
}
