import CKernels
import Glibc

/// Convolution as matrix products: patches of a few hundred output pixels are written side by side (im2col) into a
/// block that stays in cache, and multiplied with the packed filters.
///
/// ```
///   columns [rows × k·k·I]  ·  filters [k·k·I × O]  =  y [rows × O]      rows = output pixels, image after image
/// ```
///
/// Backward-data is the same with dy and rotated filters; backward-filters is columnsᵀ · dy, summed per thread and
/// then over threads in order. A row's result does not depend on the rows around it, hence an image's not on its batch.
final class MatrixConvolution: ConvolutionAlgorithm {
    let shape: ConvolutionShape
    private var filters: Floats?
    /// Packed filters, and in training rotated and packed rotated ones.
    private var own: Floats?

    init(_ shape: ConvolutionShape) { self.shape = shape }

    /// Output pixels in a block.
    private func rows(patch: Int) -> Int { max(24, min(252, (1 << 17) / patch / 12 * 12)) }
    private var area: Int { shape.kernel * shape.kernel }
    private var packedFloats: Int { shape.patch * Panels.right(shape.outputs) }
    private var rotated: Floats { own! + packedFloats }
    private var packedRotated: Floats { own! + packedFloats + shape.filters }

    func needs(mode: Mode) -> LayerNeeds {
        let forward = rows(patch: shape.patch) * shape.patch
        guard mode == .training else { return LayerNeeds(own: packedFloats, scratch: forward) }
        let back = area * shape.outputs
        let gradient = rows(patch: shape.patch) * (Panels.left(shape.patch) + Panels.right(shape.outputs))
        return LayerNeeds(
            own: packedFloats + shape.filters + back * Panels.right(shape.inputs),
            scratch: max(forward + gradient, rows(patch: back) * back), partial: shape.filters)
    }

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

    /// Calls `body(patches, first row over all images, rows)` for each block of `range`; the patches of a 1×1
    /// convolution are the pixels themselves.
    private func eachBlock(
        _ x: Floats, _ s: ConvolutionShape, range: Range<Int>, _ scratch: Floats,
        _ body: (_ columns: Floats, _ firstRow: Int, _ rows: Int) -> Void
    ) {
        let patch = s.patch
        let most = rows(patch: patch)
        for start in stride(from: range.lowerBound, to: range.upperBound, by: most) {
            let end = min(start + most, range.upperBound)
            if s.kernel == 1 {
                body(x + start * s.inputs, start, end - start)
                continue
            }
            var row = start
            while row < end {
                let (image, pixel) = row.quotientAndRemainder(dividingBy: s.pixels)
                let here = min(end - row, s.pixels - pixel)
                ck_im2col(
                    x + image * s.height * s.width * s.inputs, Int32(s.height), Int32(s.width), Int32(s.inputs),
                    Int32(s.kernel), Int32(s.pad), Int32(pixel), Int32(here), scratch + (row - start) * patch)
                row += here
            }
            body(scratch, start, end - start)
        }
    }

    private func convolve(
        _ x: Floats, _ s: ConvolutionShape, packed: Floats, _ y: Floats, count: Int, _ pass: Pass
    ) {
        pass.pool.split(count * s.pixels, grain: 12) { thread, range in
            eachBlock(x, s, range: range, pass.scratch[thread]) { columns, row, rows in
                ck_product(
                    Int32(rows), Int32(s.outputs), Int32(s.patch), columns, s.patch, packed, y + row * s.outputs,
                    s.outputs, 0)
            }
        }
    }

    func forward(_ x: Floats, _ y: Floats, count: Int, _ pass: Pass) {
        convolve(x, shape, packed: own!, y, count: count, pass)
    }

    func backwardData(_ dy: Floats, _ dx: Floats, count: Int, _ pass: Pass) {
        convolve(dy, shape.backward, packed: packedRotated, dx, count: count, pass)
    }

    func backwardFilters(_ x: Floats, _ dy: Floats, _ gradient: Floats, count: Int, _ pass: Pass) {
        let s = shape
        let most = rows(patch: s.patch)
        pass.pool.split(count * s.pixels, grain: 12) { thread, range in
            let sum = thread == 0 ? gradient : pass.partial[thread]
            if range.isEmpty { memset(sum, 0, s.filters * 4) }
            let left = pass.scratch[thread] + most * s.patch
            let right = left + most * Panels.left(s.patch)
            eachBlock(x, s, range: range, pass.scratch[thread]) { columns, row, rows in
                ck_pack(columns, s.patch, Int32(rows), Int32(s.patch), Panels.leftWidth, left)
                ck_pack(dy + row * s.outputs, s.outputs, Int32(rows), Int32(s.outputs), ck_columns(), right)
                ck_product_columns(
                    Int32(s.patch), Int32(s.outputs), Int32(rows), left, right, sum, s.outputs,
                    row == range.lowerBound ? 0 : 1)
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
