// The blurs that images suffer from, and that a network learns to look through: by a Gaussian, out of focus, and small
// and made large again.
//
// An image is widened by its border into floats, and each element of a kernel adds the whole shifted image: inner loops
// run over a row, which the compiler vectorises. Motion, zoom and glass stand in Corruption.swift, apart: they are for
// measuring and never for training.

import Glibc

/// A blur of RGB8 images.
package enum Blur: Sendable, Equatable {
    /// Standard deviation in pixels; cut off after four of them, as scipy does.
    case gaussian(sigma: Double)
    /// A disk of this radius, smoothed by a Gaussian of `alias` over 3×3 pixels, as ImageNet-C does
    /// (Hendrycks & Dietterich 2019).
    case disk(radius: Double, alias: Double)
    /// Smaller by this factor, then back to the old size, both bilinear.
    case resampled(factor: Double)

    /// A blur as training images get: one of the three, from hardly seen to strong.
    ///
    /// - Parameter scale: sides of the images divided by 32: lengths are meant for images of 32 pixels.
    package static func drawn(scale: Double, using random: inout some RandomNumberGenerator) -> Blur {
        let kind = Int.random(in: 0..<3, using: &random)
        let strength = Double.random(in: 0..<1, using: &random)
        let other = Double.random(in: 0..<1, using: &random)
        switch kind {
        case 0: return .gaussian(sigma: (0.3 + 0.9 * strength) * scale)
        case 1: return .disk(radius: (0.3 + 1.4 * strength) * scale, alias: 0.1 + 0.5 * other)
        default: return .resampled(factor: 1.1 + 1.2 * strength)
        }
    }

    /// Blurs an image in place.
    ///
    /// - Parameter pixels: height × width × 3 bytes.
    package func apply(_ pixels: UnsafeMutablePointer<UInt8>, height: Int, width: Int) {
        var image = FloatImage(pixels, height: height, width: width)
        switch self {
        case .gaussian(let sigma): image = image.gaussian(sigma)
        case .disk(let radius, let alias):
            let kernel = Self.diskKernel(radius: radius, alias: alias)
            image = image.filtered(kernel, border: .reflect)
        case .resampled(let factor):
            let small = (
                max(1, Int((Double(height) / factor).rounded())), max(1, Int((Double(width) / factor).rounded()))
            )
            image = image.resized(height: small.0, width: small.1).resized(height: height, width: width)
        }
        image.store(pixels)
    }

    /// A disk's kernel: square, of sum 1.
    static func diskKernel(radius: Double, alias: Double) -> Kernel {
        let reach = Int(radius) + 1
        var kernel = Kernel(reach: reach)
        for y in -Int(radius)...Int(radius) {
            for x in -Int(radius)...Int(radius) where Double(x * x + y * y) <= radius * radius { kernel[y, x] = 1 }
        }
        // cv2.GaussianBlur of 3×3 reflects at the border, which is empty here.
        let side = Float(exp(-1 / (2 * alias * alias)))
        let line = [side, 1, side].map { $0 / (1 + 2 * side) }
        var smooth = Kernel(reach: reach)
        for y in -reach...reach {
            for x in -reach...reach {
                for v in -1...1 {
                    for u in -1...1 where abs(y + v) <= reach && abs(x + u) <= reach {
                        smooth[y, x] += line[v + 1] * line[u + 1] * kernel[y + v, x + u]
                    }
                }
            }
        }
        return smooth.normalized()
    }
}

/// Weights around a pixel.
struct Kernel: Equatable {
    let reach: Int
    private(set) var weights: [Float]

    init(reach: Int) {
        self.reach = reach
        weights = [Float](repeating: 0, count: (2 * reach + 1) * (2 * reach + 1))
    }

    subscript(y: Int, x: Int) -> Float {
        get { weights[(y + reach) * (2 * reach + 1) + x + reach] }
        set { weights[(y + reach) * (2 * reach + 1) + x + reach] = newValue }
    }

    func normalized() -> Kernel {
        var result = self
        let sum = weights.reduce(0, +)
        result.weights = weights.map { $0 / sum }
        return result
    }
}

/// An RGB image in floats from 0 to 255, row by row.
struct FloatImage {
    let height: Int
    let width: Int
    var values: [Float]

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

