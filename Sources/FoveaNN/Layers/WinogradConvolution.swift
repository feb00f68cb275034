import CKernels

/// Convolution in the transformed domain (Lavin & Gray 2016), m×m pixels at a time: F(2×2), F(3×3) and F(4×4) for 3×3,
/// F(2×2) and F(4×4) for 5×5, F(3×3) and F(4×4) for 2×2 filters, which need from a sixth to half of the multiplications.
/// m is chosen so that little of the tiles lies beyond the map.
///
/// ```
///   x ──tiles──▶ v [a² × tiles × I]  ·  u [a² × I × O]  =  products [a² × tiles × O] ──pixels──▶ y        a = m + k − 1
/// ```
///
/// A single tile, where an image comes alone and its map is small, reads the filters untransformed and transforms them on the
/// way (`ck_wino_single`), with the same bits: the time goes into reading.
///
/// A thread takes blocks of tiles, so few that they stay in cache, through all three steps. A tile's result does not
/// depend on the tiles around it, hence an image's not on its batch. Backward-data is the same with rotated filters, and
/// with tiles of its own where the maps have different sizes. Backward-filters, du = Σ vᵀ · A dy Aᵀ, first transforms a
/// block per thread, then divides the a² products among the threads, so that nobody needs a du of its own.
final class WinogradConvolution: ConvolutionAlgorithm {
    let shape: ConvolutionShape
    private let forth: Tiling
    private let back: Tiling
    private var filters: Floats?
    /// u; in training also the rotated filters and theirs.
    private var own: Floats?
    private var forwardStale = true

    /// How a map is cut.
    private struct Tiling {
        /// Sides of a tile of the output, and of what it is computed from.
        let m: Int
        let side: Int
        let down: Int
        let across: Int
        let source: ck_wino_map
        let target: ck_wino_map

        var points: Int { side * side }
        /// Tiles of an image.
        var tiles: Int { down * across }
        /// Where it is all of an image, and `ck_wino_single` can take it.
        var isSingle: Bool { tiles == 1 && source.k == 3 }
        /// Multiplications for one pair of channels.
        var work: Int { points * tiles }

        init(_ s: ConvolutionShape, m: Int) {
            self.m = m
            side = m + s.kernel - 1
            down = (s.outputHeight + m - 1) / m
            across = (s.outputWidth + m - 1) / m
            source = ck_wino_map(
                height: Int32(s.height), width: Int32(s.width), channels: Int32(s.inputs), pad: Int32(s.top),
                down: Int32(down), across: Int32(across), m: Int32(m), k: Int32(s.kernel), stream: 0)
            target = ck_wino_map(
                height: Int32(s.outputHeight), width: Int32(s.outputWidth), channels: Int32(s.outputs), pad: 0,
                down: Int32(down), across: Int32(across), m: Int32(m), k: Int32(s.kernel), stream: 0)
        }

        /// In training the one with the fewest multiplications; of equal ones the larger tiles. In inference one image
        /// may be all there is: reading a transformed filter from memory costs about as much as ten multiplications,
        /// which so many images share; less where `ck_wino_single` reads it as it is.
        static func best(_ shape: ConvolutionShape, _ mode: Mode) -> Tiling? {
            let sides = [2: [4, 3], 3: [4, 3, 2], 5: [4, 2]][shape.kernel] ?? []
            func cost(_ tiling: Tiling) -> Int {
                guard mode == .inference else { return tiling.work }
                return tiling.work + tiling.points * (tiling.isSingle ? 2 : 4)
            }
            return sides.map { Tiling(shape, m: $0) }.min { cost($0) < cost($1) }
        }

        /// Tiles of a block: all of it in the second-level cache; where there are so many channels that the filters are
        /// read from farther away, enough tiles for each reading.
        func block(_ s: ConvolutionShape) -> Int {
            let channels = s.inputs + s.outputs
            return channels > 600 ? 96 : max(24, min(192, 200_000 / points / channels)) / 12 * 12
        }
    }

