import FoveaData
import FoveaModels
import FoveaSystem

/// Everything that a retraining learns from and is judged by: the configured data sets and the corrections, under the
/// champion's labels and the new ones.
///
/// ```
///   data sets   train   ├──────────── learnt ────────────┤─ held back ─┤
///                                                          1/5 fit the temperature, 4/5 judge
///   corrections         ├──────────── learnt ────────────┤─ judge ─────┤
/// ```
package struct RetrainingData: Sendable {
    /// A data set, and how many images of each class its champion was developed on.
    package struct Source: Sendable {
        package let set: Dataset
        /// As for `Dataset.split(development:)`.
        package let perClass: Int?
        /// The champion has learnt all training images of this set: it is judged by the test images instead.
        package let isLearntWhole: Bool

        package init(set: Dataset, perClass: Int?, isLearntWhole: Bool) {
            (self.set, self.perClass, self.isLearntWhole) = (set, perClass, isLearntWhole)
        }
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
    /// Corrections that are learnt, and those that judge.
    package private(set) var learntCorrections = 0
    package private(set) var judgingCorrections = 0
    /// Images of the data sets whose label a correction replaces.
    package private(set) var relabelled = 0
    package private(set) var problems: [CorrectionProblem] = []
    package private(set) var notes: [String] = []

    /// - Parameters:
    ///   - champion: gives the first labels and the images' size.
    ///   - corrections: labelled with labels of `labels`.
    /// - Throws: `DataError` where a data set's images have another size than the champion's.
    package init(
        name: String, champion: ModelConfiguration, sources: [Source], corrections: CorrectionSet
    ) throws(DataError) {
        let (height, width) = (champion.input.height, champion.input.width)
        for source in sources where source.set.info.height != height || source.set.info.width != width {
            throw DataError(
                .invalid,
                "data set \(source.set.info.name) has images of \(source.set.info.width)×\(source.set.info.height), the "
                    + "model \(champion.name) takes \(width)×\(height): import it with --size \(height)")
        }
        dataset = Dataset(
            info: Self.info(name, champion, sources.map(\.set.info), corrections.newLabels), splits: [:])
        let places = Dictionary(uniqueKeysWithValues: dataset.info.labels.enumerated().map { ($1, UInt16($0)) })
        var images = LabelledImages(height: height, width: width)
        var test = LabelledImages(height: height, width: width)
        judged = LabelledImages(height: height, width: width)
        func take(_ more: LabelledImages, of set: Dataset, into all: inout LabelledImages) {
            all.pixels += more.pixels
            all.labels += more.labels.map { places[set.info.labels[Int($0)]]! }
        }

        for source in sources {
            let (set, first) = (source.set, images.count)
            take(try set.images("train"), of: set, into: &images)
            if let more = set.splits["test"] { take(more, of: set, into: &test) }
            if source.isLearntWhole, let more = set.splits["test"], more.count > 0 {
                train += first..<images.count
                take(more, of: set, into: &judged)
                origins += [Gate.Image.Origin](repeating: .data, count: more.count)
                notes.append(
                    "the champion has learnt all training images of \(set.info.name): its test images judge")
                continue
            }
            if source.isLearntWhole {
                notes.append(
                    "the champion has learnt all images of \(set.info.name): the comparison on them favours it")
            }
            let division = try set.split(development: source.perClass)
            train += division.train.map { first + $0 }
            for (place, index) in division.development.enumerated() {
                if place % 5 == 0 {
                    development.append(first + index)
                } else {
                    judge(images, at: first + index, .data)
                }
            }
        }
        add(corrections, to: &images, places)
        dataset.splits = ["train": images]
        if test.count > 0 { dataset.splits["test"] = test }
    }

    private mutating func judge(_ images: LabelledImages, at index: Int, _ origin: Gate.Image.Origin) {
        let size = images.imageBytes
        judged.pixels += images.pixels[index * size..<(index + 1) * size]
        judged.labels.append(images.labels[index])
        origins.append(origin)
    }

    /// How much of an epoch corrections should be, and how often one is seen at most: few among many would not be noticed.
    private static let share = 0.1
    private static let mostRepeats = 8

    private mutating func add(_ set: CorrectionSet, to images: inout LabelledImages, _ places: [String: UInt16]) {
        let size = images.imageBytes
        // An image of the data that has been corrected: its old label must not be learnt beside the new one, and what
        // judges must not be learnt at all.
        var corrected: [[UInt8]: Int] = [:]
        for (index, _) in set.corrections.enumerated() {
            corrected[Self.key(set.pixels[index * size..<(index + 1) * size])] = index
        }
        let judging = Set(Self.keys(judged))
        var dropped: Set<Int> = []
        var skipped: Set<Int> = []
        if !corrected.isEmpty {
            let keys = Self.keys(images)
            for index in train where corrected[keys[index]] != nil { dropped.insert(index) }
            let held = Set(development.map { keys[$0] }).union(judging)
            for (key, index) in corrected where held.contains(key) { skipped.insert(index) }
        }
        train.removeAll { dropped.contains($0) }
        relabelled = dropped.count

        var learnt: [Int] = []
        for (index, correction) in set.corrections.enumerated() {
            if skipped.contains(index) {
                problems.append(
                    CorrectionProblem(
                        path: correction.paths[0],
                        reason: "is an image of the data that is held back to judge by: it cannot be learnt as well"))
                continue
            }
            images.pixels += set.pixels[index * size..<(index + 1) * size]
            images.labels.append(places[correction.label]!)
            if correction.isHeldBack {
                judge(images, at: images.count - 1, .corrections)
                judgingCorrections += 1
            } else {
                learnt.append(images.count - 1)
            }
        }
        learntCorrections = learnt.count
        guard !learnt.isEmpty else { return }
        let wanted = Self.share * Double(train.count) / Double(learnt.count)
        let repeats = max(1, min(Self.mostRepeats, Int(wanted.rounded())))
        for _ in 0..<repeats { train += learnt }
    }

    private static func key(_ pixels: ArraySlice<UInt8>) -> [UInt8] { pixels.withUnsafeBytes { Digest.sha256($0) } }

    private static func keys(_ images: LabelledImages) -> [[UInt8]] {
        (0..<images.count).map { key(images.pixels[$0 * images.imageBytes..<($0 + 1) * images.imageBytes]) }
    }

    /// The champion's labels keep their places; those of the data sets that it does not know come next, then those of
    /// corrections. A label without a superclass becomes one of its own, where there are superclasses at all.
    private static func info(
        _ name: String, _ champion: ModelConfiguration, _ sets: [DatasetInfo], _ newLabels: [String]
    ) -> DatasetInfo {
        var labels = champion.labels
        var groups = champion.superclasses
        var groupOf = champion.superclassOf ?? []
        func add(_ label: String, _ superclass: String?) {
            guard !labels.contains(label) else { return }
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
        return DatasetInfo(
            name: name, labels: labels, superclasses: groups, superclassOf: groups == nil ? nil : groupOf,
            height: champion.input.height, width: champion.input.width,
            source: (sets.map(\.name) + ["corrections"]).joined(separator: ", "))
    }
}
