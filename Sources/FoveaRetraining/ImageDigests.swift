import FoveaData
import FoveaModels
import FoveaSystem
import SystemPackage

/// Which images a model has learnt, and which were held back from it, by their pixels at the model's size: the first eight
/// bytes of their SHA-256. Two files in a model's `training/`, so that whoever trains it on knows, whatever has become of
/// the data sets since.
///
///     learnt.digests, heldback.digests     u64, little-endian, ascending
///
/// Neither is part of what the model's hash covers: without them the next retraining knows less, and no model changes.
package struct ImageDigests: Sendable, Equatable {
    package private(set) var learnt: Set<UInt64> = []
    package private(set) var heldBack: Set<UInt64> = []

    package static let learntName = "learnt.digests"
    package static let heldBackName = "heldback.digests"

    package init() {}

    /// - Returns: nil where the model does not say.
    package init?(model folder: FilePath) {
        let training = folder.appending(ModelFolder.trainingName)
        guard let learnt = Self.read(training.appending(Self.learntName)),
            let heldBack = Self.read(training.appending(Self.heldBackName))
        else { return nil }
        (self.learnt, self.heldBack) = (learnt, heldBack)
    }

    /// Adds images that are learnt, by their digests.
    mutating func learn(_ digests: some Sequence<UInt64>) { learnt.formUnion(digests) }

    /// Adds images that are learnt.
    package mutating func learn(_ images: LabelledImages, _ indices: some Sequence<Int>) {
        for index in indices { learnt.insert(Self.digest(images, index)) }
    }

    /// Adds images that are held back; what is learnt as well stays so.
    package mutating func holdBack(_ images: LabelledImages, _ indices: some Sequence<Int>) {
        for index in indices { heldBack.insert(Self.digest(images, index)) }
    }

    /// What a model that was trained on has learnt comes on top.
    package mutating func add(_ other: ImageDigests) {
        learnt.formUnion(other.learnt)
        heldBack.formUnion(other.heldBack)
        // What has been learnt once cannot be held back any more.
        heldBack.subtract(learnt)
    }

    /// Whether an image is held back from the next model: as it was from this one, and where this one never met it, by its
    /// digest.
    ///
    /// - Parameter share: of unknown images, in 256ths.
    func isHeldBack(_ digest: UInt64, share: UInt64) -> Bool {
        if learnt.contains(digest) { return false }
        return heldBack.contains(digest) || digest & 255 < share
    }

    /// The same of images that look alike, which are held back all or not at all.
    func areHeldBack(_ digests: [UInt64], share: UInt64) -> Bool {
        guard digests.allSatisfy({ !learnt.contains($0) }), let smallest = digests.min() else { return false }
        return digests.contains(where: heldBack.contains) || isHeldBack(smallest, share: share)
    }

    /// The files, by name.
    package var files: [String: [UInt8]] {
        [Self.learntName: Self.bytes(learnt), Self.heldBackName: Self.bytes(heldBack)]
    }

    /// Of one image's pixels.
    package static func digest(_ images: LabelledImages, _ index: Int) -> UInt64 {
        digest(images.pixels[index * images.imageBytes..<(index + 1) * images.imageBytes])
    }

    static func digest(_ pixels: ArraySlice<UInt8>) -> UInt64 {
        pixels.withUnsafeBytes { Digest.sha256($0) }.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    private static func bytes(_ digests: Set<UInt64>) -> [UInt8] {
        digests.sorted().flatMap { digest in withUnsafeBytes(of: digest.littleEndian, Array.init) }
    }

    private static func read(_ path: FilePath) -> Set<UInt64>? {
        guard let bytes = try? Files.read(path, limit: ModelFolder.goldenLimit), bytes.count % 8 == 0 else {
            return nil
        }
        return bytes.withUnsafeBytes { bytes in
            Set(
                stride(from: 0, to: bytes.count, by: 8).map {
                    UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: $0, as: UInt64.self))
                })
        }
    }
}

/// A digest in JSON: 16 hexadecimal digits, since other readers of JSON keep no more than 53 bits of a number.
@propertyWrapper
package struct Hexadecimal: Codable, Sendable, Equatable {
    package var wrappedValue: UInt64

    package init(wrappedValue: UInt64) { self.wrappedValue = wrappedValue }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let value = UInt64(try container.decode(String.self), radix: 16) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not 16 hexadecimal digits")
        }
        wrappedValue = value
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(withUnsafeBytes(of: wrappedValue.bigEndian) { hexadecimal($0) })
    }
}
