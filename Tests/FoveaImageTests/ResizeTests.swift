import FoveaImage
import FoveaModels
import FoveaTestKit
import Testing

struct ResizeTests {
    /// The triangle filter in Double, both passes without rounding between them.
    private func oracle(_ image: RGBImage, width: Int, height: Int) -> [Double] {
        func weights(_ source: Int, _ target: Int, _ place: Int) -> [Double] {
            let scale = Double(source) / Double(target)
            let support = max(scale, 1)
            let center = (Double(place) + 0.5) * scale
            let raw = (0..<source).map { max(0, 1 - abs(Double($0) + 0.5 - center) / support) }
            let sum = raw.reduce(0, +)
            return raw.map { $0 / sum }
        }
        var result: [Double] = []
        let columns = (0..<width).map { weights(image.width, width, $0) }
        for y in 0..<height {
            let rows = weights(image.height, height, y)
            for x in 0..<width {
                for c in 0..<3 {
                    var sum = 0.0
                    for sy in 0..<image.height where rows[sy] > 0 {
                        for sx in 0..<image.width where columns[x][sx] > 0 {
                            sum += rows[sy] * columns[x][sx] * Double(image.pixels[(sy * image.width + sx) * 3 + c])
                        }
                    }
                    result.append(sum)
                }
            }
        }
        return result
    }

    @Test(arguments: [
        (64, 64), (33, 47), (100, 20), (7, 5), (1, 1), (2, 90), (32, 65), (31, 32), (32, 32), (200, 3),
    ])
    func agreesWithTheOracle(_ width: Int, _ height: Int) {
        let image = SyntheticImage.noise(width: width, height: height, seed: UInt64(width))
        for (w, h) in [(32, 32), (1, 1), (5, 40)] {
            let resized = image.resized(width: w, height: h)
            let expected = oracle(image, width: w, height: h)
            // Two roundings to 8 bits.
            let worst = zip(resized.pixels, expected).map { abs(Double($0) - $1) }.max()!
            #expect(worst <= 1.05, "\(width)×\(height) → \(w)×\(h)")
        }
    }

    /// Values of Pillow 13.0.0: `Image.frombytes("RGB", (7, 5), bytes(i * 37 % 256 for i in range(105)))
    /// .resize(size, Image.BILINEAR).tobytes()`.
    @Test func agreesWithPillow() {
        let image = RGBImage(width: 7, height: 5, pixels: (0..<105).map { UInt8($0 * 37 % 256) })
        let smaller: [UInt8] = [
            104, 86, 123, 146, 123, 100, 123, 160, 142, 105, 104, 141, 145, 122, 118, 141, 161, 131,
        ]
        #expect(image.resized(width: 3, height: 2).pixels == smaller)
        let larger: [UInt8] = [
            2, 39, 76, 76, 113, 150, 162, 86, 123, 192, 30, 67, 79, 116, 153, 165, 202, 40, 109, 146, 70, 82, 119,
            156, 156, 193, 230, 13, 50, 87, 87, 124, 161, 173, 97, 134, 203, 41, 78, 90, 127, 164, 176, 213, 51, 120,
            157, 81, 93, 130, 167, 167, 204, 241, 23, 60, 97, 97, 134, 171, 183, 107, 144, 213, 51, 88, 100, 137,
            174, 186, 223, 61, 130, 167, 91, 103, 140, 177, 177, 214, 251, 34, 71, 108, 108, 145, 182, 109, 118, 155,
            74, 62, 99, 111, 148, 185, 197, 85, 72, 141, 93, 102, 114, 151, 124, 188, 225, 70,
        ]
        // One byte of these lies half-way between two values, and Pillow rounds it down.
        let expected = RGBImage(width: 9, height: 4, pixels: larger)
        #expect(image.resized(width: 9, height: 4).largestDifference(expected) <= 1)
    }

    @Test func theSameSizeIsTheSameImage() {
        let image = SyntheticImage.noise(width: 40, height: 30, seed: 8)
        #expect(image.resized(width: 40, height: 30) == image)
    }

    @Test func oneColourStaysThatColour() {
        for value in [0, 1, 127, 254, 255] as [UInt8] {
            let image = RGBImage(width: 97, height: 61, pixels: [UInt8](repeating: value, count: 97 * 61 * 3))
            #expect(image.resized(width: 32, height: 32).pixels.allSatisfy { $0 == value })
        }
    }

    @Test func aStreamedFileEqualsTheImageResized() throws {
        let image = SyntheticImage.noise(width: 150, height: 90, seed: 4)
        let (small, _) = try ImageDecoder.decode(image.png, target: ImageTarget(height: 32, width: 24))
        #expect(small == image.resized(width: 24, height: 32))
    }
}
