import FoveaImage
import FoveaSystem

/// Pictures made up on the spot.
package enum SyntheticImage {
    /// A smooth picture that differs in all four corners, so that mirroring and turning show.
    package static func gradient(width: Int, height: Int, seed: UInt64 = 0) -> RGBImage {
        var random = SplitMix64(seed: seed)
        let shift = seed == 0 ? 0 : Int.random(in: 0..<64, using: &random)
        var pixels: [UInt8] = []
        pixels.reserveCapacity(width * height * 3)
        for y in 0..<height {
            for x in 0..<width {
                let (h, v) = (x * 180 / max(width - 1, 1), y * 180 / max(height - 1, 1))
                pixels.append(UInt8(h + shift))
                pixels.append(UInt8(v + shift))
                pixels.append(UInt8((360 - h - v) / 2 + shift))
            }
        }
        return RGBImage(width: width, height: height, pixels: pixels)
    }

    /// Every byte at random.
    package static func noise(width: Int, height: Int, seed: UInt64) -> RGBImage {
        var random = SplitMix64(seed: seed)
        var pixels = [UInt8](repeating: 0, count: width * height * 3)
        for i in pixels.indices { pixels[i] = UInt8(truncatingIfNeeded: random.next()) }
        return RGBImage(width: width, height: height, pixels: pixels)
    }

    /// One colour with a little noise: what a tiny network can learn to tell apart.
    package static func blob(
        width: Int, height: Int, red: Int, green: Int, blue: Int, seed: UInt64
    ) -> RGBImage {
        var random = SplitMix64(seed: seed)
        var pixels: [UInt8] = []
        for _ in 0..<width * height {
            for channel in [red, green, blue] {
                pixels.append(UInt8(clamping: channel + Int.random(in: -20...20, using: &random)))
            }
        }
        return RGBImage(width: width, height: height, pixels: pixels)
    }
}

extension RGBImage {
    /// The file of this image.
    package var png: [UInt8] { PNGEncoder.encode(pixels, width: width, height: height) }

    /// The file of this image; lossy.
    package var jpeg: [UInt8] { JPEGEncoder.encode(pixels, width: width, height: height, quality: 95) }

    /// The three bytes at a place.
    package func pixel(_ x: Int, _ y: Int) -> [UInt8] {
        Array(pixels[(y * width + x) * 3..<(y * width + x) * 3 + 3])
    }

    /// The largest difference of any byte; the sizes must agree.
    package func largestDifference(_ other: RGBImage) -> Int {
        precondition(width == other.width && height == other.height)
        return zip(pixels, other.pixels).map { abs(Int($0) - Int($1)) }.max() ?? 0
    }
}
