import Glibc

/// An RGB image in floats from 0 to 255, row by row, in borrowed memory. Each step makes a new one.
struct FloatImage {
    let height: Int
    let width: Int
    /// Of the scratch: until that is given back.
    let values: UnsafeMutableBufferPointer<Float>
    private let scratch: Scratch

    /// What lies beyond the border.
    enum Border {
        /// The border's own pixel again.
        case nearest
        /// Reflected without repeating the border's pixel.
        case reflect

        func place(_ i: Int, _ count: Int) -> Int {
            switch self {
            case .nearest: return min(max(i, 0), count - 1)
            case .reflect:
                guard count > 1 else { return 0 }
                let period = 2 * (count - 1)
                let inside = ((i % period) + period) % period
                return inside < count ? inside : period - inside
            }
        }
    }

    /// The image moved by a place, and what that counts.
    struct Tap {
        var y: Int
        var x: Int
        var weight: Float
    }

    /// Black.
    init(height: Int, width: Int, scratch: Scratch) {
        (self.height, self.width, self.scratch) = (height, width, scratch)
        values = scratch.take(height * width * 3, of: Float.self)
        values.initialize(repeating: 0)
    }

    init(_ pixels: UnsafePointer<UInt8>, height: Int, width: Int, scratch: Scratch) {
        self.init(height: height, width: width, scratch: scratch)
        for i in values.indices { values[i] = Float(pixels[i]) }
    }

    /// As large as this one where nothing else is said, and black.
    func blank(height: Int? = nil, width: Int? = nil) -> FloatImage {
        FloatImage(height: height ?? self.height, width: width ?? self.width, scratch: scratch)
    }

    func copy() -> FloatImage {
        let result = blank()
        _ = result.values.update(fromContentsOf: values)
        return result
    }

    /// Rounded and bounded to bytes.
    func store(_ pixels: UnsafeMutablePointer<UInt8>) {
        for i in values.indices { pixels[i] = UInt8(min(255, max(0, values[i] + 0.5))) }
    }

    /// The image with `rows` and `columns` more pixels on each side.
    private func widened(rows: Int, columns: Int, border: Border) -> FloatImage {
        let result = blank(height: height + 2 * rows, width: width + 2 * columns)
        for y in 0..<result.height {
            let from = border.place(y - rows, height) * width
            for x in 0..<result.width {
                let source = (from + border.place(x - columns, width)) * 3
                let to = (y * result.width + x) * 3
                for c in 0..<3 { result.values[to + c] = values[source + c] }
            }
        }
        return result
    }

    /// The sum over weights of the image moved by their places: correlation, as cv2.filter2D.
    func filtered(_ kernel: Kernel, border: Border) -> FloatImage {
        let places = -kernel.reach...kernel.reach
        let taps = scratch.take(places.count * places.count, of: Tap.self)
        var count = 0
        for y in places {
            for x in places where kernel[y, x] != 0 {
                taps.initializeElement(at: count, to: Tap(y: y, x: x, weight: kernel[y, x]))
                count += 1
            }
        }
        return summed(taps[..<count], border: border)
    }

    /// The sum of the image's own moved copies: result[y, x] = Σ weight · image[y + tap.y, x + tap.x].
    func summed(_ taps: some Collection<Tap>, border: Border) -> FloatImage {
        let rows = taps.lazy.map { abs($0.y) }.max() ?? 0
        let columns = taps.lazy.map { abs($0.x) }.max() ?? 0
        let wide = widened(rows: rows, columns: columns, border: border)
        let result = blank()
        let line = width * 3
        for y in 0..<height {
            let to = result.values.baseAddress! + y * line
            for tap in taps {
                let from = wide.values.baseAddress! + ((y + rows + tap.y) * wide.width + columns + tap.x) * 3
                for i in 0..<line { to[i] += tap.weight * from[i] }
            }
        }
        return result
    }

    /// Blurred by a Gaussian: along the columns, then along the rows (scipy.ndimage.gaussian_filter, mode nearest).
    func gaussian(_ sigma: Double) -> FloatImage {
        let reach = Int(4 * sigma + 0.5)
        guard reach > 0 else { return copy() }
        func bell(_ place: Int) -> Double { exp(-Double(place * place) / (2 * sigma * sigma)) }
        var sum = 0.0
        for place in -reach...reach { sum += bell(place) }
        let taps = scratch.take(2 * reach + 1, of: Tap.self)
        for i in taps.indices {
            taps.initializeElement(at: i, to: Tap(y: i - reach, x: 0, weight: Float(bell(i - reach) / sum)))
        }
        let half = summed(taps, border: .nearest)
        for i in taps.indices { (taps[i].y, taps[i].x) = (0, i - reach) }
        return half.summed(taps, border: .nearest)
    }

    /// Bilinear; the triangle is widened where the image gets smaller (antialiased).
    func resized(height: Int, width: Int) -> FloatImage {
        let half = blank(height: height)
        let line = self.width * 3
        for y in 0..<height {
            Self.eachShare(of: y, from: self.height, to: height) { row, share in
                for i in 0..<line { half.values[y * line + i] += share * values[row * line + i] }
            }
        }
        let result = blank(height: height, width: width)
        for x in 0..<width {
            Self.eachShare(of: x, from: self.width, to: width) { column, share in
                for y in 0..<height {
                    let (from, to) = ((y * self.width + column) * 3, (y * width + x) * 3)
                    for c in 0..<3 { result.values[to + c] += share * half.values[from + c] }
                }
            }
        }
        return result
    }

    /// What a place of a line with `to` pixels takes of each pixel of one with `from`.
    private static func eachShare(of place: Int, from: Int, to: Int, _ body: (_ pixel: Int, _ share: Float) -> Void) {
        let scale = Float(from) / Float(to)
        let reach = max(1, scale)
        let centre = (Float(place) + 0.5) * scale - 0.5
        let first = max(0, Int((centre - reach).rounded(.up)))
        let last = max(first, min(from - 1, Int((centre + reach).rounded(.down))))
        func height(_ pixel: Int) -> Float { max(0, 1 - abs(Float(pixel) - centre) / reach) }
        var sum: Float = 0
        for pixel in first...last { sum += height(pixel) }
        for pixel in first...last { body(pixel, height(pixel) / sum) }
    }
}

/// Weights around a pixel, in borrowed memory.
struct Kernel {
    let reach: Int
    private let weights: UnsafeMutableBufferPointer<Float>

    /// All zero.
    init(reach: Int, scratch: Scratch) {
        self.reach = reach
        weights = scratch.take((2 * reach + 1) * (2 * reach + 1), of: Float.self)
        weights.initialize(repeating: 0)
    }

    subscript(y: Int, x: Int) -> Float {
        get { weights[(y + reach) * (2 * reach + 1) + x + reach] }
        nonmutating set { weights[(y + reach) * (2 * reach + 1) + x + reach] = newValue }
    }

    /// To a sum of 1.
    func normalize() {
        let sum = weights.reduce(0, +)
        for i in weights.indices { weights[i] /= sum }
    }
}
