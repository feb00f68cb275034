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
/// Backward-data is the same with dy and rotated filters; with stride 2 there are four such convolutions, each for the pixels
/// of dx that lie at even or odd rows and columns, with the taps that meet those. Backward-filters is patchesᵀ · dy, summed
/// per thread and then over threads in order. A pixel's result does not depend on the pixels around it, hence an image's not
/// on its batch.
final class MatrixConvolution: ConvolutionAlgorithm {
    let shape: ConvolutionShape
    private var filters: Floats?
    /// Packed filters, and in training rotated and packed rotated ones.
    private var own: Floats?
    /// Backward-data, a convolution with stride 1 each.
    private let phases: [Phase]

    init(_ shape: ConvolutionShape) {
        self.shape = shape
        phases = Phase.all(of: shape)
    }

    /// Every pixel is a patch: nothing needs a border, and rows of pixels are rows of the matrix.
    private var isPlain: Bool { shape.kernel == 1 && shape.stride == 1 }
    private var packedFloats: Int { shape.patch * Panels.right(shape.outputs) }
    private var rotated: Floats { own! + packedFloats }
    private var packedRotated: Floats { own! + packedFloats + shape.filters }
    /// Floats of the part of the map that the patches see, with its border; a single pixel is taken where it lies.
    private var bordered: Int { shape.kernel == 1 ? 0 : shape.bordered.height * shape.bordered.width * shape.inputs }

    func needs(mode: Mode) -> LayerNeeds {
        guard mode == .training else { return LayerNeeds(own: packedFloats, scratch: bordered) }
        // 1×1: blocks of pixels of both operands; else the map and dy of an image.
        let gradient =
            isPlain
            ? Self.block * (Panels.left(shape.inputs) + Panels.right(shape.outputs))
            : shape.bordered.height * shape.bordered.width * shape.inputs + shape.pixels * Panels.right(shape.outputs)
        let back = phases.map { $0.bordered.height * $0.bordered.width * shape.outputs }.max() ?? 0
        return LayerNeeds(
            own: packedFloats + shape.filters + shape.kernel * shape.kernel * shape.outputs
                * Panels.right(shape.inputs),
            scratch: max(gradient, back), partial: shape.filters)
    }

    /// Pixels of a block.
    private static let block = 252

    func bind(filters: Floats, own: Floats) { (self.filters, self.own) = (filters, own) }

    func filtersChanged(_ pool: ThreadPool, mode: Mode) {
        guard let filters, let own else { return }
        let s = shape
        ck_pack(filters, s.outputs, Int32(s.patch), Int32(s.outputs), ck_columns(), own)
        guard mode == .training else { return }
        let tap = s.inputs * s.outputs
        for phase in phases {
            let taps = phase.taps
            pool.split(taps.count) { _, range in
                for index in range {
                    ck_transpose(
                        filters + taps[index] * tap, Int32(s.inputs), Int32(s.outputs),
                        rotated + (phase.first + index) * tap, Int32(s.inputs))
                }
            }
            ck_pack(
                rotated + phase.first * tap, s.inputs, Int32(taps.count * s.outputs), Int32(s.inputs), ck_columns(),
                packedRotated + phase.first * s.outputs * Panels.right(s.inputs))
        }
    }

    func forward(_ x: Floats, _ y: Floats, count: Int, _ epilogue: Epilogue?, _ pass: Pass) {
        if isPlain { return product(x, shape, packed: own!, y, count: count, epilogue, pass) }
        let s = shape
        // Pixels, also of several images where one has few.
        pass.pool.split(count * s.pixels, grain: 12) { thread, range in
            var patches = s.patches
            var row = range.lowerBound
            while row < range.upperBound {
                let image = row / s.pixels
                let end = min(range.upperBound, (image + 1) * s.pixels)
                var from = x + image * s.height * s.width * s.inputs
                var wide = s.width
                if s.kernel > 1 {
                    ck_border(from, &patches, pass.scratch[thread])
                    (from, wide) = (pass.scratch[thread], s.bordered.width)
                }
                // Some rows meet all filters while both are in the cache.
                while row < end {
                    let rows = min(end - row, Self.block)
                    ck_patch_product(
                        from, Int32(wide), &patches, Int32(row - image * s.pixels), Int32(rows), Int32(s.outputs),
                        own!, epilogue, y + row * s.outputs, s.outputs)
                    row += rows
                }
            }
        }
    }

    /// A 1×1 convolution with stride 1, a block of pixels after the other.
    private func product(
        _ x: Floats, _ s: ConvolutionShape, packed: Floats, _ y: Floats, count: Int, _ epilogue: Epilogue?, _ pass: Pass
    ) {
        pass.pool.split(count * s.pixels, grain: 12) { _, range in
            for row in stride(from: range.lowerBound, to: range.upperBound, by: Self.block) {
                let rows = min(range.upperBound - row, Self.block)
                ck_product_finished(
                    Int32(rows), Int32(s.outputs), Int32(s.inputs), x + row * s.inputs, s.inputs, packed, epilogue,
                    y + row * s.outputs, s.outputs)
            }
        }
    }

