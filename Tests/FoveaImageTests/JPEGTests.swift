import FoveaImage
import FoveaModels
import FoveaTestKit
import Testing

struct JPEGTests {
    private let picture = SyntheticImage.gradient(width: 45, height: 30)

    @Test(arguments: [false, true], [false, true])
    func decodesColour(progressive: Bool, subsampled: Bool) throws {
        let file = JPEGEncoder.encode(
            picture.pixels, width: 45, height: 30, quality: 95, progressive: progressive, subsampled: subsampled)
        let image = try ImageDecoder.decodeFull(file)
        #expect(image.width == 45 && image.height == 30)
        #expect(image.largestDifference(picture) <= 12)
    }

    @Test(arguments: [false, true])
    func decodesGrey(progressive: Bool) throws {
        let grey = (0..<40 * 20).map { UInt8($0 % 40 * 6) }
        let file = JPEGEncoder.encode(
            grey, width: 40, height: 20, kind: .grey, quality: 95, progressive: progressive)
        let image = try ImageDecoder.decodeFull(file)
        for i in grey.indices {
            let pixel = Array(image.pixels[i * 3..<i * 3 + 3])
            #expect(pixel[0] == pixel[1] && pixel[1] == pixel[2])
            #expect(abs(Int(pixel[0]) - Int(grey[i])) <= 6)
        }
    }

