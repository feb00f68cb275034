import FoveaCLI
import FoveaData
import FoveaImage
import FoveaModels
import FoveaSystem

/// Images with the labels of a model. Pictures are decoded when a batch asks for them, so that thousands of photographs do
/// not fill the memory.
package struct EvaluationData: Sendable {
    /// Where the images come from.
    private enum Store: Sendable {
        /// RGB8 at the model's size, before the filters, one after the other.
        case pixels([UInt8])
        case pictures([Picture], ImageTarget, ImageLimits)
    }

    private var store: Store
    /// Indices of the model's labels.
    package private(set) var labels: [Int]
    /// What each image is called: its place in the split with five digits, or `label/file`.
    package private(set) var names: [String]
    /// Files that are no images, with the reason.
    package var refused: [RefusedFile] = []
    /// Keeps the pictures' files, where they are unpacked from an archive, for as long as they may be asked for.
    var owner: PictureSet?

    /// Images of a data set.
    ///
    /// - Parameter names: of the images' labels; nil where labels do not matter: then all are 0.
    /// - Throws: when the data set's images have another size than the model's, or labels that the model lacks.
    package init(_ images: LabelledImages, labels names: [String]?, model: ModelConfiguration) throws {
        guard images.height == model.input.height, images.width == model.input.width else {
            throw Failure.data(
                "the data have images of \(images.width)×\(images.height) and no pictures to make others of, the model "
                    + "\(model.name) takes \(model.input.width)×\(model.input.height): import the pictures themselves")
        }
        store = .pixels(images.pixels)
        labels = try Self.labels(images.labels.map(Int.init), names, model)
        self.names = Self.names(count: images.count)
    }

    /// Pictures of a data set or folder, as the model wants them.
    ///
    /// - Parameter names: as above.
    /// - Throws: where one has a label that the model lacks.
    package init(
        _ pictures: [Picture], labels names: [String]?, model: ModelConfiguration, limits: ImageLimits
    ) throws {
        store = .pictures(pictures, model.input.target, limits)
        labels = try Self.labels(pictures.map(\.label), names, model)
        self.names = pictures.map(\.name)
    }

    /// What images of a data set of pixels are called.
    package static func names(count: Int) -> [String] {
        (0..<count).map {
            let digits = String($0)
            return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
        }
    }

    /// Images alone, for the answers to them: every label is 0.
    package init(unlabelled images: LabelledImages) {
        store = .pixels(images.pixels)
        labels = [Int](repeating: 0, count: images.count)
        names = (0..<images.count).map(String.init)
    }

    package var count: Int { labels.count }

    /// The first `limit` images.
    package mutating func limit(_ limit: Int) {
        guard limit < count else { return }
        switch store {
        case .pixels(let pixels): store = .pixels(Array(pixels.prefix(limit * (pixels.count / count))))
        case .pictures(let pictures, let target, let limits):
            store = .pictures(Array(pictures.prefix(limit)), target, limits)
        }
        labels = Array(labels.prefix(limit))
        names = Array(names.prefix(limit))
    }

    /// Puts images at `pixels`, one after the other. May be called from several threads.
    ///
    /// - Parameters:
    ///   - range: of the images.
    ///   - size: bytes of one.
    package func fill(_ range: Range<Int>, size: Int, into pixels: UnsafeMutablePointer<UInt8>) throws {
        switch store {
        case .pixels(let all):
            all.withUnsafeBufferPointer {
                pixels.update(from: $0.baseAddress! + range.lowerBound * size, count: range.count * size)
            }
        case .pictures(let pictures, let target, let limits):
            precondition(target.bytes == size)
            for (place, index) in range.enumerated() {
                do throws(RefusedFile) {
                    try pictures[index].decode(as: target, limits: limits, into: pixels + place * size)
                } catch {
                    throw Failure.data("\(error.path): \(error.reason)")
                }
            }
        }
    }

    /// All images in memory, changed by `change`.
    ///
    /// - Parameter size: bytes of one.
    func mapped(size: Int, _ change: (UnsafeMutableBufferPointer<UInt8>) -> Void) throws -> EvaluationData {
        var pixels = [UInt8](repeating: 0, count: count * size)
        try pixels.withUnsafeMutableBufferPointer { buffer in
            guard let start = buffer.baseAddress else { return }
            try fill(0..<count, size: size, into: start)
            change(buffer)
        }
        var result = self
        result.store = .pixels(pixels)
        return result
    }

    /// The model's indices of labels that are indices of `names`.
    private static func labels(_ labels: [Int], _ names: [String]?, _ model: ModelConfiguration) throws -> [Int] {
        guard let names else { return [Int](repeating: 0, count: labels.count) }
        let places = Dictionary(uniqueKeysWithValues: model.labels.enumerated().map { ($1, $0) })
        let needed = Set(labels).map { names[$0] }
        if let foreign = needed.sorted().first(where: { places[$0] == nil }) {
            throw Failure.data("the data have the label '\(foreign)', which the model \(model.name) does not know")
        }
        return labels.map { places[names[$0]]! }
    }
}
