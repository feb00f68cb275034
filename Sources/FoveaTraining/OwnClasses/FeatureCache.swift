import FoveaSystem
import Glibc
import SystemPackage

/// Features that were computed before, by the SHA-256 of a picture's file.
///
/// One file for a backbone, named by the SHA-256 of the backbone's manifest, since the manifest covers weights, framing and chain:
///
///     "fovea features 1\n"   features u32
///     record:  SHA-256 of the picture 32 bytes │ features × f32 │ CRC-32C of both u32              all little-endian
///
/// Records are appended. A record that a kill has cut off, or that is damaged, ends what is believed; the next training computes the
/// rest again. Removing the folder costs time and nothing else.
struct FeatureCache {
    private static let magic = Array("fovea features 1\n".utf8)

    private let path: FilePath
    private let count: Int
    private var known: [String: [Float]] = [:]
    /// The file ends with something that is not in order.
    private var isDamaged = false
    private var isEmpty = true

    /// - Parameters:
    ///   - folder: made where it is missing.
    ///   - backbone: SHA-256 of the backbone's manifest.
    ///   - count: numbers of a picture.
    init(folder: FilePath, backbone: String, count: Int) throws(SystemError) {
        try Files.makeDirectories(folder)
        path = folder.appending("\(backbone).features")
        self.count = count
        guard try Files.statusIfPresent(path) != nil else { return }
        read(try Files.read(path, limit: 64 << 30))
        if isDamaged {
            // What is in order is kept; appending behind the rest would be in vain.
            let sound = known
            known = [:]
            isEmpty = true
            try Files.replace(path, with: [UInt8]())
            try add(sound.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
        }
    }

    private var header: [UInt8] { Self.magic + Self.bytes(UInt32(count)) }
    private var recordBytes: Int { 32 + 4 * count + 4 }

    private mutating func read(_ bytes: [UInt8]) {
        isEmpty = bytes.isEmpty
        guard bytes.starts(with: header) else {
            isDamaged = !bytes.isEmpty
            return
        }
        var at = header.count
        while at + recordBytes <= bytes.count {
            let body = bytes[at..<at + recordBytes - 4]
            guard bytes[at + recordBytes - 4..<at + recordBytes].elementsEqual(Self.bytes(crc32c(body))) else { break }
            known[hexadecimal(body.prefix(32))] = (0..<count).map { f in
                let place = at + 32 + 4 * f
                return Float(
                    bitPattern: UInt32(bytes[place]) | UInt32(bytes[place + 1]) << 8 | UInt32(bytes[place + 2]) << 16
                        | UInt32(bytes[place + 3]) << 24)
            }
            at += recordBytes
        }
        isDamaged = at < bytes.count
    }

    /// The features of a picture; nil where they are not known.
    ///
    /// - Parameter sha256: of the picture's file, in hexadecimal digits.
    subscript(sha256: String) -> [Float]? { known[sha256] }

    /// Keeps features for the next training.
    ///
    /// - Parameter new: by the SHA-256 of the pictures' files.
    mutating func add(_ new: [(sha256: String, features: [Float])]) throws(SystemError) {
        if new.isEmpty { return }
        var bytes: [UInt8] = isEmpty ? header : []
        for (sha256, features) in new {
            precondition(features.count == count)
            guard let digest = Self.digest(sha256) else { continue }
            let body = digest + features.flatMap { Self.bytes($0.bitPattern) }
            bytes += body + Self.bytes(crc32c(body))
            known[sha256] = features
        }
        let descriptor = try Files.open(path, O_WRONLY | O_CREAT | O_APPEND)
        defer { try? descriptor.close() }
        try Files.write(bytes, to: descriptor, subject: path.escaped)
        isEmpty = false
    }

    private static func bytes(_ value: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * UInt32($0))) }
    }

    private static func digest(_ digits: String) -> [UInt8]? {
        let letters = Array(digits.utf8)
        guard letters.count == 64 else { return nil }
        var result: [UInt8] = []
        for pair in stride(from: 0, to: 64, by: 2) {
            guard let byte = UInt8(String(decoding: letters[pair..<pair + 2], as: UTF8.self), radix: 16) else {
                return nil
            }
            result.append(byte)
        }
        return result
    }
}