    @Test(arguments: [JPEGEncoder.Kind.cmyk, .ycck], [false, true])
    func decodesInk(kind: JPEGEncoder.Kind, progressive: Bool) throws {
        // Half cyan, a fifth magenta, no yellow, a tenth black; Adobe's files hold 255 − ink.
        let ink: [UInt8] = [128, 51, 0, 26]
        let light = ink.prefix(3).map { (255 - Double($0)) * (255 - Double(ink[3])) / 255 }
        for adobe in [true, false] where adobe || kind == .cmyk {
            let stored = adobe ? ink.map { 255 - $0 } : ink
            let file = JPEGEncoder.encode(
                (0..<16 * 16).flatMap { _ in stored }, width: 16, height: 16, kind: kind, quality: 95,
                progressive: progressive, adobeMarker: adobe)
            let pixel = try ImageDecoder.decodeFull(file).pixel(8, 8)
            for c in 0..<3 { #expect(abs(Double(pixel[c]) - light[c]) <= 4) }
        }
    }

    /// Where the stored corners (top left, top right, bottom left) are shown, by the EXIF specification.
    @Test(arguments: 1...8, [false, true])
    func orientationIsApplied(_ orientation: Int, littleEndian: Bool) throws {
        let stored = try ImageDecoder.decodeFull(picture.jpeg)
        let file = TestJPEG.adding(
            exif: TestJPEG.exif(orientation: UInt16(orientation), littleEndian: littleEndian), to: picture.jpeg)
        let shown = try ImageDecoder.decodeFull(file)
        let swapped = orientation >= 5
        #expect(shown.width == (swapped ? 30 : 45) && shown.height == (swapped ? 45 : 30))
        let (right, bottom) = (shown.width - 1, shown.height - 1)
        // The tag names the side of the picture at which row 0 and column 0 are.
        let topLeft = [
            (0, 0), (right, 0), (right, bottom), (0, bottom), (0, 0), (right, 0), (right, bottom), (0, bottom),
        ]
        let topRight = [
            (right, 0), (0, 0), (0, bottom), (right, bottom), (0, bottom), (right, bottom), (right, 0), (0, 0),
        ]
        let bottomLeft = [
            (0, bottom), (right, bottom), (right, 0), (0, 0), (right, 0), (0, 0), (0, bottom), (right, bottom),
        ]
        func at(_ places: [(Int, Int)]) -> [UInt8] {
            shown.pixel(places[orientation - 1].0, places[orientation - 1].1)
        }
        #expect(at(topLeft) == stored.pixel(0, 0))
        #expect(at(topRight) == stored.pixel(44, 0))
        #expect(at(bottomLeft) == stored.pixel(0, 29))
    }

    @Test(arguments: 1...8)
    func orientationAndResizeTogether(_ orientation: Int) throws {
        let file = TestJPEG.adding(exif: TestJPEG.exif(orientation: UInt16(orientation)), to: picture.jpeg)
        let (small, info) = try ImageDecoder.decode(file, target: ImageTarget(height: 12, width: 10))
        let full = try ImageDecoder.decodeFull(file)
        #expect(info.width == full.width && info.height == full.height && info.format == .jpeg)
        // Passes are in another order for a turned image: off by a rounding.
        #expect(small.largestDifference(full.resized(width: 10, height: 12)) <= 1)
    }

    @Test func brokenEXIFIsNoOrientation() throws {
        let good = TestJPEG.exif(orientation: 6)
        var manyEntries = good
        manyEntries[8] = 0xFF
        manyEntries[11] = 0
        var farDirectory = good
        farDirectory[4] = 0xFF
        for exif in [Array(good.prefix(7)), Array(good.prefix(12)), manyEntries, farDirectory, [], [0x4D]] {
            let image = try ImageDecoder.decodeFull(TestJPEG.adding(exif: exif, to: picture.jpeg))
            #expect(image.width == 45 && image.height == 30)
        }
        let strange = TestJPEG.adding(exif: TestJPEG.exif(orientation: 9), to: picture.jpeg)
        #expect(try ImageDecoder.decodeFull(strange).width == 45)
    }

    @Test func aMuchLargerImageIsReducedTheSameWay() throws {
        let large = SyntheticImage.gradient(width: 800, height: 640)
        let file = large.jpeg
        let (small, info) = try ImageDecoder.decode(file, target: ImageTarget(height: 32, width: 32))
        #expect(info.width == 800 && info.height == 640)
        // libjpeg reduces by 4 first, the resizer does the rest.
        #expect(small.largestDifference(try ImageDecoder.decodeFull(file).resized(width: 32, height: 32)) <= 3)
    }

    /// A legal 8 × 8 progressive JPEG, written by hand: one scan for the mean, one for each of the coefficients, and
    /// where `refined` a second one for each.
    private func manyScans(refined: Bool) -> [UInt8] {
        func segment(_ marker: UInt8, _ content: [UInt8]) -> [UInt8] {
            [0xFF, marker, 0, UInt8(content.count + 2)] + content
        }
        func scan(_ first: UInt8, _ last: UInt8, _ bits: UInt8) -> [UInt8] {
            // One component, table 0; then the only code there is, for "nothing", padded by ones.
            segment(0xDA, [1, 1, 0, first, last, bits]) + [0x7F]
        }
        let oneCode: [UInt8] = [1] + [UInt8](repeating: 0, count: 15) + [0]
        var file: [UInt8] = [0xFF, 0xD8]
        file += segment(0xDB, [0] + [UInt8](repeating: 1, count: 64))
        file += segment(0xC2, [8, 0, 8, 0, 8, 1, 1, 0x11, 0])
        file += segment(0xC4, [0x00] + oneCode) + segment(0xC4, [0x10] + oneCode)
        file += scan(0, 0, 0)
        for k in 1...63 { file += scan(UInt8(k), UInt8(k), refined ? 0x01 : 0x00) }
        if refined { for k in 1...63 { file += scan(UInt8(k), UInt8(k), 0x10) } }
        return file + [0xFF, 0xD9]
    }

    @Test func manyScansAreRefused() throws {
        let image = try ImageDecoder.decodeFull(manyScans(refined: false))
        #expect(image.width == 8 && image.pixels.allSatisfy { $0 == 128 })
        let error = #expect(throws: ImageError.self) { try ImageDecoder.decodeFull(manyScans(refined: true)) }
        #expect(error?.code == .tooLarge(what: "scans", value: 65, limit: 64))
    }
}
