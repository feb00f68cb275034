import CKernels
import Glibc

/// Convolution as a matrix product whose left operand is the map itself: a patch of k×k pixels is k runs of k·I floats, so
/// that nothing needs to be copied but, for k above 1, the map into one with a border of zeros. For 1×1, for few channels
/// (7×7 on an RGB image), and wherever Winograd's transforms would not pay.
///
/// ```
///   patches [pixels × k·k·I]  ·  filters [k·k·I × O]  =  y [pixels × O]
/// ```
///
/// Backward-data is the same with dy and rotated filters; backward-filters is patchesᵀ · dy, summed per thread and then
/// over threads in order. A pixel's result does not depend on the pixels around it, hence an image's not on its batch.
final class MatrixConvolution: ConvolutionAlgorithm {
    let shape: ConvolutionShape
    private var filters: Floats?
    /// Packed filters, and in training rotated and packed rotated ones.
    private var own: Floats?

    init(_ shape: ConvolutionShape) { self.shape = shape }

    private var area: Int { shape.kernel * shape.kernel }
    private var packedFloats: Int { shape.patch * Panels.right(shape.outputs) }
    private var rotated: Floats { own! + packedFloats }
    private var packedRotated: Floats { own! + packedFloats + shape.filters }

    /// Floats of a map with its border.
    private func bordered(_ s: ConvolutionShape) -> Int {
        s.kernel == 1 ? 0 : (s.height + 2 * s.pad) * (s.width + 2 * s.pad) * s.inputs
    }

    func needs(mode: Mode) -> LayerNeeds {
        let forward = bordered(shape)
        guard mode == .training else { return LayerNeeds(own: packedFloats, scratch: forward) }
        // 1×1: blocks of pixels of both operands; else the map and dy of an image.
        let gradient =
            shape.kernel == 1
            ? Self.block * (Panels.left(shape.inputs) + Panels.right(shape.outputs))
            : forward + shape.pixels * Panels.right(shape.outputs)
        return LayerNeeds(
            own: packedFloats + shape.filters + area * shape.outputs * Panels.right(shape.inputs),
            scratch: max(gradient, bordered(shape.backward)), partial: shape.filters)
    }

    /// Pixels of a block of a 1×1 convolution.
    private static let block = 252

    func bind(filters: Floats, own: Floats) { (self.filters, self.own) = (filters, own) }

    func filtersChanged(_ pool: ThreadPool, mode: Mode) {
        guard let filters, let own else { return }
        let s = shape
        ck_pack(filters, s.outputs, Int32(s.patch), Int32(s.outputs), ck_columns(), own)
        guard mode == .training else { return }
        pool.split(area) { _, range in
            ck_rotate_filters(
                filters, Int32(s.kernel), Int32(s.inputs), Int32(s.outputs), Int32(range.lowerBound),
                Int32(range.upperBound), rotated)
        }
        ck_pack(rotated, s.inputs, Int32(area * s.outputs), Int32(s.inputs), ck_columns(), packedRotated)
    }

    private func convolve(
        _ x: Floats, _ s: ConvolutionShape, packed: Floats, _ y: Floats, count: Int, _ epilogue: Epilogue?, _ pass: Pass
    ) {
        // Blocks of pixels, also of several images where one has few.
        pass.pool.split(count * s.pixels, grain: 12) { thread, range in
            var patches = s.patches
            var row = range.lowerBound
            while row < range.upperBound {
                let image = row / s.pixels
                var rows = min(range.upperBound - row, Self.block)
                let to = y + row * s.outputs
                if s.kernel == 1 {
                    ck_product(
                        Int32(rows), Int32(s.outputs), Int32(s.inputs), x + row * s.inputs, s.inputs, packed, to,
                        s.outputs, 0)
                } else {
                    rows = min(range.upperBound, (image + 1) * s.pixels) - row
                    ck_border(x + image * s.height * s.width * s.inputs, &patches, pass.scratch[thread])
                    ck_patch_product(
                        pass.scratch[thread], &patches, Int32(row - image * s.pixels), Int32(rows), Int32(s.outputs),
                        packed, to)
                }
                if let epilogue { ck_finish_rows(to, rows, Int32(s.outputs), s.outputs, epilogue) }
                row += rows
            }
        }
    }

    func forward(_ x: Floats, _ y: Floats, count: Int, _ epilogue: Epilogue?, _ pass: Pass) {
        convolve(x, shape, packed: own!, y, count: count, epilogue, pass)
    }

    func backwardData(_ dy: Floats, _ dx: Floats, count: Int, _ pass: Pass) {
        convolve(dy, shape.backward, packed: packedRotated, dx, count: count, nil, pass)
    }

    func backwardFilters(_ x: Floats, _ dy: Floats, _ gradient: Floats, count: Int, _ pass: Pass) {
        let s = shape
        pass.pool.split(s.kernel == 1 ? count * s.pixels : count, grain: s.kernel == 1 ? 12 : 1) { thread, range in
            let sum = thread == 0 ? gradient : pass.partial[thread]
            memset(sum, 0, s.filters * 4)
            if s.kernel == 1 {
                sumPixels(x, dy, range, pass.scratch[thread], sum)
            } else {
                sumImages(x, dy, range, pass.scratch[thread], sum)
            }
        }
        guard pass.pool.threads > 1 else { return }
        pass.pool.split(s.filters, grain: 16) { _, range in
            for thread in 1..<pass.pool.threads {
                ck_add(pass.partial[thread] + range.lowerBound, gradient + range.lowerBound, range.count)
            }
        }
    }

    private func sumPixels(_ x: Floats, _ dy: Floats, _ pixels: Range<Int>, _ scratch: Floats, _ sum: Floats) {
        let s = shape
        let right = scratch + Self.block * Panels.left(s.inputs)
        for row in stride(from: pixels.lowerBound, to: pixels.upperBound, by: Self.block) {
            let rows = min(Self.block, pixels.upperBound - row)
            if s.outputs % Int(ck_columns()) == 0 {
                ck_product_pixels(
                    Int32(s.inputs), Int32(s.outputs), Int32(rows), x + row * s.inputs, dy + row * s.outputs, sum, 1)
                continue
            }
            ck_pack(x + row * s.inputs, s.inputs, Int32(rows), Int32(s.inputs), Panels.leftWidth, scratch)
            ck_pack(dy + row * s.outputs, s.outputs, Int32(rows), Int32(s.outputs), ck_columns(), right)
            ck_product_columns(Int32(s.inputs), Int32(s.outputs), Int32(rows), scratch, right, sum, s.outputs, 1)
        }
    }

    private func sumImages(_ x: Floats, _ dy: Floats, _ images: Range<Int>, _ scratch: Floats, _ sum: Floats) {
        let s = shape
        var patches = s.patches
        let right = scratch + bordered(s)
        for image in images {
            ck_border(x + image * s.height * s.width * s.inputs, &patches, scratch)
            ck_pack(
                dy + image * s.pixels * s.outputs, s.outputs, Int32(s.pixels), Int32(s.outputs), ck_columns(), right)
            ck_patch_gradient(scratch, &patches, Int32(s.outputs), right, sum)
        }
    }
}

extension ConvolutionShape {
    /// As the kernels take it.
    fileprivate var patches: ck_patches {
        ck_patches(
            height: Int32(height), width: Int32(width), channels: Int32(inputs), k: Int32(kernel), pad: Int32(pad))
    }
}
