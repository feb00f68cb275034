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

    /// - Throws: `.missing`, saying which splits there are.
    package func images(_ split: String) throws(DataError) -> LabelledImages {
        if let images = splits[split] { return images }
        let there = splits.keys.sorted().joined(separator: ", ")
        throw DataError(.missing, "data set \(info.name) has no split \(split), only: \(there)")
    }

    /// Divides the training images: from each class `perClass`, chosen by the seed, to develop on, and the rest to
    /// train with. The test images are never touched.
    ///
    /// - Returns: indices into `train`, both ascending.
    /// - Throws: `.invalid` for a class that would have nothing left.
    package func split(
        development perClass: Int, seed: UInt64
    ) throws(DataError) -> (train: [Int], development: [Int]) {
        let labels = try images("train").labels
        var classes = [[Int]](repeating: [], count: info.labels.count)
        for (index, label) in labels.enumerated() { classes[Int(label)].append(index) }
        var (train, development): ([Int], [Int]) = ([], [])
        for (label, members) in classes.enumerated() where !members.isEmpty {
            guard perClass < members.count else {
                throw DataError(
                    .invalid,
                    "class \(info.labels[label]) has \(members.count) training images: "
                        + "\(perClass) for development leave none to train with")
            }
            var order = members
            var random = SplitMix64(seed: seed ^ SplitMix64.mixed(UInt64(label) + 1))
            random.shuffle(&order)
            development += order.prefix(perClass)
            train += order.dropFirst(perClass)
        }
        return (train.sorted(), development.sorted())
    }
}
