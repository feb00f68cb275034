import FoveaCLI
import FoveaControl
import FoveaData
import FoveaImage
import FoveaModels
import FoveaRetraining
import FoveaSystem
import SystemPackage

/// Images of a data set or of a folder per class, whose labels are known.
package final class LabelledComparison: ComparedImages {
    private let source: DataSource
    /// nil where none was asked for.
    private let split: String?
    private let threads: Int
    private let console: Console
    private let configuration: Configuration
    /// By name, RGB8 at the first model's size.
    private var pictures: [String: RGBImage] = [:]

    package init(_ data: String, split: String?, threads: Int, console: Console, _ configuration: Configuration) throws
    {
        source = try DataSource.find(data, datasets: configuration.datasets)
        (self.split, self.threads, self.console, self.configuration) = (split, threads, console, configuration)
    }

    package var notes: [String] { [] }

    package func answers(
        of old: ComparedModel, and new: ComparedModel
    ) throws -> ([ModelComparison.Difference], [CorrectionProblem]) {
        let images = try load(for: old)
        let others =
            old.configuration.input == new.configuration.input ? images : try load(for: new)
        let first = try answers(of: old, to: images.pixels)
        let second = try answers(of: new, to: others.pixels)
        for (index, name) in images.names.enumerated() { pictures[name] = images.pixels.image(index) }
        return (
            images.names.indices.map {
                .init(image: images.names[$0], truth: images.truths[$0], old: first[$0], new: second[$0])
            }, images.refused.map { CorrectionProblem(path: $0.path, reason: $0.reason) }
        )
    }

    private func load(for model: ComparedModel) throws -> (
        pixels: LabelledImages, truths: [String], names: [String], refused: [RefusedFile]
    ) {
        let (height, width) = (model.configuration.input.height, model.configuration.input.width)
        let split = split ?? "test"
        if case .imageFolder(let path) = source {
            let inner = try FolderOfClasses.part(split, of: path, labels: model.configuration.labels)
            if inner == nil, self.split != nil {
                console.note("\(path.escaped) is not divided: all its images are compared")
            }
            let folder = try FolderOfClasses(inner ?? path, as: model.configuration.input.target)
            return (
                LabelledImages(
                    height: height, width: width, pixels: folder.pixels,
                    labels: [UInt16](repeating: 0, count: folder.labels.count)), folder.labels, folder.names,
                folder.refused
            )
        }
        let set = try source.load(ImportOptions(size: height)).dataset
        guard set.info.height == height, set.info.width == width else {
            throw Failure.data(
                "the data have images of \(set.info.width)×\(set.info.height), \(model.name) takes \(width)×\(height)")
        }
        let images = try set.images(split)
        return (
            images, images.labels.map { set.info.labels[Int($0)] }, EvaluationData.names(count: images.count), []
        )
    }

    private func answers(of model: ComparedModel, to images: LabelledImages) throws -> [Prediction] {
        let evaluator = Evaluator(
            configuration: configuration.served(model.configuration), folder: model.folder,
            search: configuration.pluginSearch,
            threads: threads, batch: 64, console: console)
        return try evaluator.answers(to: images, title: model.name)
    }

    package func thumbnail(of image: String, _ model: ComparedModel) -> [UInt8]? {
        pictures[image].map { PNGEncoder.encode($0.pixels, width: $0.width, height: $0.height) }
    }
}
