import FoveaCLI
import FoveaData
import FoveaImage
import FoveaModels
import FoveaSystem

/// One part of labelled data, to measure models on: of a data set, an archive or a folder per class.
package struct LabelledPart {
    private enum Content {
        case pixels(LabelledImages)
        case pictures([Picture], ImageLimits)
    }

    private let content: Content
    /// Of the data.
    private let labels: [String]
    /// `test`, `train`, `validation`, `dev`, or `all` of a folder that is not divided.
    package let part: String
    package let refused: [RefusedFile]
    /// Keeps what an archive was unpacked to.
    private let set: PictureSet?

    /// Whether other sizes than the one asked for can be had of it.
    package var hasPictures: Bool { if case .pictures = content { true } else { false } }

    /// - Parameters:
    ///   - split: the part's name; `dev` are the images of `train` that a training chose on.
    ///   - development: for `dev`, as it was given to the training.
    ///   - target: what images of an archive of CIFAR-100 become; pictures can become anything later.
    package init(
        _ source: DataSource, split: String, development: Int? = nil, target: ImageTarget, limits: ImageLimits
    ) throws {
        var options = ImportOptions(target: target, testFraction: 0, limits: limits)
        options.keepsAll = true
        guard let imported = try source.pictures(options) else {
            let set = try source.load(options, only: [split == "dev" ? "train" : split]).dataset
            var images = try set.images(split == "dev" ? "train" : split)
            if split == "dev" { images = images.selecting(try set.split(development: development).development) }
            (content, labels, part, refused, self.set) = (.pixels(images), set.info.labels, split, [], nil)
            return
        }
        let set = imported.set
        (labels, refused, self.set) = (set.info.labels, imported.refused, set)
        if split == "dev" {
            guard set.info.list != nil else {
                throw Failure.usage("--split dev needs a data set: import the folder with `foveactl dataset import`")
            }
            part = split
            content = .pictures(try set.development(development), limits)
        } else if set.info.list == nil, set.splits.keys.elementsEqual([Part.train.rawValue]),
            split != Part.train.rawValue
        {
            part = "all"
            content = .pictures(try set.pictures(Part.train.rawValue), limits)
        } else {
            let name = Part(name: split)?.rawValue ?? split
            part = name
            content = .pictures(try set.pictures(name), limits)
        }
    }

    /// Of each image the data's own label.
    package var truths: [String] {
        switch content {
        case .pixels(let images): images.labels.map { labels[Int($0)] }
        case .pictures(let pictures, _): pictures.map { labels[$0.label] }
        }
    }

    /// The images as a model wants them.
    ///
    /// - Parameter labelled: false where the model need not know the labels, which then are all 0.
    /// - Throws: where they have another size and no pictures, or a label that the model lacks.
    package func data(for model: ModelConfiguration, labelled: Bool = true) throws -> EvaluationData {
        var result: EvaluationData
        switch content {
        case .pixels(let images): result = try EvaluationData(images, labels: labelled ? labels : nil, model: model)
        case .pictures(let pictures, let limits):
            result = try EvaluationData(pictures, labels: labelled ? labels : nil, model: model, limits: limits)
        }
        (result.refused, result.owner) = (refused, set)
        return result
    }
}
