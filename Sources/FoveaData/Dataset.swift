import FoveaImage
import FoveaModels
import FoveaSystem

/// What `dataset.json` says (schema `fovea.dataset/1`).
package struct DatasetInfo: Codable, Sendable, Equatable {
    /// Pixels of one size.
    package static let schema = "fovea.dataset/1"
    /// Pictures as they were.
    package static let pictureSchema = "fovea.dataset/2"

    /// One part of the images.
    package struct Split: Codable, Sendable, Equatable {
        package var images: Int
        /// In hexadecimal digits: of the file of pixels followed by the file of labels, or of a line `SHA-256 label` for each
        /// picture.
        package var sha256: String
    }

    package var schema = DatasetInfo.schema
    package var name: String
    package var labels: [String]
    package var superclasses: [String]?
    /// For each label the index of its superclass; there where `superclasses` is.
    package var superclassOf: [Int]?
    /// Of every image. Where pictures are kept, each of its own size, this is what trainings from scratch take where nothing
    /// else is asked for, or 0.
    package var height: Int
    package var width: Int
    /// `train`, `test`, and where pictures are kept `validation`; any may be missing.
    package var splits: [String: Split] = [:]
    /// Where the images came from, for people.
    package var source: String
    /// SHA-256 of the list of pictures, where pictures are kept.
    package var list: String?

    private enum CodingKeys: String, CodingKey {
        case schema, name, labels, superclasses, superclassOf, height, width, splits, source, list
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let schema = try container.decode(String.self, forKey: .schema)
        self.schema = schema
        name = try container.decode(String.self, forKey: .name)
        labels = try container.decode([String].self, forKey: .labels)
        superclasses = try container.decodeIfPresent([String].self, forKey: .superclasses)
        superclassOf = try container.decodeIfPresent([Int].self, forKey: .superclassOf)
        func side(_ key: CodingKeys) throws -> Int {
            schema == Self.pictureSchema
                ? try container.decodeIfPresent(Int.self, forKey: key) ?? 0
                : try container.decode(Int.self, forKey: key)
        }
        (height, width) = (try side(.height), try side(.width))
        splits = try container.decode([String: Split].self, forKey: .splits)
        source = try container.decode(String.self, forKey: .source)
        list = try container.decodeIfPresent(String.self, forKey: .list)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(schema, forKey: .schema)
        try container.encode(name, forKey: .name)
        try container.encode(labels, forKey: .labels)
        try container.encodeIfPresent(superclasses, forKey: .superclasses)
        try container.encodeIfPresent(superclassOf, forKey: .superclassOf)
        if height > 0 {
            try container.encode(height, forKey: .height)
            try container.encode(width, forKey: .width)
        }
        try container.encode(splits, forKey: .splits)
        try container.encode(source, forKey: .source)
        try container.encodeIfPresent(list, forKey: .list)
    }

    package init(
        name: String, labels: [String], superclasses: [String]? = nil, superclassOf: [Int]? = nil, height: Int,
        width: Int, source: String
    ) {
        (self.name, self.labels, self.height, self.width) = (name, labels, height, width)
        (self.superclasses, self.superclassOf, self.source) = (superclasses, superclassOf, source)
    }

    /// Of a data set that keeps pictures.
    package init(name: String, labels: [String], source: String) {
        self.init(name: name, labels: labels, height: 0, width: 0, source: source)
        schema = Self.pictureSchema
    }

    package var keepsPictures: Bool { schema == Self.pictureSchema }
}