    init(height: Int, width: Int, values: [Float]? = nil) {
        (self.height, self.width) = (height, width)
        self.values = values ?? [Float](repeating: 0, count: height * width * 3)
    }

    init(_ pixels: UnsafePointer<UInt8>, height: Int, width: Int) {
        self.init(
            height: height, width: width,
            values: UnsafeBufferPointer(start: pixels, count: height * width * 3).map { Float($0) })
    }

    /// Rounded and bounded to bytes.
    func store(_ pixels: UnsafeMutablePointer<UInt8>) {
        for i in values.indices { pixels[i] = UInt8(min(255, max(0, values[i] + 0.5))) }
    }

    /// The image with `rows` and `columns` more pixels on each side.
    private func widened(rows: Int, columns: Int, border: Border) -> FloatImage {
        var result = FloatImage(height: height + 2 * rows, width: width + 2 * columns)
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
        var taps: [(y: Int, x: Int, weight: Float)] = []
        for y in -kernel.reach...kernel.reach {
            for x in -kernel.reach...kernel.reach where kernel[y, x] != 0 { taps.append((y, x, kernel[y, x])) }
        }
        return summed(taps, border: border)
    }

    /// The sum of the image's own moved copies: result[y, x] = Σ weight · image[y + tap.y, x + tap.x].
    func summed(_ taps: [(y: Int, x: Int, weight: Float)], border: Border) -> FloatImage {
        let rows = taps.map { abs($0.y) }.max() ?? 0
        let columns = taps.map { abs($0.x) }.max() ?? 0
        let wide = widened(rows: rows, columns: columns, border: border)
        var result = FloatImage(height: height, width: width)
        let line = width * 3
        wide.values.withUnsafeBufferPointer { source in
            result.values.withUnsafeMutableBufferPointer { target in
                for y in 0..<height {
                    let to = target.baseAddress! + y * line
                    for tap in taps {
                        let from = source.baseAddress! + ((y + rows + tap.y) * wide.width + columns + tap.x) * 3
                        for i in 0..<line { to[i] += tap.weight * from[i] }
                    }
                }
            }
        }
        return result
    }

    /// Blurred by a Gaussian: along the rows, then along the columns (scipy.ndimage.gaussian_filter, mode nearest).
    func gaussian(_ sigma: Double) -> FloatImage {
        let reach = Int(4 * sigma + 0.5)
        guard reach > 0 else { return self }
        let raw = (-reach...reach).map { exp(-Double($0 * $0) / (2 * sigma * sigma)) }
        let sum = raw.reduce(0, +)
        let weights = zip(-reach...reach, raw).map { ($0, Float($1 / sum)) }
        return summed(weights.map { (y: $0.0, x: 0, weight: $0.1) }, border: .nearest)
            .summed(weights.map { (y: 0, x: $0.0, weight: $0.1) }, border: .nearest)
    }

    /// Bilinear; the triangle is widened where the image gets smaller (antialiased).
    func resized(height: Int, width: Int) -> FloatImage {
        func weights(_ from: Int, _ to: Int) -> [(first: Int, values: [Float])] {
            let scale = Float(from) / Float(to)
            let reach = max(1, scale)
            return (0..<to).map { place in
                let centre = (Float(place) + 0.5) * scale - 0.5
                let first = max(0, Int((centre - reach).rounded(.up)))
                let last = min(from - 1, Int((centre + reach).rounded(.down)))
                let values = (first...max(first, last)).map { max(0, 1 - abs(Float($0) - centre) / reach) }
                let sum = values.reduce(0, +)
                return (first, values.map { $0 / sum })
            }
        }
        var half = FloatImage(height: height, width: self.width)
        let line = self.width * 3
        for (y, row) in weights(self.height, height).enumerated() {
            for (k, weight) in row.values.enumerated() {
                let from = (row.first + k) * line
                for i in 0..<line { half.values[y * line + i] += weight * values[from + i] }
            }
        }
        var result = FloatImage(height: height, width: width)
        for (x, column) in weights(self.width, width).enumerated() {
            for (k, weight) in column.values.enumerated() {
                for y in 0..<height {
                    let (from, to) = ((y * self.width + column.first + k) * 3, (y * width + x) * 3)
                    for c in 0..<3 { result.values[to + c] += weight * half.values[from + c] }
                }
            }
        }
        return result
    }
}
