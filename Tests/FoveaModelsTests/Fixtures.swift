import FoveaModels
import FoveaSystem
import Glibc
import SystemPackage

/// A folder that is removed with its owner.
final class Scratch {
    let path: FilePath

    init() throws {
        path = FilePath("/tmp/fovea-models-\(getpid())-\(String(UInt64.random(in: 0 ... .max), radix: 36))")
        try Files.makeDirectory(path)
    }

    deinit { try? Files.removeTree(path) }

    func write(_ name: String, _ bytes: some Sequence<UInt8>) throws -> FilePath {
        let file = path.appending(name)
        try Files.replace(file, with: bytes)
        return file
    }
}

/// SplitMix64: the same numbers for the same seed, everywhere.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
