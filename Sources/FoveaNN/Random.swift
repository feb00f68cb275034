import FoveaSystem

/// Random numbers that are the same on every machine, for a seed: xoshiro256** by David Blackman and Sebastiano Vigna
/// (prng.di.unimi.it, public domain), seeded by SplitMix64.
package struct SeededGenerator: RandomNumberGenerator, Sendable, Equatable {
    private var s: (UInt64, UInt64, UInt64, UInt64)

    /// A generator for a seed and, where several independent streams are drawn from one seed, what the stream is for:
    /// `SeededGenerator(seed, epoch, batch)`.
    package init(_ seed: UInt64, _ stream: UInt64...) {
        var state = SplitMix64(seed: seed)
        for part in stream { state = SplitMix64(seed: state.next() ^ part &* 0xd6e8_feb8_6659_fd93) }
        s = (state.next(), state.next(), state.next(), state.next())
    }

    package mutating func next() -> UInt64 {
        func rotate(_ x: UInt64, _ k: UInt64) -> UInt64 { (x << k) | (x >> (64 - k)) }
        let result = rotate(s.1 &* 5, 7) &* 9
        let t = s.1 << 17
        s.2 ^= s.0
        s.3 ^= s.1
        s.1 ^= s.2
        s.0 ^= s.3
        s.2 ^= t
        s.3 = rotate(s.3, 45)
        return result
    }

    /// Uniform in [0, 1), with 24 bits.
    package mutating func uniform() -> Float { Float(next() >> 40) * 0x1p-24 }

    package static func == (a: Self, b: Self) -> Bool { a.s == b.s }
}
