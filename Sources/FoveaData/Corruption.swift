// The five blurs of CIFAR-100-C (Hendrycks & Dietterich 2019, "Benchmarking Neural Network Robustness to Common Corruptions
// and Perturbations"), at five severities, with its parameters: for measuring, never for training.
//
//     gaussian   standard deviation           .4  .6  .7  .8  1
//     defocus    disk's radius, its alias     (.3, .4) (.4, .5) (.5, .6) (1, .2) (1.5, .1)
//     motion     reach, standard deviation    (6, 1) (6, 1.5) (6, 2) (8, 2) (9, 2.5), at an angle within ±45°
//     zoom       up to a factor of            1.06 1.11 1.15 1.20 1.25, in steps of .01, all averaged (the original says
//                                             arange(1, 1.06, 0.01), and 1.06 is in it, as 1.16 is not in the third)
//     glass      σ, greatest move, rounds     (.05, 1, 1) (.25, 1, 1) (.4, 1, 1) (.25, 1, 2) (.4, 1, 2)
//
// Lengths are meant for images of 32 pixels and grow with the images' sides. What is random (the angle, the glass) is drawn
// from (seed, image), so that a figure can be had again. As in the original, glass copies a near pixel over each, though its paper
// speaks of swapping: the published figures are of the copies.

import FoveaSystem
import Glibc

package enum Corruption: String, Sendable, CaseIterable {
    case gaussian, defocus, motion, zoom, glass

    package static let severities = 1...5

    private static let gaussianSigmas = [0.4, 0.6, 0.7, 0.8, 1]
    private static let defocusDisks = [(0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)]
    private static let motions = [(6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)]
    private static let zooms = [6, 11, 15, 20, 25]
    private static let glasses = [(0.05, 1), (0.25, 1), (0.4, 1), (0.25, 2), (0.4, 2)]

    /// Blurs an image in place.
    ///
    /// - Parameters:
    ///   - pixels: height × width × 3 bytes.
    ///   - severity: 1 to 5.
    ///   - index: of the image; with the seed it decides what is random.
    ///   - scratch: memory that nobody else uses meanwhile; the same one for each image.
    package func apply(
        _ pixels: UnsafeMutablePointer<UInt8>, height: Int, width: Int, severity: Int, index: Int, seed: UInt64 = 1,
        scratch: Scratch
    ) {
        defer { scratch.giveBack() }
        precondition(Self.severities.contains(severity))
        let level = severity - 1
        let scale = Double(min(height, width)) / 32
        var random = SplitMix64(seed: SplitMix64.mixed(seed) ^ UInt64(bitPattern: Int64(index)))
        var image: FloatImage { FloatImage(pixels, height: height, width: width, scratch: scratch) }
        switch self {
        case .gaussian:
            Blur.gaussian(sigma: Self.gaussianSigmas[level] * scale)
                .apply(pixels, height: height, width: width, scratch: scratch)
        case .defocus:
            let (radius, alias) = Self.defocusDisks[level]
            Blur.disk(radius: radius * scale, alias: alias)
                .apply(pixels, height: height, width: width, scratch: scratch)
        case .motion:
            let (reach, sigma) = Self.motions[level]
            let degrees = Double.random(in: -45...45, using: &random)
            image.moved(reach: Int((Double(reach) * scale).rounded(.up)), sigma: sigma * scale, degrees: degrees)
                .store(pixels)
        case .zoom: image.zoomed(percent: Self.zooms[level]).store(pixels)
        case .glass:
            let (sigma, rounds) = Self.glasses[level]
            image.throughGlass(
                sigma: sigma * scale, reach: max(1, Int(scale.rounded())), rounds: rounds, using: &random
            )
            .store(pixels)
        }
    }
}

extension FloatImage {
    /// Blurred along a line to one side, as ImageMagick's motion blur: 2·reach + 1 weights of half a Gaussian, the image's
    /// border repeated.
    func moved(reach: Int, sigma: Double, degrees: Double) -> FloatImage {
        let count = 2 * reach + 1
        let raw = (0..<count).map { exp(-Double($0 * $0) / (2 * sigma * sigma)) }
        let sum = raw.reduce(0, +)
        let radians = degrees * Double.pi / 180
        let taps = raw.enumerated().map { i, weight in
            Tap(
                y: Int((Double(i) * sin(radians) - 0.5).rounded(.up)),
                x: Int((Double(i) * cos(radians) - 0.5).rounded(.up)), weight: Float(weight / sum)
            )
        }
        return summed(taps, border: .nearest)
    }

    /// The mean of the image and of itself enlarged by 1.00, 1.01, … up to `percent` percent.
    func zoomed(percent: Int) -> FloatImage {
        let sum = copy()
        for step in 0...percent {
            let larger = enlarged(by: 1 + Double(step) / 100)
            for i in sum.values.indices { sum.values[i] += larger.values[i] }
        }
        for i in sum.values.indices { sum.values[i] /= Float(percent + 2) }
        return sum
    }

    /// The middle of the image, enlarged bilinearly with corners on corners (scipy.ndimage.zoom, order 1), cut to the old
    /// size.
    private func enlarged(by factor: Double) -> FloatImage {
        func places(_ side: Int) -> [(low: Int, share: Float)] {
            let part = Int((Double(side) / factor).rounded(.up))
            let first = (side - part) / 2
            let large = Int((Double(part) * factor).rounded())
            let trim = max(0, large - side) / 2
            return (0..<side).map { i in
                let place = large > 1 ? Double(i + trim) * Double(part - 1) / Double(large - 1) : 0
                let low = min(max(0, part - 2), Int(place))
                return (first + low, Float(min(1, place - Double(low))))
            }
        }
        let (rows, columns) = (places(height), places(width))
        let result = blank()
        for (y, row) in rows.enumerated() {
            for (x, column) in columns.enumerated() {
                for c in 0..<3 {
                    func at(_ v: Int, _ u: Int) -> Float {
                        values[(min(v, height - 1) * width + min(u, width - 1)) * 3 + c]
                    }
                    let top = at(row.low, column.low) * (1 - column.share) + at(row.low, column.low + 1) * column.share
                    let bottom =
                        at(row.low + 1, column.low) * (1 - column.share) + at(row.low + 1, column.low + 1)
                        * column.share
                    result.values[(y * width + x) * 3 + c] = top * (1 - row.share) + bottom * row.share
                }
            }
        }
        return result
    }

    /// Blurred, each pixel replaced by a near one above or to the left, from the last to the first, and blurred again.
    func throughGlass(
        sigma: Double, reach: Int, rounds: Int, using random: inout some RandomNumberGenerator
    ) -> FloatImage {
        let image = gaussian(sigma)
        for i in image.values.indices { image.values[i] = image.values[i].rounded(.down) }
        for _ in 0..<rounds {
            for y in stride(from: height - reach, to: reach, by: -1) where y < height {
                for x in stride(from: width - reach, to: reach, by: -1) where x < width {
                    let dx = Int.random(in: -reach..<reach, using: &random)
                    let dy = Int.random(in: -reach..<reach, using: &random)
                    let (here, there) = ((y * width + x) * 3, ((y + dy) * width + x + dx) * 3)
                    for c in 0..<3 { image.values[here + c] = image.values[there + c] }
                }
            }
        }
        return image.gaussian(sigma)
    }
}
