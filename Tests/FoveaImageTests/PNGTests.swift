import FoveaImage
import FoveaModels
import FoveaSystem
import FoveaTestKit
import Glibc
import Testing

/// Every colour type, depth and interlacing, against values worked out from the specification.
struct PNGTests {
    struct Variety: CustomTestStringConvertible, Sendable {
        let colorType: TestPNG.ColorType
        let depth: Int
        let interlaced: Bool

        var testDescription: String { "\(colorType) \(depth) bit\(interlaced ? " interlaced" : "")" }

        static let all = TestPNG.ColorType.allCases.flatMap { type in
            type.depths.flatMap { depth in
                [false, true].map { Variety(colorType: type, depth: depth, interlaced: $0) }
            }
        }
    }

    @Test(arguments: Variety.all, [(19, 13), (1, 1), (3, 5)])
    func decodesEveryVariety(_ variety: Variety, _ size: (Int, Int)) throws {
        let (width, height) = size
        var random = SplitMix64(seed: UInt64(variety.depth))
        let type = variety.colorType
        let most = (1 << variety.depth) - 1
        let samples = (0..<width * height * type.channels).map { _ in Int.random(in: 0...most, using: &random) }
        var png = TestPNG(width: width, height: height, colorType: type, samples: samples)
        png.depth = variety.depth
        png.interlaced = variety.interlaced
        let palette: [[UInt8]] = (0...min(most, 255)).map { (i: Int) -> [UInt8] in
            [UInt8(i * 37 & 255), UInt8(i * 91 & 255), UInt8(255 - i)]
        }
        if type == .palette { png.chunks.append(("PLTE", palette.flatMap { $0 })) }

        let image = try ImageDecoder.decodeFull(png.bytes)

        #expect(image.width == width && image.height == height)
        func eight(_ sample: Int) -> Double { Double(sample) * 255 / Double(most) }
        var worst = 0.0
        for place in 0..<width * height {
            let s = Array(samples[place * type.channels..<(place + 1) * type.channels])
            let expected: [Double] =
                switch type {
                case .grey: Array(repeating: eight(s[0]), count: 3)
                case .rgb: s.map(eight)
                case .palette: palette[s[0]].map(Double.init)
                case .greyAlpha: Array(repeating: overWhite(eight(s[0]), eight(s[1])), count: 3)
                case .rgba: s.prefix(3).map { overWhite(eight($0), eight(s[3])) }
                }
            for c in 0..<3 { worst = max(worst, abs(expected[c] - Double(image.pixels[place * 3 + c]))) }
        }
        // 16-bit alpha is rounded to 8 bits before it is applied: off by one at most.
        #expect(worst <= (variety.depth == 16 && type.channels % 2 == 0 ? 1.51 : 0.51))
    }

    private func overWhite(_ value: Double, _ alpha: Double) -> Double { (value * alpha + 255 * (255 - alpha)) / 255 }

    @Test func paletteTransparencyShowsWhite() throws {
        var png = TestPNG(width: 3, height: 1, colorType: .palette, samples: [0, 1, 2])
        png.chunks = [("PLTE", [200, 0, 0, 0, 200, 0, 0, 0, 200]), ("tRNS", [0, 255])]
        let image = try ImageDecoder.decodeFull(png.bytes)
        #expect(image.pixels == [255, 255, 255, 0, 200, 0, 0, 0, 200])
    }

    @Test func oneTransparentColourShowsWhite() throws {
        var grey = TestPNG(width: 2, height: 1, colorType: .grey, samples: [7, 8])
        grey.chunks = [("tRNS", [0, 7])]
        #expect(try ImageDecoder.decodeFull(grey.bytes).pixels == [255, 255, 255, 8, 8, 8])
        var rgb = TestPNG(width: 2, height: 1, colorType: .rgb, samples: [1, 2, 3, 1, 2, 4])
        rgb.chunks = [("tRNS", [0, 1, 0, 2, 0, 3])]
        #expect(try ImageDecoder.decodeFull(rgb.bytes).pixels == [255, 255, 255, 1, 2, 4])
    }

    @Test func linearLightIsBroughtToSRGB() throws {
        let samples = Array(stride(from: 0, to: 256, by: 5))
        var png = TestPNG(width: samples.count, height: 1, colorType: .grey, samples: samples)
        png.chunks = [("gAMA", TestPNG.bigEndian(100_000))]
        let image = try ImageDecoder.decodeFull(png.bytes)
        for (i, sample) in samples.enumerated() {
            let expected = pow(Double(sample) / 255, 1 / 2.2) * 255
            #expect(abs(Double(image.pixels[i * 3]) - expected) <= 1.5)
        }
    }

    @Test(arguments: [
        [("gAMA", TestPNG.bigEndian(45455))],
        [("sRGB", [0]), ("gAMA", TestPNG.bigEndian(100_000))],
        [("gAMA", TestPNG.bigEndian(1))],
    ])
    func otherGammaChunksChangeNothing(_ chunks: [(String, [UInt8])]) throws {
        let samples = Array(0..<256)
        var png = TestPNG(width: 256, height: 1, colorType: .grey, samples: samples)
        png.chunks = chunks.map { (name: $0.0, content: $0.1) }
        let image = try ImageDecoder.decodeFull(png.bytes)
        #expect((0..<256).map { Int(image.pixels[$0 * 3]) } == samples)
    }

    @Test func orientationOfAnEXIFChunkIsApplied() throws {
        let picture = SyntheticImage.gradient(width: 5, height: 3)
        var png = TestPNG(width: 5, height: 3, colorType: .rgb, samples: picture.pixels.map(Int.init))
        png.chunks = [("eXIf", TestJPEG.exif(orientation: 6))]
        let image = try ImageDecoder.decodeFull(png.bytes)
        #expect(image.width == 3 && image.height == 5)
        #expect(image.pixel(2, 0) == picture.pixel(0, 0))
        #expect(image.pixel(0, 0) == picture.pixel(0, 2))
    }

    @Test func anImageOfTheRightSizeComesOutExactly() throws {
        let picture = SyntheticImage.noise(width: 32, height: 32, seed: 1)
        #expect(try ImageDecoder.decode(picture.png, target: ImageTarget(height: 32, width: 32)).image == picture)
        #expect(try ImageDecoder.decodeFull(picture.png) == picture)
    }

    @Test func encoderAndDecoderAgree() throws {
        for (width, height) in [(1, 1), (7, 3), (200, 100)] {
            let picture = SyntheticImage.noise(width: width, height: height, seed: 2)
            for level in [0, 6] {
                let file = PNGEncoder.encode(picture.pixels, width: width, height: height, level: level)
                #expect(try ImageDecoder.decodeFull(file) == picture)
            }
        }
    }
}