    /// Whether the transforms exist and pay: enough channels for the products, no more padding than is saved.
    static func suits(_ shape: ConvolutionShape) -> Bool {
        guard shape.stride == 1, shape.top == shape.left, shape.inputs >= 16, shape.outputs >= 16,
            let best = Tiling.best(shape, .training)
        else { return false }
        return best.work * 10 <= 7 * shape.kernel * shape.kernel * shape.pixels
    }

    /// The kernel must be 2, 3 or 5, the stride 1.
    init(_ shape: ConvolutionShape, mode: Mode) {
        self.shape = shape
        forth = Tiling.best(shape, mode)!
        hasSingle =
            mode == .inference && forth.isSingle && forth.points * shape.inputs * shape.outputs > Self.cached
        back = Tiling.best(shape.backward, mode)!
    }

    /// Tiles that a thread transforms at once for backward-filters.
    private var gradientBlock: Int { max(96, forth.block(shape)) }
    private var transformed: Int { forth.points * shape.inputs * Panels.right(shape.outputs) }
    /// Floats of transformed filters that stay in the caches: a mebibyte.
    private static let cached = 1 << 18
    /// In inference, where a tile is all that an image has and its filters are too large for the caches.
    private let hasSingle: Bool
    /// The filters as `ck_wino_single` reads them.
    private var gathered: Floats { own! + transformed }
    private static var lanes: Int { Panels.right(1) / 2 }
    private var vectors: Int { (shape.outputs + Self.lanes - 1) / Self.lanes }
    private var rotated: Floats { own! + transformed }
    private var transformedRotated: Floats { own! + transformed + shape.filters }

    func needs(mode: Mode) -> LayerNeeds {
        let channels = shape.inputs + shape.outputs
        let forward = forth.points * forth.block(shape) * channels
        guard mode == .training else {
            let single = hasSingle ? 9 * shape.inputs * vectors * Self.lanes : 0
            return LayerNeeds(own: transformed + single, scratch: forward)
        }
        let gradient = forth.points * gradientBlock * (Panels.left(shape.inputs) + Panels.right(shape.outputs))
        return LayerNeeds(
            own: transformed + shape.filters + back.points * shape.outputs * Panels.right(shape.inputs),
            scratch: max(forward, gradient, back.points * back.block(shape.backward) * channels))
    }

    func bind(filters: Floats, own: Floats) { (self.filters, self.own) = (filters, own) }

    func filtersChanged(_ pool: ThreadPool, mode: Mode) {
        guard let filters, let own else { return }
        let s = shape
        let k = Int32(s.kernel)
        let (inputs, outputs) = (Int32(s.inputs), Int32(s.outputs))
        forwardStale = false
        pool.split(s.inputs) { _, range in
            ck_wino_filters(
                filters, Int32(forth.m), k, inputs, outputs, Int32(range.lowerBound), Int32(range.upperBound), own)
        }
        if hasSingle {
            pool.split(vectors) { _, range in
                ck_wino_gather(
                    filters, inputs, outputs, Int32(range.lowerBound), Int32(range.upperBound), gathered)
            }
        }
        guard mode == .training else { return }
        pool.split(s.kernel * s.kernel) { _, range in
            ck_rotate_filters(filters, k, inputs, outputs, Int32(range.lowerBound), Int32(range.upperBound), rotated)
        }
        pool.split(s.outputs) { _, range in
            ck_wino_filters(
                rotated, Int32(back.m), k, outputs, inputs, Int32(range.lowerBound), Int32(range.upperBound),
                transformedRotated)
        }
    }

