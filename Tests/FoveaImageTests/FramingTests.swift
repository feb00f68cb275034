import Foundation
import FoveaImage
import FoveaModels
import FoveaTestKit
import Testing

/// What Pillow makes of the same pictures, by make_framing_golden.py.
private struct Golden: Decodable {
    struct Case: Decodable {
        let picture: [Int]
        let framing: String
        let resample: Resample
        let size: Int
        let pixels: Data
    }

    let pillow: String
    let cases: [Case]

    static func read() throws -> Golden {
        let file = try #require(
            Bundle.module.url(forResource: "Golden/framing", withExtension: "json"))
        return try JSONDecoder().decode(Golden.self, from: Data(contentsOf: file))
    }

    /// The picture of the script.
    static func picture(width: Int, height: Int, grain: Int) -> RGBImage {
        var pixels: [UInt8] = []
        for y in 0..<height {
            for x in 0..<width {
                let (u, v) = (x / grain, y / grain)
                for c in 0..<3 {
                    pixels.append(UInt8((37 * u + 59 * v + 101 * c + u * v % 97 + 13 * (u ^ v)) % 256))
                }
            }
        }
        return RGBImage(width: width, height: height, pixels: pixels)
    }

    static func framing(_ text: String) throws -> Framing {
        let words = text.split(separator: " ")
        switch words[0] {
        case "stretch": return .stretch
        case "crop": return .crop(share: try #require(Double(words[1])))
        default:
            let fill = words[1].split(separator: ",").compactMap { UInt8($0) }
            return .fit(fill: RGBColour(fill[0], fill[1], fill[2]))
        }
    }
}

struct FramingTests {
    @Test func agreesWithPillow() throws {
        let golden = try Golden.read()
        #expect(golden.cases.count == 49)
        for one in golden.cases {
            let picture = Golden.picture(width: one.picture[0], height: one.picture[1], grain: one.picture[2])
            let target = ImageTarget(
                height: one.size, width: one.size, framing: try Golden.framing(one.framing), resample: one.resample)
            let expected = try ImageDecoder.decodeFull([UInt8](one.pixels))
            #expect(picture.framed(as: target).largestDifference(expected) <= 1, "\(one.picture) \(target)")
        }
    }

    @Test func aStreamedFileEqualsThePictureFramed() throws {
        let picture = SyntheticImage.noise(width: 151, height: 90, seed: 4)
        for framing in [Framing.stretch, .crop(share: 0.875), .fit(fill: RGBColour(1, 2, 3))] {
            for resample in Resample.allCases {
                let target = ImageTarget(height: 32, width: 24, framing: framing, resample: resample)
                #expect(try ImageDecoder.decode(picture.png, target: target).image == picture.framed(as: target))
            }
        }
    }

    /// The frame is that of the image as shown, whatever way it is stored: the same as of the turned image.
    @Test(arguments: 1...8)
    func theFrameFollowsTheOrientation(_ orientation: Int) throws {
        let picture = SyntheticImage.noise(width: 75, height: 48, seed: 9)
        let file = TestJPEG.adding(exif: TestJPEG.exif(orientation: UInt16(orientation)), to: picture.jpeg)
        let shown = try ImageDecoder.decodeFull(file)
        for framing in [Framing.crop(share: 0.8), .fit(fill: RGBColour(9, 8, 7))] {
            let target = ImageTarget(height: 20, width: 25, framing: framing, resample: .bicubic)
            let (framed, _) = try ImageDecoder.decode(file, target: target)
            // Turned before or after the two passes: each rounds once.
            #expect(framed.largestDifference(shown.framed(as: target)) <= 2, "\(target)")
        }
    }

    /// The picture as a file decoder gives it: bicubic sees all pixels of a JPEG, never libjpeg's reduction.
    @Test func bicubicOfALargeJPEGIsThatOfAllItsPixels() throws {
        let picture = SyntheticImage.noise(width: 900, height: 700, seed: 3)
        let file = JPEGEncoder.encode(picture.pixels, width: 900, height: 700, quality: 90)
        let target = ImageTarget(height: 28, width: 28, framing: .crop(share: 0.875), resample: .bicubic)
        let (framed, info) = try ImageDecoder.decode(file, target: target)
        #expect(info == ImageInfo(format: .jpeg, width: 900, height: 700))
        #expect(framed == (try ImageDecoder.decodeFull(file)).framed(as: target))
    }

    @Test(arguments: [(1, 1), (20_000, 10), (10, 16_000), (3, 2)])
    func extremeShapes(_ width: Int, _ height: Int) throws {
        let picture = RGBImage(
            width: width, height: height,
            pixels: [UInt8](repeating: 0, count: width * height).flatMap { _ in [10, 20, 30] as [UInt8] })
        let limits = ImageLimits(side: 20_000)
        for framing in [Framing.stretch, .crop(share: 0.875), .crop(share: 0.05)] {
            for resample in Resample.allCases {
                let target = ImageTarget(height: 16, width: 16, framing: framing, resample: resample)
                let (image, _) = try ImageDecoder.decode(picture.png, target: target, limits: limits)
                #expect(image.pixels == (0..<256).flatMap { _ in [10, 20, 30] as [UInt8] }, "\(target)")
            }
        }
        let fitted = ImageTarget(height: 16, width: 16, framing: .fit(fill: RGBColour(200, 100, 50)))
        let (image, _) = try ImageDecoder.decode(picture.png, target: fitted, limits: limits)
        let colours = Set((0..<256).map { Array(image.pixels[3 * $0..<3 * $0 + 3]) })
        #expect(colours == (width == height ? [[10, 20, 30]] : [[10, 20, 30], [200, 100, 50]]))
    }

    @Test func whatIsCutAwayIsStillRead() throws {
        let picture = SyntheticImage.noise(width: 64, height: 400, seed: 2)
        let target = ImageTarget(height: 8, width: 8, framing: .crop(share: 1))
        let error = #expect(throws: ImageError.self) {
            try ImageDecoder.decode(Array(picture.png.dropLast(3000)), target: target)
        }
        #expect(error?.code == .truncated)
    }
}
