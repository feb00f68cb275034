import FoveaSystem

/// What `dataset.json` says (schema `fovea.dataset/1`).
package struct DatasetInfo: Codable, Sendable, Equatable {
    package static let schema = "fovea.dataset/1"

    /// One part of the images.
    package struct Split: Codable, Sendable, Equatable {
        package var images: Int
        /// Of the file of pixels followed by the file of labels, in hexadecimal digits.
        package var sha256: String
    }

    package var schema = DatasetInfo.schema
    package var name: String
    package var labels: [String]
    package var superclasses: [String]?
    /// For each label the index of its superclass; there where `superclasses` is.
    package var superclassOf: [Int]?
    package var height: Int
    package var width: Int
    /// `train` and `test`; either may be missing.
    package var splits: [String: Split] = [:]
    /// Where the images came from, for people.
    package var source: String

    package init(
        name: String, labels: [String], superclasses: [String]? = nil, superclassOf: [Int]? = nil, height: Int,
        width: Int, source: String
    ) {
        (self.name, self.labels, self.height, self.width) = (name, labels, height, width)
        (self.superclasses, self.superclassOf, self.source) = (superclasses, superclassOf, source)
    }
}

/// A data set in memory.
package struct Dataset: Sendable, Equatable {
    package var info: DatasetInfo
    /// By name: `train`, `test`.
    package var splits: [String: LabelledImages]

    package init(info: DatasetInfo, splits: [String: LabelledImages]) {
        self.info = info
        self.splits = splits
    }

    /// The same with images of `size` × `size` pixels, stretched and antialiased.
    func resized(to size: Int) -> Dataset {
        guard info.height != size || info.width != size else { return self }
        var result = self
        (result.info.height, result.info.width) = (size, size)
        result.splits = splits.mapValues { images in
            var resized = LabelledImages(height: size, width: size)
            for (index, label) in images.labels.enumerated() {
                resized.append(images.image(index).resized(width: size, height: size), label: label)
            }
            return resized
        }
        return result
    }

    /// - Throws: `.missing`, saying which splits there are.
    package func images(_ split: String) throws(DataError) -> LabelledImages {
        if let images = splits[split] { return images }
        let there = Set(splits.keys).union(info.splits.keys).sorted().joined(separator: ", ")
        throw DataError(.missing, "data set \(info.name) has no split \(split), only: \(there)")
    }

    /// The seed of the division that all trainings and evaluations use, so that they choose on the same images.
    package static let divisionSeed: UInt64 = 0

    /// Divides the training images: from each class `perClass`, chosen by the seed, to develop on, and the rest to
    /// train with. The test images are never touched.
    ///
    /// - Parameter perClass: nil takes a tenth of each class, from 1 to 50; a class's only image is trained on.
    /// - Returns: indices into `train`, both ascending.
    /// - Throws: `.invalid` for a class that would have nothing left.
    package func split(
        development perClass: Int?, seed: UInt64 = divisionSeed
    ) throws(DataError) -> (train: [Int], development: [Int]) {
        let labels = try images("train").labels
        var classes = [[Int]](repeating: [], count: info.labels.count)
        for (index, label) in labels.enumerated() { classes[Int(label)].append(index) }
        var (train, development): ([Int], [Int]) = ([], [])
        for (label, members) in classes.enumerated() where !members.isEmpty {
            let wanted = perClass ?? (members.count == 1 ? 0 : min(50, max(1, members.count / 10)))
            guard wanted < members.count else {
                throw DataError(
                    .invalid,
                    "class \(info.labels[label]) has \(members.count) training images: "
                        + "\(wanted) for development leave none to train with")
            }
            var order = members
            var random = SplitMix64(seed: seed ^ SplitMix64.mixed(UInt64(label) + 1))
            random.shuffle(&order)
            development += order.prefix(wanted)
            train += order.dropFirst(wanted)
        }
        return (train.sorted(), development.sorted())
    }
}