    private func convolve(
        _ x: Floats, _ s: ConvolutionShape, _ tiling: Tiling, u: Floats, _ y: Floats, count: Int,
        _ epilogue: Epilogue?, _ pass: Pass
    ) {
        let (inputs, outputs) = (s.inputs, s.outputs)
        let points = tiling.points
        let plane = inputs * Panels.right(outputs)
        let block = tiling.block(s)
        let total = count * tiling.tiles
        func products(_ v: Floats, of present: Int, _ range: Range<Int>) {
            for point in range {
                ck_product(
                    Int32(present), Int32(outputs), Int32(inputs), v + point * present * inputs, inputs,
                    u + point * plane, v + present * (points * inputs + point * outputs), outputs, 0)
            }
        }
        if total == 1 && hasSingle {
            let v = pass.scratch[0]
            var (source, target) = (tiling.source, tiling.target)
            ck_wino_tiles(x, &source, 0, 1, 1, 0, v)
            pass.pool.split(vectors) { _, range in
                ck_wino_single(
                    gathered, Int32(tiling.m), Int32(inputs), Int32(outputs), Int32(range.lowerBound),
                    Int32(range.upperBound), v, v + points * inputs)
            }
            return ck_wino_pixels(v + points * inputs, &target, 0, 1, 1, epilogue, y)
        }
        // So few tiles that each thread would read all of u for a handful: the threads share out the points instead.
        if pass.pool.threads > 1 && total <= block {
            let v = pass.scratch[0]
            pass.pool.split(total) { _, range in
                var source = tiling.source
                ck_wino_tiles(
                    x, &source, Int32(range.lowerBound), Int32(range.count), Int32(total), 0,
                    v + range.lowerBound * inputs)
            }
            pass.pool.split(points) { _, range in products(v, of: total, range) }
            return pass.pool.split(total) { _, range in
                var target = tiling.target
                ck_wino_pixels(
                    v + total * points * inputs + range.lowerBound * outputs, &target, Int32(range.lowerBound),
                    Int32(range.count), Int32(total), epilogue, y)
            }
        }
        pass.pool.split(total, grain: 6) { thread, range in
            let v = pass.scratch[thread]
            var (source, target) = (tiling.source, tiling.target)
            target.stream = pass.streams(total * tiling.m * tiling.m * outputs)
            for first in stride(from: range.lowerBound, to: range.upperBound, by: block) {
                let present = min(block, range.upperBound - first)
                ck_wino_tiles(x, &source, Int32(first), Int32(present), Int32(present), 0, v)
                products(v, of: present, 0..<points)
                ck_wino_pixels(
                    v + present * points * inputs, &target, Int32(first), Int32(present), Int32(present), epilogue, y)
            }
        }
    }

    func forward(_ x: Floats, _ y: Floats, count: Int, _ epilogue: Epilogue?, _ pass: Pass) {
        if forwardStale { filtersChanged(pass.pool, mode: .training) }
        convolve(x, shape, forth, u: own!, y, count: count, epilogue, pass)
    }

    func backwardData(_ dy: Floats, _ dx: Floats, count: Int, _ pass: Pass) {
        convolve(dy, shape.backward, back, u: transformedRotated, dx, count: count, nil, pass)
    }

    func backwardFilters(_ x: Floats, _ dy: Floats, _ gradient: Floats, count: Int, _ pass: Pass) {
        let s = shape
        let points = forth.points
        let (inputs, outputs) = (Int32(s.inputs), Int32(s.outputs))
        let (left, right) = (Panels.left(s.inputs), Panels.right(s.outputs))
        // u has served its purpose until the filters change: its memory takes du.
        let du = own!
        forwardStale = true
        let total = count * forth.tiles
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
                var (source, target) = (forth.source, forth.target)
                ck_wino_tiles(x, &source, first, present, present, Panels.leftWidth, v)
                ck_wino_pixels_back(dy, &target, first, present, v + points * mine.count * left)
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
                du, Int32(forth.m), Int32(s.kernel), inputs, outputs, Int32(range.lowerBound),
                Int32(range.upperBound), gradient)
        }
    }
}