    func backwardData(_ dy: Floats, _ dx: Floats, count: Int, _ pass: Pass) {
        if isPlain { return product(dy, shape.backward, packed: packedRotated, dx, count: count, nil, pass) }
        let s = shape
        let (from, to) = (s.pixels * s.outputs, s.height * s.width * s.inputs)
        // Pixels between those that single ones are taken of have no gradient.
        let isSparse = s.kernel < s.stride
        pass.pool.split(count) { thread, images in
            for image in images {
                if isSparse { memset(dx + image * to, 0, to * 4) }
                for phase in phases {
                    var patches = phase.patches(s)
                    ck_border(dy + image * from, &patches, pass.scratch[thread])
                    // Rows of pixels that lie evenly: with stride 1 the whole map is one.
                    let (lines, across) = s.stride == 1 ? (1, phase.down * phase.across) : (phase.down, phase.across)
                    for line in 0..<lines {
                        let first = (line * s.stride + phase.row) * s.width + phase.column
                        ck_patch_product(
                            pass.scratch[thread], Int32(phase.bordered.width), &patches, Int32(line * across),
                            Int32(across), Int32(s.inputs),
                            packedRotated + phase.first * s.outputs * Panels.right(s.inputs), nil,
                            dx + image * to + first * s.inputs, s.stride * s.inputs)
                    }
                }
            }
        }
    }

    func backwardFilters(_ x: Floats, _ dy: Floats, _ gradient: Floats, count: Int, _ pass: Pass) {
        let s = shape
        let isPlain = isPlain
        pass.pool.split(isPlain ? count * s.pixels : count, grain: isPlain ? 12 : 1) { thread, range in
            let sum = thread == 0 ? gradient : pass.partial[thread]
            memset(sum, 0, s.filters * 4)
            if isPlain {
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
        let right = scratch + s.bordered.height * s.bordered.width * s.inputs
        for image in images {
            ck_border(x + image * s.height * s.width * s.inputs, &patches, scratch)
            ck_pack(
                dy + image * s.pixels * s.outputs, s.outputs, Int32(s.pixels), Int32(s.outputs), ck_columns(), right)
            ck_patch_gradient(scratch, &patches, Int32(s.outputs), right, sum)
        }
    }
}

/// The pixels of a map whose row and column leave the same rest by the stride, and the taps of a convolution that meet them.
private struct Phase {
    /// The first of its pixels, and how many there are each way.
    let row: Int
    let column: Int
    let down: Int
    let across: Int
    /// The taps that meet them, as rows and columns of a patch of dy, and their places among the filter's, the last one
    /// first: backward they meet dy the other way round.
    let size: (rows: Int, columns: Int)
    let taps: [Int]
    /// Zeros that its patches of dy find before dy's first row and column.
    let top: Int
    let left: Int
    /// Taps of the phases before it.
    let first: Int

    /// Rows and columns of dy with its border.
    var bordered: (height: Int, width: Int) { (down - 1 + size.rows, across - 1 + size.columns) }

    /// All that have pixels and taps.
    static func all(of s: ConvolutionShape) -> [Phase] {
        /// Along one side: pixels, the first tap, the number of taps, and zeros before dy.
        func side(_ offset: Int, _ length: Int, _ before: Int) -> (pixels: Int, start: Int, taps: Int, pad: Int) {
            let start = (offset + before) % s.stride
            let taps = (s.kernel - start + s.stride - 1) / s.stride
            return ((length - offset + s.stride - 1) / s.stride, start, taps, taps - 1 - (offset + before) / s.stride)
        }
        var phases: [Phase] = []
        var first = 0
        for row in 0..<s.stride {
            for column in 0..<s.stride {
                let (y, x) = (side(row, s.height, s.top), side(column, s.width, s.left))
                guard y.pixels > 0, x.pixels > 0, y.taps > 0, x.taps > 0 else { continue }
                let taps = (0..<y.taps).reversed().flatMap { v in
                    (0..<x.taps).reversed().map { u in
                        (y.start + v * s.stride) * s.kernel + x.start + u * s.stride
                    }
                }
                phases.append(
                    Phase(
                        row: row, column: column, down: y.pixels, across: x.pixels, size: (y.taps, x.taps), taps: taps,
                        top: y.pad, left: x.pad, first: first))
                first += y.taps * x.taps
            }
        }
        return phases
    }

    /// Its patches of dy.
    func patches(_ s: ConvolutionShape) -> ck_patches {
        ck_patches(
            height: Int32(s.outputHeight), width: Int32(s.outputWidth), channels: Int32(s.outputs),
            k: Int32(size.rows), columns: Int32(size.columns), stride: 1, top: Int32(top), left: Int32(left),
            down: Int32(down), across: Int32(across))
    }
}
