import CKernels

/// Convolution in the transformed domain (Lavin & Gray 2016), m×m pixels at a time: F(4×4, 3×3), F(3×3, 3×3), F(2×2, 3×3)
/// and F(2×2, 5×5), which need from a quarter to less than half of the multiplications. m is chosen so that little of the
/// tiles lies beyond the map.
///
/// ```
///   x ──tiles──▶ v [a² × tiles × I]  ·  u [a² × I × O]  =  products [a² × tiles × O] ──pixels──▶ y        a = m + k − 1
/// ```
///
/// A thread takes blocks of tiles, so few that all of it stays in cache, through all three steps. A tile's result does not
/// depend on the tiles around it, hence an image's not on its batch. Backward-data is the same with rotated filters.
/// Backward-filters, du = Σ vᵀ · A dy Aᵀ, first transforms a block per thread, then divides the a² products among the
/// threads, so that nobody needs a du of its own.
final class WinogradConvolution: ConvolutionAlgorithm {
    let shape: ConvolutionShape
    private var filters: Floats?
    /// u; in training also the rotated filters and theirs.
    private var own: Floats?
    private var forwardStale = true
    /// Sides of a tile of the output, and of what it is computed from.
    private let m: Int
    private var side: Int { m + shape.kernel - 1 }
    private var points: Int { side * side }
    /// Tiles of an image.
    private let tiles: Int

    /// Whether the transforms exist and pay: enough channels for the products, no more padding than is saved.
    static func suits(_ shape: ConvolutionShape) -> Bool {
        guard shape.isSame, shape.kernel == 3 || shape.kernel == 5, shape.inputs >= 16, shape.outputs >= 16 else {
            return false
        }
        let best = tiling(shape)
        let side = best.m + shape.kernel - 1
        return side * side * best.tiles * 10 <= 7 * shape.kernel * shape.kernel * shape.pixels
    }

    init(_ shape: ConvolutionShape) {
        self.shape = shape
        (m, tiles) = Self.tiling(shape)
    }

    /// The tiles with the fewest multiplications; of equal ones the larger.
    private static func tiling(_ shape: ConvolutionShape) -> (m: Int, tiles: Int) {
        func tiles(_ m: Int) -> Int { ((shape.height + m - 1) / m) * ((shape.width + m - 1) / m) }
        func work(_ m: Int) -> Int { tiles(m) * (m + shape.kernel - 1) * (m + shape.kernel - 1) }
        let best = (shape.kernel == 3 ? [4, 3, 2] : [2]).min { work($0) < work($1) } ?? 2
        return (best, tiles(best))
    }

    /// Tiles in a block: v and the products in the second-level cache, as far as that goes with a product's rows.
    private var block: Int { max(24, min(192, 200_000 / points / (shape.inputs + shape.outputs) / 12 * 12)) }
    /// Tiles that a thread transforms at once for backward-filters.
    private var gradientBlock: Int { max(96, block) }
    private var transformed: Int { points * shape.inputs * Panels.right(shape.outputs) }
    private var rotated: Floats { own! + transformed }
    private var transformedRotated: Floats { own! + transformed + shape.filters }

    func needs(mode: Mode) -> LayerNeeds {
        let forward = points * block * (shape.inputs + shape.outputs)
        guard mode == .training else { return LayerNeeds(own: transformed, scratch: forward) }
        let gradient = points * gradientBlock * (Panels.left(shape.inputs) + Panels.right(shape.outputs))
        return LayerNeeds(
            own: transformed + shape.filters + points * shape.outputs * Panels.right(shape.inputs),
            scratch: max(forward, gradient))
    }

    func bind(filters: Floats, own: Floats) { (self.filters, self.own) = (filters, own) }

