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
    /// The first model's, for thumbnails.
    private var shown: (data: EvaluationData, target: ImageTarget)?

    package init(_ data: String, split: String?, threads: Int, console: Console, _ configuration: Configuration) throws
    {
        source = try DataSource.find(data, datasets: configuration.datasets)
        (self.split, self.threads, self.console, self.configuration) = (split, threads, console, configuration)
    }

    package var notes: [String] { [] }

    package func answers(
        of old: ComparedModel, and new: ComparedModel
    ) throws -> ([ModelComparison.Difference], [CorrectionProblem]) {
        let part = try load(for: old)
        // Images that can be made anew are read once.
        let other = part.hasPictures || old.configuration.input == new.configuration.input ? part : try load(for: new)
        let (data, others) = (
            try part.data(for: old.configuration, labelled: false),
            try other.data(for: new.configuration, labelled: false)
        )
        let (first, second) = (try answers(of: old, to: data), try answers(of: new, to: others))
        shown = (data, old.configuration.input.target)
        let truths = part.truths
        return (
            data.names.indices.map {
                .init(image: data.names[$0], truth: truths[$0], old: first[$0], new: second[$0])
            }, part.refused.map { CorrectionProblem(path: $0.path, reason: $0.reason) }
        )
    }

    private func load(for model: ComparedModel) throws -> LabelledPart {
        let part = try LabelledPart(
            source, split: split ?? "test", target: model.configuration.input.target,
            limits: ImageLimits(configuration.limits))
        if part.part == "all", split != nil { console.note("the data are not divided: all images are compared") }
        return part
    }

    private func answers(of model: ComparedModel, to data: EvaluationData) throws -> [Prediction] {
        let evaluator = Evaluator(
            configuration: configuration.served(model.configuration), folder: model.folder,
            search: configuration.pluginSearch,
            threads: threads, batch: 64, console: console)
        return try evaluator.answers(to: data, title: model.name)
    }

    package func thumbnail(of image: String, _ model: ComparedModel) -> [UInt8]? {
        guard let shown, let index = shown.data.names.firstIndex(of: image) else { return nil }
        var pixels = [UInt8](repeating: 0, count: shown.target.bytes)
        let filled: Void? = pixels.withUnsafeMutableBufferPointer {
            try? shown.data.fill(index..<index + 1, size: shown.target.bytes, into: $0.baseAddress!)
        }
        return filled.map { PNGEncoder.encode(pixels, width: shown.target.width, height: shown.target.height) }
    }
}
