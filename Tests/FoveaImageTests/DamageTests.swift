import FoveaImage
import FoveaModels
import FoveaSystem
import FoveaTestKit
import Glibc
import SystemPackage
import Testing

/// Files that are cut off, damaged, foreign or too large end in an error with a sentence, never in a crash.
struct DamageTests {
    private static let picture = SyntheticImage.gradient(width: 64, height: 48, seed: 3)

    private static let files: [(name: String, bytes: [UInt8])] = {
        let samples = picture.pixels.map(Int.init)
        var interlaced = TestPNG(width: 64, height: 48, colorType: .rgb, samples: samples)
        interlaced.interlaced = true
        let p = picture.pixels
        return [
            ("png", picture.png), ("interlaced png", interlaced.bytes),
            ("jpeg", picture.jpeg),
            ("progressive jpeg", JPEGEncoder.encode(p, width: 64, height: 48, progressive: true)),
            ("turned jpeg", TestJPEG.adding(exif: TestJPEG.exif(orientation: 5), to: picture.jpeg)),
            ("cmyk jpeg", JPEGEncoder.encode(Array(p.prefix(32 * 32 * 4)), width: 32, height: 32, kind: .cmyk)),
        ]
    }()

    @Test(arguments: 0..<6)
    func cutOffFilesAreErrors(_ index: Int) throws {
        let (name, bytes) = Self.files[index]
        for sixteenth in 1..<16 {
            let part = Array(bytes.prefix(bytes.count * sixteenth / 16))
            let error = #expect(throws: ImageError.self, "\(name) \(sixteenth)/16") {
                try ImageDecoder.decode(part, target: ImageTarget(height: 32, width: 32))
            }
            #expect(error?.name == "truncated" || error?.name == "corrupt", "\(name) \(sixteenth)/16: \(error!)")
        }
        for count in 1...12 {  // the end mark, too, is wanted
            let part = Array(bytes.dropLast(count))
            #expect(throws: ImageError.self, "\(name) without \(count)") { try ImageDecoder.decodeFull(part) }
        }
    }

    @Test func cutOffSaysSo() throws {
        for (name, bytes) in Self.files {
            let error = #expect(throws: ImageError.self) {
                try ImageDecoder.decodeFull(Array(bytes.prefix(bytes.count * 3 / 4)))
            }
            #expect(error?.code == .truncated, "\(name)")
            #expect(error?.description.contains("ends early") == true)
        }
    }

    @Test(arguments: 0..<6)
    func flippedBitsEndInAnErrorOrAnImage(_ index: Int) {
        let bytes = Self.files[index].bytes
        var random = SplitMix64(seed: UInt64(index) + 77)
        var images = 0
        for _ in 0..<800 {
            var damaged = bytes
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                // Half of the damage goes to the headers.
                let place = Int.random(
                    in: 0..<(Bool.random(using: &random) ? min(200, bytes.count) : bytes.count), using: &random)
                damaged[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            }
            do throws(ImageError) {
                let (image, _) = try ImageDecoder.decode(
                    damaged, target: ImageTarget(height: 16, width: 16),
                    limits: ImageLimits(side: 4096, pixels: 1_000_000))
                images += image.pixels.isEmpty ? 0 : 1
            } catch {
                #expect(!error.description.isEmpty)
            }
        }
        #expect(images < 800)
    }

    @Test func hugeClaimsAreRefusedOnTheHeader() throws {
        let png: [UInt8] =
            [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + TestPNG.header(width: 20_000, height: 20_000)
            + TestPNG.chunk("IDAT", [1, 2, 3])
        let jpeg = TestJPEG.claiming(width: 20_000, height: 20_000, Self.picture.jpeg)
        for file in [png, jpeg] {
            let error = #expect(throws: ImageError.self) {
                try ImageDecoder.decode(file, target: ImageTarget(height: 32, width: 32))
            }
            #expect(error?.code == .tooLarge(what: "width", value: 20_000, limit: 16384))
        }
        let wide = TestJPEG.claiming(width: 10_000, height: 10_000, Self.picture.jpeg)
        let error = #expect(throws: ImageError.self) {
            try ImageDecoder.decode(wide, target: ImageTarget(height: 32, width: 32))
        }
        #expect(error?.code == .tooLarge(what: "pixels", value: 100_000_000, limit: 50_000_000))
        let full = #expect(throws: ImageError.self) { try ImageDecoder.decodeFull(wide) }
        #expect(full?.name == "too-large")
        let long = #expect(throws: ImageError.self) {
            try ImageDecoder.decode(
                Self.picture.png, target: ImageTarget(height: 32, width: 32), limits: ImageLimits(bytes: 100))
        }
        #expect(long?.code == .tooLarge(what: "bytes", value: Self.picture.png.count, limit: 100))
    }

    @Test(arguments: [
        ("II*\0\u{8}\0\0\0", "TIFF"), ("RIFF\0\0\0\0WEBPVP8 ", "WebP"), ("GIF89a\u{1}\0\u{1}\0", "GIF"),
        ("\0\0\0\u{18}ftypheic\0\0\0\0", "HEIC"), ("\0\0\0\u{18}ftypmif1\0\0\0\0", "HEIC"),
        ("\0\0\0\u{1C}ftypavif\0\0\0\0", "AVIF"), ("BM\u{10}\0\0\0\0\0\0\0\u{36}\0\0\0\u{28}\0\0\0", "BMP"),
        ("8BPS\0\u{1}", "Photoshop"), ("<?xml version='1.0'?><svg/>", "SVG"), ("P6 3 3 255\n", "PNM"),
    ])
    func otherImagesAreNamed(_ start: String, _ format: String) throws {
        let error = #expect(throws: ImageError.self) { try ImageDecoder.decodeFull(Array(start.utf8)) }
        #expect(error?.code == .unsupported(format: format))
        #expect(error?.description.contains(format) == true)
    }

    @Test(arguments: [
        ("", "an empty file"), ("hello, this is a note\n", "plain text"), ("BMW is a car, not a bitmap", "plain text"),
        ("%PDF-1.7", "a PDF"), ("PK\u{3}\u{4}xx", "a ZIP archive"), ("<!DOCTYPE html><p>", "a web page"),
        ("{\"a\": 1}", "JSON"), ("\0\0\0\0\0\0\0\0\0\0", "zero bytes"), ("\0\0\0\u{18}ftypisom\0\0\0\0", "a video"),
        ("\u{1}\u{2}\u{3}", "unknown data"), ("\u{7F}ELF\u{2}\u{1}", "a program"),
    ])
    func whatIsNoImageIsNamed(_ start: String, _ looksLike: String) throws {
        let error = #expect(throws: ImageError.self) { try ImageDecoder.decodeFull(Array(start.utf8)) }
        #expect(error?.code == .notAnImage(looksLike: looksLike))
    }

    @Test func aDescriptorIsReadFromItsStart() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("x.png", Self.picture.png)
        let descriptor = try file.withPlatformString { path in
            try #require(fopen(path, "r"))
        }
        defer { fclose(descriptor) }
        fseek(descriptor, 10, SEEK_SET)
        #expect(try ImageDecoder.read(descriptor: fileno(descriptor)) == Self.picture.png)
        let error = #expect(throws: ImageError.self) {
            try ImageDecoder.read(descriptor: fileno(descriptor), limits: ImageLimits(bytes: 10))
        }
        #expect(error?.name == "too-large")
        #expect(throws: ImageError.self) { try ImageDecoder.read(descriptor: -1) }
    }
}
