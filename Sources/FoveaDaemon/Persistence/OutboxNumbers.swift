// The numbers of names in the outbox: `cat.png`, `cat-2.png`, `cat-3.png`.

import FoveaSystem
import SystemPackage

/// Under which names an outcome may have been published before a crash. Others may have been taken away since, so that
/// there are gaps; a folder is listed once, however many outcomes are looked for in it.
struct EarlierPublications {
    /// By folder and `key`, the numbers that documents there have.
    private var folders: [FilePath: [[UInt8]: [Int]]] = [:]

    /// The numbers of documents that may be the outcome's, ascending. Which one is, their content tells.
    ///
    /// - Parameter folder: absolute; it need not exist.
    mutating func numbers(of outcome: Outcome, in folder: FilePath) throws(SystemError) -> [Int] {
        let index: [[UInt8]: [Int]]
        if let known = folders[folder] {
            index = known
        } else {
            index = try Self.index(folder, suffix: Array(outcome.documentSuffix.utf8))
            folders[folder] = index
        }
        let (stem, ending) = OutboxNames.parts(outcome.file.lastComponent!.bytes)
        return [1] + (index[Self.key(stem, ending)] ?? []).sorted()
    }

    /// Long stems are cut to make room for number and suffix, never to less than this.
    private static func key(_ stem: ArraySlice<UInt8>, _ ending: ArraySlice<UInt8>) -> [UInt8] {
        Array(stem.prefix(200)) + [0] + ending
    }

    private static func index(_ folder: FilePath, suffix: [UInt8]) throws(SystemError) -> [[UInt8]: [Int]] {
        var index: [[UInt8]: [Int]] = [:]
        guard try Files.statusIfPresent(folder, followingLinks: true)?.isDirectory == true else { return index }
        for name in try Files.list(folder) {
            let bytes = name.bytes
            guard bytes.suffix(suffix.count).elementsEqual(suffix) else { continue }
            let (stem, ending) = OutboxNames.parts(bytes.dropLast(suffix.count))
            guard let dash = stem.lastIndex(of: UInt8(ascii: "-")), stem.count - dash <= 10,
                let number = Int(String(decoding: stem[(dash + 1)...], as: UTF8.self)), number > 1
            else { continue }
            index[key(stem[..<dash], ending), default: []].append(number)
        }
        return index
    }
}

/// Finds a free number among names that are mostly taken from 1 up, in a number of tries that grows with its logarithm:
/// a camera that calls every picture `image.png` must not make the ten-thousandth a matter of ten thousand tries.
struct CandidateNumbers {
    private(set) var current = 1
    /// Known to be taken.
    private var low = 0
    /// Known to be free; nil until one is found.
    private var high: Int?

    /// `current` was found taken.
    mutating func taken() {
        low = current
        if let high, high > low + 1 {
            current = (low + high) / 2
        } else if let high, high > low {
            current = high
        } else {
            high = nil
            current = low < 8 ? low + 1 : low * 2
        }
    }

    /// `current` was found free. True when a lower one should be tried first.
    mutating func advanceToLowestFree() -> Bool {
        guard current > low + 1 else { return false }
        high = current
        current = (low + current) / 2
        return true
    }
}
