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
    /// - Parameters:
    ///   - pixels: height × width × 3 bytes.
    ///   - scratch: memory for the images in between; the caller gives it back.
    package func apply(_ pixels: UnsafeMutablePointer<UInt8>, height: Int, width: Int, scratch: Scratch) {
        var image = FloatImage(pixels, height: height, width: width, scratch: scratch)
        switch self {
        case .gaussian(let sigma): image = image.gaussian(sigma)
        case .disk(let radius, let alias):
            let kernel = Self.diskKernel(radius: radius, alias: alias, scratch: scratch)
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
    private static func diskKernel(radius: Double, alias: Double, scratch: Scratch) -> Kernel {
        let reach = Int(radius) + 1
        let disk = Kernel(reach: reach, scratch: scratch)
        for y in -Int(radius)...Int(radius) {
            for x in -Int(radius)...Int(radius) where Double(x * x + y * y) <= radius * radius { disk[y, x] = 1 }
        }
        // cv2.GaussianBlur of 3×3 reflects at the border, which is empty here.
        let side = Float(exp(-1 / (2 * alias * alias)))
        func line(_ place: Int) -> Float { (place == 0 ? 1 : side) / (1 + 2 * side) }
        let smooth = Kernel(reach: reach, scratch: scratch)
        for y in -reach...reach {
            for x in -reach...reach {
                for v in -1...1 {
                    for u in -1...1 where abs(y + v) <= reach && abs(x + u) <= reach {
                        smooth[y, x] += line(v) * line(u) * disk[y + v, x + u]
                    }
                }
            }
        }
        smooth.normalize()
        return smooth
    }
}