/// A data set in memory.
package struct Dataset: Sendable, Equatable {
    package var info: DatasetInfo
    /// By name: `train`, `test`.
    package var splits: [String: LabelledImages]
    /// How pictures became these images.
    package var framing = Framing.stretch
    package var resample = Resample.bilinear
    /// By split, of each image the key that near-duplicates share; empty where that is not known.
    package var groups: [String: [UInt64]] = [:]
    /// Which of `train` are the pictures that came as the validation part: they are the development images.
    package var validation = 0..<0

    package init(info: DatasetInfo, splits: [String: LabelledImages]) {
        self.info = info
        self.splits = splits
    }

    /// What a picture must become to be like these images.
    package var target: ImageTarget {
        ImageTarget(height: info.height, width: info.width, framing: framing, resample: resample)
    }

    /// The same with images as `target` says.
    func framed(as target: ImageTarget) -> Dataset {
        guard self.target != target else { return self }
        var result = self
        (result.info.height, result.info.width) = (target.height, target.width)
        (result.framing, result.resample) = (target.framing, target.resample)
        result.splits = splits.mapValues { images in
            var framed = LabelledImages(height: target.height, width: target.width)
            for (index, label) in images.labels.enumerated() {
                framed.append(images.image(index).framed(as: target), label: label)
            }
            return framed
        }
        return result
    }

    /// - Throws: `.missing`, saying which splits there are.
    package func images(_ split: String) throws(DataError) -> LabelledImages {
        if let images = splits[split] { return images }
        throw DataError(.missing, Self.absence(of: split, in: info, splits.keys))
    }

    static func absence(of split: String, in info: DatasetInfo, _ splits: some Sequence<String>) -> String {
        let there = Set(splits).union(info.splits.keys).sorted().joined(separator: ", ")
        return "data set \(info.name) has no split \(split), only: \(there)"
    }

    /// The seed of the division that all trainings and evaluations use, so that they choose on the same images.
    package static let divisionSeed: UInt64 = 0

    /// Divides the training images: from each class `perClass`, chosen by the seed, to develop on, and the rest to
    /// train with. The test images are never touched. Near-duplicates stay together, where they are known; what came as the
    /// validation part is what is developed on.
    ///
    /// - Parameter perClass: nil takes a tenth of each class, from 1 to 50; a class's only image is trained on.
    /// - Returns: indices into `train`, both ascending.
    /// - Throws: `.invalid` for a class that would have nothing left.
    package func split(
        development perClass: Int?, seed: UInt64 = divisionSeed
    ) throws(DataError) -> (train: [Int], development: [Int]) {
        let labels = try images("train").labels
        if !validation.isEmpty {
            return (labels.indices.filter { !validation.contains($0) }, Array(validation))
        }
        if let groups = groups["train"] { return try Self.split(labels, groups, names: info.labels, perClass, seed) }
        var classes = [[Int]](repeating: [], count: info.labels.count)
        for (index, label) in labels.enumerated() { classes[Int(label)].append(index) }
        var (train, development): ([Int], [Int]) = ([], [])
        for (label, members) in classes.enumerated() where !members.isEmpty {
            let wanted = perClass ?? (members.count == 1 ? 0 : min(50, max(1, members.count / 10)))
            guard wanted < members.count else {
                throw Self.tooFew(info.labels[label], members.count, wanted)
            }
            var order = members
            var random = SplitMix64(seed: seed ^ SplitMix64.mixed(UInt64(label) + 1))
            random.shuffle(&order)
            development += order.prefix(wanted)
            train += order.dropFirst(wanted)
        }
        return (train.sorted(), development.sorted())
    }

    static func split(
        _ labels: [UInt16], _ groups: [UInt64], names: [String], _ perClass: Int?, _ seed: UInt64
    ) throws(DataError) -> (train: [Int], development: [Int]) {
        let labels = labels.map(Int.init)
        if let perClass {
            for (label, name) in names.enumerated() {
                let count = labels.count { $0 == label }
                guard count == 0 || perClass < count else { throw tooFew(name, count, perClass) }
            }
        }
        let development = Division.heldBack(labels: labels, groups: groups, seed: seed) {
            perClass ?? min(50, max(1, $0 / 10))
        }
        let held = Set(development)
        return (labels.indices.filter { !held.contains($0) }, development)
    }

    private static func tooFew(_ label: String, _ count: Int, _ wanted: Int) -> DataError {
        DataError(
            .invalid,
            "class \(label) has \(count) training images: \(wanted) for development leave none to train with")
    }
}