    func filtersChanged(_ pool: ThreadPool, mode: Mode) {
        guard let filters, let own else { return }
        let s = shape
        let (m, k) = (Int32(m), Int32(s.kernel))
        let (inputs, outputs) = (Int32(s.inputs), Int32(s.outputs))
        forwardStale = false
        pool.split(s.inputs) { _, range in
            ck_wino_filters(filters, m, k, inputs, outputs, Int32(range.lowerBound), Int32(range.upperBound), own)
        }
        guard mode == .training else { return }
        pool.split(s.kernel * s.kernel) { _, range in
            ck_rotate_filters(filters, k, inputs, outputs, Int32(range.lowerBound), Int32(range.upperBound), rotated)
        }
        pool.split(s.outputs) { _, range in
            ck_wino_filters(
                rotated, m, k, outputs, inputs, Int32(range.lowerBound), Int32(range.upperBound), transformedRotated)
        }
    }

    private func convolve(
        _ x: Floats, from inputs: Int, to outputs: Int, u: Floats, _ y: Floats, count: Int, _ pass: Pass
    ) {
        let s = shape
        let (height, width, m, k) = (Int32(s.height), Int32(s.width), Int32(m), Int32(s.kernel))
        let plane = inputs * Panels.right(outputs)
        let block = block
        pass.pool.split(count * tiles, grain: 6) { thread, range in
            let v = pass.scratch[thread]
            for first in stride(from: range.lowerBound, to: range.upperBound, by: block) {
                let present = min(block, range.upperBound - first)
                let products = v + points * present * inputs
                ck_wino_tiles(x, height, width, Int32(inputs), m, k, Int32(first), Int32(present), 0, v)
                for point in 0..<points {
                    ck_product(
                        Int32(present), Int32(outputs), Int32(inputs), v + point * present * inputs, inputs,
                        u + point * plane, products + point * present * outputs, outputs, 0)
                }
                ck_wino_pixels(products, height, width, Int32(outputs), m, k, Int32(first), Int32(present), y)
            }
        }
    }

    func forward(_ x: Floats, _ y: Floats, count: Int, _ pass: Pass) {
        if forwardStale { filtersChanged(pass.pool, mode: .training) }
        convolve(x, from: shape.inputs, to: shape.outputs, u: own!, y, count: count, pass)
    }

    func backwardData(_ dy: Floats, _ dx: Floats, count: Int, _ pass: Pass) {
        convolve(dy, from: shape.outputs, to: shape.inputs, u: transformedRotated, dx, count: count, pass)
    }

    func backwardFilters(_ x: Floats, _ dy: Floats, _ gradient: Floats, count: Int, _ pass: Pass) {
        let s = shape
        let (height, width, m, k) = (Int32(s.height), Int32(s.width), Int32(m), Int32(s.kernel))
        let (inputs, outputs) = (Int32(s.inputs), Int32(s.outputs))
        let (left, right) = (Panels.left(s.inputs), Panels.right(s.outputs))
        // u has served its purpose until the filters change: its memory takes du.
        let du = own!
        forwardStale = true
        let total = count * tiles
        let threads = pass.pool.threads
        let block = gradientBlock
        for start in stride(from: 0, to: total, by: block * threads) {
            func part(_ thread: Int) -> Range<Int> {
                let first = min(total, start + thread * block)
                return first..<min(total, first + block)
            }
            pass.pool.run { thread in
                let mine = part(thread)
                guard !mine.isEmpty else { return }
                let v = pass.scratch[thread]
                let (first, present) = (Int32(mine.lowerBound), Int32(mine.count))
                ck_wino_tiles(x, height, width, inputs, m, k, first, present, Panels.leftWidth, v)
                ck_wino_pixels_back(
                    dy, height, width, outputs, m, k, first, present, v + points * mine.count * left)
            }
            pass.pool.split(points) { _, range in
                for point in range {
                    for thread in 0..<threads {
                        let present = part(thread).count
                        if present == 0 { continue }
                        let v = pass.scratch[thread] + point * present * left
                        let gradients = pass.scratch[thread] + (points * left + point * right) * present
                        let sum = du + point * s.inputs * right
                        let adds: Int32 = start == 0 && thread == 0 ? 0 : 1
                        ck_product_columns(inputs, outputs, Int32(present), v, gradients, sum, right, adds)
                    }
                }
            }
        }
        pass.pool.split(s.inputs) { _, range in
            ck_wino_filters_back(
                du, m, k, inputs, outputs, Int32(range.lowerBound), Int32(range.upperBound), gradient)
        }
    }
}
