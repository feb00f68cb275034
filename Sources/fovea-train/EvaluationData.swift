import FoveaData
import FoveaImage
import FoveaModels
import FoveaSystem
import Glibc
import SystemPackage

/// Images with the labels of a model.
struct EvaluationData: Sendable {
    /// RGB8 at the model's size, before the filters.
    var pixels: [UInt8] = []
    /// Indices of the model's labels.
    var labels: [Int] = []
    /// What each image is called: its place in the split with five digits, or `label/file`.
    var names: [String] = []
    /// Files that are no images, with the reason.
    var refused: [(path: String, reason: String)] = []

    /// Images of a data set.
    ///
    /// - Throws: when the data set's images have another size than the model's, or labels that the model lacks.
    init(_ images: LabelledImages, labels names: [String], model: ModelConfiguration) throws {
        guard images.height == model.input.height, images.width == model.input.width else {
            throw Failure.data(
                "the data have images of \(images.width)×\(images.height), the model \(model.name) takes "
                    + "\(model.input.width)×\(model.input.height): import the data with --size \(model.input.height)")
        }
        let places = try Self.places(of: Set(images.labels.map { names[Int($0)] }), model)
        pixels = images.pixels
        labels = images.labels.map { places[names[Int($0)]]! }
        self.names = (0..<images.count).map {
            let digits = String($0)
            return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
        }
    }

    /// Images in a folder per class, decoded as the worker decodes them.
    init(folder: FilePath, model: ModelConfiguration, limit: Int?) throws {
        func names(_ path: FilePath) throws -> [FilePath.Component] {
            try Files.list(path).filter { !$0.string.hasPrefix(".") }
                .sorted { $0.string.utf8.lexicographicallyPrecedes($1.string.utf8) }
        }
        let classes = try names(folder).filter {
            try Files.status(folder.appending($0), followingLinks: true).isDirectory
        }
        guard !classes.isEmpty else {
            throw Failure.data("\(folder.escaped): no folders in it; a folder per class with PNG or JPEG is needed")
        }
        let places = try Self.places(of: Set(classes.map(\.string)), model)
        for name in classes {
            for file in try names(folder.appending(name)) where limit.map({ labels.count < $0 }) ?? true {
                let path = folder.appending(name).appending(file)
                do {
                    let descriptor = try Files.open(path, O_RDONLY | O_NONBLOCK)
                    defer { try? descriptor.close() }
                    let bytes = try ImageDecoder.read(descriptor: descriptor.rawValue)
                    pixels += try ImageDecoder.decode(bytes, height: model.input.height, width: model.input.width)
                        .image.pixels
                    labels.append(places[name.string]!)
                    self.names.append("\(name.string)/\(percentEscaped(Array(file.string.utf8)))")
                } catch {
                    refused.append((path.escaped, "\(error)"))
                }
            }
        }
        guard !labels.isEmpty else {
            let first = refused.first.map { ": \($0.path): \($0.reason)" } ?? ""
            throw Failure.data("\(folder.escaped): not one image in it could be read\(first)")
        }
    }

    /// The first `limit` images.
    mutating func limit(_ limit: Int) {
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
