import FoveaImage
import FoveaModels
import FoveaSystem
import Glibc
import SystemPackage

// A data set that keeps pictures instead of pixels. Models differ in size and framing, and what a picture is scaled to
// cannot be scaled back: so the bytes are kept, and pixels are made when they are asked for.

/// Labelled pictures by part.
package struct PictureSet: Sendable {
    package var info: DatasetInfo
    /// By `Part.rawValue`; a part without a picture is not there.
    package var splits: [String: [Picture]]
    /// Of every picture that is decoded.
    package var limits: ImageLimits
    /// Keeps unpacked files for as long as they may be read.
    var unpacked: UnpackedArchive?

    package init(info: DatasetInfo, splits: [String: [Picture]], limits: ImageLimits = ImageLimits()) {
        (self.info, self.splits, self.limits) = (info, splits, limits)
        for (name, pictures) in splits {
            self.info.splits[name] = DatasetInfo.Split(
                images: pictures.count, sha256: Self.sha256(of: pictures, info.labels))
        }
    }

    /// - Throws: `.missing`, saying which splits there are.
    package func pictures(_ split: String) throws(DataError) -> [Picture] {
        if let pictures = splits[split] { return pictures }
        throw DataError(.missing, Dataset.absence(of: split, in: info, splits.keys))
    }

    /// The pictures of a part, decoded. All are in memory at once: `ImageTarget.bytes` each.
    ///
    /// - Throws: `.corrupt` where a picture cannot be read any more.
    package func images(_ split: String, as target: ImageTarget) throws(DataError) -> LabelledImages {
        try Self.decode(try pictures(split), as: target, limits: limits)
    }

    /// The pictures at `indices` of a part, decoded: for batches.
    package func images(
        _ split: String, _ indices: some Sequence<Int>, as target: ImageTarget
    ) throws(DataError) -> LabelledImages {
        let pictures = try pictures(split)
        return try Self.decode(indices.map { pictures[$0] }, as: target, limits: limits)
    }

    /// The data set in memory, at one size and framing. The pictures of the validation part stand at the end of `train`, which
    /// `Dataset.split` knows.
    ///
    /// - Parameter only: the parts to decode, nil for all.
    /// - Throws: `.invalid` where they would take more than half of the machine's memory.
    package func dataset(as target: ImageTarget, only: Set<String>? = nil) throws(DataError) -> Dataset {
        let wanted = splits.filter { only?.contains($0.key) ?? true }
        let count = wanted.values.reduce(0) { $0 + $1.count }
        guard count * target.bytes <= Self.machineMemory / 2 else {
            throw DataError(
                .invalid,
                "\(info.name): \(count) pictures of \(target.width) × \(target.height) pixels take \(count * target.bytes >> 20) "
                    + "MiB, more than half of this machine's memory: give a smaller --size, or fewer pictures")
        }
        var info = info
        (info.schema, info.height, info.width) = (DatasetInfo.schema, target.height, target.width)
        var result = Dataset(info: info, splits: [:])
        (result.framing, result.resample) = (target.framing, target.resample)
        for (name, pictures) in wanted where name != Part.validation.rawValue {
            result.splits[name] = try Self.decode(pictures, as: target, limits: limits)
            result.groups[name] = pictures.map(\.group)
        }
        if let pictures = wanted[Part.validation.rawValue] {
            let images = try Self.decode(pictures, as: target, limits: limits)
            if only != nil { result.splits[Part.validation.rawValue] = images }
            if let train = wanted[Part.train.rawValue] {
                result.splits[Part.train.rawValue]?.append(images)
                result.groups[Part.train.rawValue]? += pictures.map(\.group)
                result.validation = train.count..<train.count + pictures.count
            }
        }
        return result
    }

    private static let machineMemory = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))

    /// The pictures that a training without `--development 0` chooses on, as `Dataset.split` has them.
    package func development(_ perClass: Int?) throws(DataError) -> [Picture] {
        if let validation = splits[Part.validation.rawValue] { return validation }
        let pictures = try pictures(Part.train.rawValue)
        let labels = pictures.map { UInt16($0.label) }
        let indices = try Dataset.split(
            labels, pictures.map(\.group), names: info.labels, perClass, Dataset.divisionSeed
        ).development
        return indices.map { pictures[$0] }
    }

    /// Counts of a part by label, in the labels' order.
    package func counts(_ split: String) -> [Int] {
        var counts = [Int](repeating: 0, count: info.labels.count)
        for picture in splits[split] ?? [] { counts[picture.label] += 1 }
        return counts
    }

    /// Pictures in memory, in their order.
    package static func decode(
        _ pictures: [Picture], as target: ImageTarget, limits: ImageLimits
    ) throws(DataError) -> LabelledImages {
        var failure: RefusedFile?
        let pixels = [UInt8](unsafeUninitializedCapacity: pictures.count * target.bytes) { buffer, filled in
            failure = decode(pictures, as: target, limits: limits, into: buffer.baseAddress)
            filled = failure == nil ? pictures.count * target.bytes : 0
        }
        if let failure { throw DataError(.corrupt, "\(failure.path): \(failure.reason)") }
        return LabelledImages(
            height: target.height, width: target.width, pixels: pixels, labels: pictures.map { UInt16($0.label) })
    }

    /// What identifies a part: its pictures with their labels, in their order.
    static func sha256(of pictures: [Picture], _ labels: [String]) -> String {
        let digest = Digest()
        for picture in pictures { digest.update(Array("\(picture.sha256) \(labels[picture.label])\n".utf8)) }
        return hexadecimal(digest.finish())
    }
}
