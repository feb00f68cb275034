import FoveaData
import FoveaModels
import FoveaSystem

/// Everything that a retraining learns from and is judged by: the configured data sets and the corrections, under the
/// champion's labels and the new ones.
///
/// ```
///   data sets     ├──────────── learnt ────────────┤─ held back ─┤
///                                                    1/5 fit the temperature, 4/5 judge
///   corrections   ├──────────── learnt ────────────┤─ judge ─────┤
/// ```
/// What the champion has learnt is learnt, what was held back from it stays so, and of what it has never met a share is held
/// back by the image's digest: see `ImageDigests`. So nothing that judges has been learnt by either, this year or next.
package struct RetrainingData: Sendable {
    /// A data set, and what its champion has learnt of it.
    package struct Source: Sendable {
        package let set: Dataset
        package let learnt: TrainedSet

        package init(set: Dataset, learnt: TrainedSet) { (self.set, self.learnt) = (set, learnt) }
    }

    /// All images as one data set: its split `train` has those of the data sets and the corrections, `test` the data
    /// sets' test images.
    package private(set) var dataset: Dataset
    /// Indices into `train`; a correction is there as often as it is seen in an epoch.
    package private(set) var train: [Int] = []
    package private(set) var development: [Int] = []
    /// What champion and challenger are compared on.
    package private(set) var judged: LabelledImages
    package private(set) var origins: [Gate.Image.Origin] = []
    /// What becomes of each correction, in their order.
    package private(set) var uses: [Correction.Use] = []
    package var learntCorrections: Int { uses.count { $0 == .learnt } }
    package var judgingCorrections: Int { uses.count { $0 == .judges } }
    /// Images of the data sets whose label a correction replaces.
    package private(set) var relabelled = 0
    package private(set) var problems: [CorrectionProblem] = []
    package private(set) var notes: [String] = []

    private let digests: ImageDigests?

    /// - Parameters:
    ///   - champion: gives the first labels and the images' size.
    ///   - digests: what the champion has learnt, where that is known by image.
    /// - Throws: `DataError` where a data set's images have another size than the champion's.
    package init(
        champion: ModelConfiguration, digests: ImageDigests?, sources: [Source],
        corrections: CorrectionSet
    ) throws(DataError) {
        let (height, width) = (champion.input.height, champion.input.width)
        for source in sources where source.set.info.height != height || source.set.info.width != width {
            throw DataError(
                .invalid,
                "data set \(source.set.info.name) has images of \(source.set.info.width)×\(source.set.info.height), the "
                    + "model \(champion.name) takes \(width)×\(height), and no other size can be made of them: import the pictures themselves"
            )
        }
        self.digests = digests
        dataset = Dataset(
            info: Self.info(champion, sources.map(\.set.info), corrections.newLabels), splits: [:])
        (dataset.framing, dataset.resample) = (champion.input.framing, champion.input.resample)
        let places = Dictionary(uniqueKeysWithValues: dataset.info.labels.enumerated().map { ($1, UInt16($0)) })
        var images = LabelledImages(height: height, width: width)
        var test = LabelledImages(height: height, width: width)
        judged = LabelledImages(height: height, width: width)
        for source in sources {
            let (set, first) = (source.set, images.count)
            func take(_ more: LabelledImages, into all: inout LabelledImages) {
                all.pixels += more.pixels
                all.labels += more.labels.map { places[set.info.labels[Int($0)]]! }
            }
            take(try set.images("train"), into: &images)
            if let more = set.splits["test"] { take(more, into: &test) }
            var spare = LabelledImages(height: height, width: width)
            if let more = set.splits["test"] { take(more, into: &spare) }
            try divide(source, images, first, test: spare)
        }
        let seen = (0..<images.count).map { ImageDigests.digest(images, $0) }
        let judging = Set((0..<judged.count).map { ImageDigests.digest(judged, $0) }).union(
            development.map { seen[$0] })
        // What judges must not be learnt, though another data set, or the same, has it once more.
        train.removeAll { judging.contains(seen[$0]) }
        add(corrections, to: &images, seen, judging, places)
        dataset.splits = ["train": images]
        if test.count > 0 { dataset.splits["test"] = test }
        if !unjudged.isEmpty { notes.append("no held-back image shows \(unjudged.joined(separator: ", "))") }
    }

    /// Of images that the champion has never met, in 256ths: a tenth of a data set's, a fifth of the corrections.
    private static let shareOfData: UInt64 = 26
    private static let shareOfCorrections: UInt64 = 51
    /// With fewer held-back images of a data set than this its test images judge as well.
    package static let fewestHeldBack = 100

    /// Divides a data set whose images begin at `first`. Where little of it can be held back any more, its test images judge.
    private mutating func divide(
        _ source: Source, _ images: LabelledImages, _ first: Int, test: LabelledImages
    ) throws(DataError) {
        let set = source.set
        var heldBack: [Int] = []
        if let digests {
            let seen = (first..<images.count).map { ImageDigests.digest(images, $0) }
            // What looks the same is learnt or held back together; where that is not known, each image decides for itself.
            let groups = set.groups["train"] ?? seen
            for (_, members) in Dictionary(grouping: seen.indices, by: { groups[$0] }) {
                if digests.areHeldBack(members.map { seen[$0] }, share: Self.shareOfData) {
                    heldBack += members.map { first + $0 }
                } else {
                    train += members.map { first + $0 }
                }
            }
            heldBack.sort()
            train.sort()
        } else if source.learnt.isLearntWhole {
            train += first..<images.count
        } else {
            let division = try set.split(development: source.learnt.perClass)
            train += division.train.map { first + $0 }
            heldBack = division.development.map { first + $0 }
        }
        for (place, index) in heldBack.enumerated() {
            if place % 5 == 4 { development.append(index) } else { judge(images, at: index, .data) }
        }
        guard heldBack.count < Self.fewestHeldBack else { return }
        let unknown = (0..<test.count).filter {
            !(digests?.learnt.contains(ImageDigests.digest(test, $0)) ?? false)
        }
        for index in unknown { judge(test, at: index, .data) }
        let few =
            heldBack.isEmpty
            ? "no image is" : heldBack.count == 1 ? "only 1 image is" : "only \(heldBack.count) images are"
        notes.append(
            "of \(set.info.name) \(few) held back from the champion"
                + (unknown.isEmpty ? ": what is forgotten of it may not be seen" : ": its test images judge as well"))
    }

    private mutating func judge(_ images: LabelledImages, at index: Int, _ origin: Gate.Image.Origin) {
        let size = images.imageBytes
        judged.pixels += images.pixels[index * size..<(index + 1) * size]
        judged.labels.append(images.labels[index])
        origins.append(origin)
    }

    /// How much of an epoch corrections should be, and how often one is seen at most: few among many would not be noticed. Labels
    /// of which the data sets have little, or nothing, are seen as often as the others.
    private static let share = 0.1
    private static let mostRepeats = 8

    /// - Parameters:
    ///   - seen: the digests of the data sets' images.
    ///   - judging: those of them that judge or develop.
    private mutating func add(
        _ set: CorrectionSet, to images: inout LabelledImages, _ seen: [UInt64], _ judging: Set<UInt64>,
        _ places: [String: UInt16]
    ) {
        let size = images.imageBytes
        // A champion that does not say it by image has learnt all that is learnt now.
        var known = digests ?? ImageDigests()
        if digests == nil { known.learn(train.lazy.map { seen[$0] }) }
        // An image of the data that has been corrected: its old label must not be learnt beside the new one.
        let corrected = Set(set.corrections.map(\.digest))
        let before = train.count
        train.removeAll { corrected.contains(seen[$0]) }
        relabelled = before - train.count

        let taught = self.taught(set, known, judging)
        var learnt: [Int] = []
        for (index, correction) in set.corrections.enumerated() {
            if judging.contains(correction.digest) {
                problems.append(
                    CorrectionProblem(
                        path: correction.paths[0],
                        reason:
                            "is an image of the data that is held back to judge by: it cannot be learnt as well. Where its "
                            + "label in the data is wrong, put it right there and import the data again"))
                uses.append(.leftOut)
                continue
            }
            images.pixels += set.pixels[index * size..<(index + 1) * size]
            images.labels.append(places[correction.label]!)
            if known.isHeldBack(correction.digest, share: Self.shareOfCorrections), !taught.contains(index) {
                judge(images, at: images.count - 1, .corrections)
                uses.append(.judges)
            } else {
                learnt.append(images.count - 1)
                uses.append(.learnt)
            }
        }
        let counts = Dictionary(train.map { (images.labels[$0], 1) }, uniquingKeysWith: +)
        let total = Double(train.count)
        let perLabel = total / Double(max(1, counts.count))
        for (label, members) in Dictionary(grouping: learnt, by: { images.labels[$0] }).sorted(by: { $0.key < $1.key })
        {
            let missing = perLabel - Double(counts[label] ?? 0)
            let wanted = max(Self.share * total / Double(learnt.count), missing / Double(members.count))
            for _ in 0..<max(1, min(Self.mostRepeats, Int(wanted.rounded()))) { train += members }
        }
    }

    /// At least one image of each new label is trained on, even where its digest says hold back: a place in the head without
    /// training would answer all the same.
    private func taught(_ set: CorrectionSet, _ known: ImageDigests, _ judging: Set<UInt64>) -> Set<Int> {
        var result: Set<Int> = []
        for label in set.newLabels {
            let images = set.corrections.indices.filter {
                set.corrections[$0].label == label && !judging.contains(set.corrections[$0].digest)
            }
            let isLearnt = images.contains {
                !known.isHeldBack(set.corrections[$0].digest, share: Self.shareOfCorrections)
            }
            if !isLearnt, let first = images.first(where: { !known.heldBack.contains(set.corrections[$0].digest) }) {
                result.insert(first)
            }
        }
        return result
    }

    /// What the challenger will have learnt: this, and what the champion had where it begins with its weights.
    package func digests(onTopOf base: ImageDigests?) throws(DataError) -> ImageDigests {
        let images = try dataset.images("train")
        var result = ImageDigests()
        result.learn(images, Set(train))
        result.holdBack(images, development)
        result.holdBack(judged, 0..<judged.count)
        if let base { result.add(base) }
        return result
    }

    /// Labels for which not one image judges.
    package var unjudged: [String] { labels(without: judged.labels) }

    /// Labels of which not one image is learnt: a challenger forgets them, and nothing shows it.
    package var untaught: [String] {
        guard let images = dataset.splits["train"] else { return dataset.info.labels }
        return labels(without: train.map { images.labels[$0] })
    }

    private func labels(without found: [UInt16]) -> [String] {
        let found = Set(found)
        return dataset.info.labels.enumerated().filter { !found.contains(UInt16($0.offset)) }.map(\.element)
    }

    /// The champion's labels keep their places; those of the data sets that it does not know come next, then those of
    /// corrections. A label without a superclass becomes one of its own, where there are superclasses at all.
    private static func info(
        _ champion: ModelConfiguration, _ sets: [DatasetInfo], _ newLabels: [String]
    ) -> DatasetInfo {
        var labels = champion.labels
        var known = Set(labels)
        var groups = champion.superclasses
        var groupOf = champion.superclassOf ?? []
        func add(_ label: String, _ superclass: String?) {
            guard known.insert(label).inserted else { return }
            labels.append(label)
            guard let names = groups else { return }
            let group = superclass ?? label
            if let place = names.firstIndex(of: group) {
                groupOf.append(place)
            } else {
                groups?.append(group)
                groupOf.append(names.count)
            }
        }
        for set in sets {
            for (index, label) in set.labels.enumerated() {
                add(label, set.superclassOf.flatMap { of in set.superclasses.map { $0[of[index]] } })
            }
        }
        for label in newLabels { add(label, nil) }
        let origins = sets.map(\.name) + ["corrections"]
        return DatasetInfo(
            name: origins.joined(separator: " + "), labels: labels, superclasses: groups,
            superclassOf: groups == nil ? nil : groupOf,
            height: champion.input.height, width: champion.input.width,
            source: origins.joined(separator: ", "))
    }
}
