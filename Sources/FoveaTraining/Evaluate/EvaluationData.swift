import FoveaCLI
import FoveaData
import FoveaModels
import FoveaSystem
import SystemPackage

/// Images with the labels of a model.
package struct EvaluationData: Sendable {
    /// RGB8 at the model's size, before the filters.
    package var pixels: [UInt8] = []
    /// Indices of the model's labels.
    package var labels: [Int] = []
    /// What each image is called: its place in the split with five digits, or `label/file`.
    package var names: [String] = []
    /// Files that are no images, with the reason.
    package var refused: [RefusedFile] = []

    /// Images of a data set.
    ///
    /// - Throws: when the data set's images have another size than the model's, or labels that the model lacks.
    package init(_ images: LabelledImages, labels names: [String], model: ModelConfiguration) throws {
        guard images.height == model.input.height, images.width == model.input.width else {
            throw Failure.data(
                "the data have images of \(images.width)×\(images.height), the model \(model.name) takes "
                    + "\(model.input.width)×\(model.input.height): import the data with --size \(model.input.height)")
        }
        let places = try Self.places(of: Set(images.labels.map { names[Int($0)] }), model)
        pixels = images.pixels
        labels = images.labels.map { places[names[Int($0)]]! }
        self.names = Self.names(count: images.count)
    }

    /// What images of a data set are called.
    package static func names(count: Int) -> [String] {
        (0..<count).map {
            let digits = String($0)
            return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
        }
    }

    /// Images alone, for the answers to them: every label is 0.
    package init(unlabelled images: LabelledImages) {
        pixels = images.pixels
        labels = [Int](repeating: 0, count: images.count)
        names = (0..<images.count).map(String.init)
    }

    /// Images in a folder per class, with labels of the model.
    package init(folder: FilePath, model: ModelConfiguration, limit: Int?) throws {
        let images = try FolderOfClasses(folder, as: model.input.target, limit: limit)
        let places = try Self.places(of: Set(images.classes), model)
        pixels = images.pixels
        labels = images.labels.map { places[$0]! }
        names = images.names
        refused = images.refused
    }

    /// The first `limit` images.
    package mutating func limit(_ limit: Int) {
        guard limit < labels.count else { return }
        pixels.removeLast((labels.count - limit) * (pixels.count / labels.count))
        labels.removeLast(labels.count - limit)
        names.removeLast(names.count - limit)
    }

    private static func places(of labels: Set<String>, _ model: ModelConfiguration) throws -> [String: Int] {
        let places = Dictionary(uniqueKeysWithValues: model.labels.enumerated().map { ($1, $0) })
        if let foreign = labels.sorted().first(where: { places[$0] == nil }) {
            throw Failure.data("the data have the label '\(foreign)', which the model \(model.name) does not know")
        }
        return places
    }
}
