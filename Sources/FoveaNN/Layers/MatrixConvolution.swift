import CKernels
import Glibc

/// Convolution as matrix products: patches of a few hundred output pixels are written side by side (im2col) into a
/// block that stays in cache, and multiplied with the filters by OpenBLAS.
///
/// ```
///   columns [rows × k·k·I]  ·  filters [k·k·I × O]  =  y [rows × O]      rows = output pixels, image after image
/// ```
///
/// Backward-data is the same with dy and rotated filters; backward-filters is columnsᵀ · dy, summed per thread and
/// then over threads in order.
///
/// In inference an image's result depends neither on the batch nor on its place. Large feature maps are cut at the same
/// pixels in every image and never padded; small ones share an `EvenProduct` of at most `inferenceRows` rows, always
/// with the full number of images (missing ones are zeros).
final class MatrixConvolution: ConvolutionAlgorithm {
    let shape: ConvolutionShape
    private var filters: Floats?
    private var rotated: Floats?
    /// The shared product of inference; nil where each image has its own.
    private let shared: EvenProduct?
    private static let trainingRows = 256

    init(_ shape: ConvolutionShape, mode: Mode) {
        self.shape = shape
        let images = Self.group(shape, rows: inferenceRows)
        if images > 1 {
            let product = EvenProduct(rows: images * shape.pixels, outputs: shape.outputs, inner: shape.patch)
            shared = product.isEven ? product : nil
        } else {
            shared = nil
        }
    }

    func needs(mode: Mode) -> LayerNeeds {
        let inference = inferenceRows * (shape.patch + shape.outputs)
        guard mode == .training else { return LayerNeeds(scratch: inference) }
        let widest = max(shape.inputs, shape.outputs) * shape.kernel * shape.kernel
        return LayerNeeds(
            own: shape.filters, scratch: max(inference, Self.trainingRows * widest), partial: shape.filters)
    }

    func bind(filters: Floats, own: Floats) {
        self.filters = filters
        rotated = own
    }

    func filtersChanged(_ pool: ThreadPool, mode: Mode) {
        guard mode == .training, let filters, let rotated else { return }
        let s = shape
        pool.split(s.kernel * s.kernel) { _, range in
            ck_rotate_filters(
                filters, Int32(s.kernel), Int32(s.inputs), Int32(s.outputs), Int32(range.lowerBound),
                Int32(range.upperBound), rotated)
        }
    }

    /// Images per product. Maps whose size is no multiple of 16 are not grouped: their rows would sit at different
    /// places of the product's register blocks.
    private static func group(_ shape: ConvolutionShape, rows: Int) -> Int {
        shape.pixels % 16 == 0 ? min(imageBlock, max(1, rows / shape.pixels)) : 1
    }

    /// Calls `body(columns, first output row over all images, rows)` for each block of patches of `images`.
    private func eachBlock(
        _ x: Floats, channels: Int, images: Range<Int>, count: Int, group: Int, most: Int, padded: Bool,
        _ columns: Floats, _ body: (_ firstRow: Int, _ rows: Int) -> Void
    ) {
        let s = shape
        let patch = s.kernel * s.kernel * channels
        for first in stride(from: images.lowerBound, to: images.upperBound, by: group) {
            let present = min(group, count - first)
            for start in stride(from: 0, to: s.pixels, by: most) {
                let rows = min(most, s.pixels - start)
                for image in 0..<present {
                    ck_im2col(
                        x + (first + image) * s.pixels * channels, Int32(s.height), Int32(s.width), Int32(channels),
                        Int32(s.kernel), Int32(start), Int32(rows), columns + image * rows * patch)
                }
                if padded && present < group {
                    memset(columns + present * rows * patch, 0, (group - present) * rows * patch * 4)
                }
                body(first * s.pixels + start, rows * (padded ? group : present))
            }
        }
    }

    private func convolve(
        _ x: Floats, from inputs: Int, to outputs: Int, filters: Floats, _ y: Floats, count: Int, _ pass: Pass
    ) {
        let most = pass.training ? Self.trainingRows : inferenceRows
        let group = pass.training ? Self.group(shape, rows: most) : shared == nil ? 1 : Self.group(shape, rows: most)
        let patch = shape.kernel * shape.kernel * inputs
        pass.pool.split(count, grain: group) { thread, images in
            let columns = pass.scratch[thread]
            eachBlock(
                x, channels: inputs, images: images, count: count, group: group, most: most, padded: !pass.training,
                columns
            ) { row, rows in
                if !pass.training, let shared {
                    shared.multiply(columns, filters, y + row * outputs, scratch: columns + rows * patch)
                } else {
                    multiply(rows, outputs, patch, columns, filters, y + row * outputs)
                }
            }
        }
    }

    func forward(_ x: Floats, _ y: Floats, count: Int, _ pass: Pass) {
        convolve(x, from: shape.inputs, to: shape.outputs, filters: filters!, y, count: count, pass)
    }

    func backwardData(_ dy: Floats, _ dx: Floats, count: Int, _ pass: Pass) {
        convolve(dy, from: shape.outputs, to: shape.inputs, filters: rotated!, dx, count: count, pass)
    }

    func backwardFilters(_ x: Floats, _ dy: Floats, _ gradient: Floats, count: Int, _ pass: Pass) {
        let s = shape
        let group = Self.group(shape, rows: Self.trainingRows)
        pass.pool.split(count, grain: group) { thread, images in
            let sum = thread == 0 ? gradient : pass.partial[thread]
            if images.isEmpty { memset(sum, 0, s.filters * 4) }
            var beta: Float = 0
            let columns = pass.scratch[thread]
            eachBlock(
                x, channels: s.inputs, images: images, count: count, group: group, most: Self.trainingRows,
                padded: false, columns
            ) { row, rows in
                multiply(s.patch, s.outputs, rows, columns, aTransposed: true, dy + row * s.outputs, beta: beta, sum)
                beta = 1
            }
        }
        guard pass.pool.threads > 1 else { return }
        pass.pool.split(s.filters, grain: 16) { _, range in
            for thread in 1..<pass.pool.threads {
                ck_add(pass.partial[thread] + range.lowerBound, gradient + range.lowerBound, range.count)
            }
        }
    }
}
