import FoveaData
import FoveaSystem
import FoveaTestKit
import Testing

/// Blurs for training, and the five for measuring.
struct BlurTests {
    private static let side = 32
    private let image = SyntheticImage.noise(width: side, height: side, seed: 5)

    private func blurred(_ pixels: [UInt8], _ body: (UnsafeMutablePointer<UInt8>) -> Void) -> [UInt8] {
        var result = pixels
        result.withUnsafeMutableBufferPointer { body($0.baseAddress!) }
        return result
    }

    private func corrupted(_ corruption: Corruption, _ severity: Int, index: Int = 0, of pixels: [UInt8]? = nil)
        -> [UInt8]
    {
        blurred(pixels ?? image.pixels) {
            corruption.apply(
                $0, height: Self.side, width: Self.side, severity: severity, index: index, scratch: Scratch())
        }
    }

    /// Differences of neighbours, squared: what a blur takes away.
    private func sharpness(_ pixels: [UInt8]) -> Double {
        var sum = 0.0
        for y in 0..<Self.side {
            for x in 1..<Self.side {
                for c in 0..<3 {
                    let at = (y * Self.side + x) * 3 + c
                    let d = Double(pixels[at]) - Double(pixels[at - 3])
                    sum += d * d
                }
            }
        }
        return sum
    }

    @Test(arguments: Corruption.allCases) func severerIsBlurrier(_ corruption: Corruption) {
        var last = sharpness(image.pixels)
        for severity in Corruption.severities where corruption != .glass {
            let now = sharpness(corrupted(corruption, severity))
            #expect(now <= last * 1.02, "\(corruption) \(severity)")
            last = now
        }
        #expect(sharpness(corrupted(corruption, 5)) < sharpness(image.pixels))
    }

    @Test(arguments: Corruption.allCases) func aPlainImageStaysAsItIs(_ corruption: Corruption) {
        let grey = [UInt8](repeating: 90, count: Self.side * Self.side * 3)
        for severity in Corruption.severities { #expect(corrupted(corruption, severity, of: grey) == grey) }
    }

    @Test func whatIsRandomDependsOnTheImageAlone() {
        for corruption in [Corruption.motion, .glass] {
            #expect(corrupted(corruption, 3, index: 7) == corrupted(corruption, 3, index: 7))
            #expect(corrupted(corruption, 3, index: 7) != corrupted(corruption, 3, index: 8))
        }
        #expect(corrupted(.defocus, 3, index: 7) == corrupted(.defocus, 3, index: 8))
    }

    /// A single white pixel shows the kernel.
    private func impulse(_ body: (UnsafeMutablePointer<UInt8>) -> Void) -> (_ y: Int, _ x: Int) -> Int {
        var pixels = [UInt8](repeating: 0, count: Self.side * Self.side * 3)
        for c in 0..<3 { pixels[(16 * Self.side + 16) * 3 + c] = 255 }
        let result = blurred(pixels, body)
        return { y, x in Int(result[(y * Self.side + x) * 3]) }
    }

    @Test func aGaussianIsOne() {
        let at = impulse { Blur.gaussian(sigma: 1).apply($0, height: Self.side, width: Self.side, scratch: Scratch()) }
        // scipy.ndimage.gaussian_filter of an impulse of 255 with σ 1, truncate 4
        let expected = [[41, 25, 6, 0], [25, 15, 3, 0], [6, 3, 1, 0]]
        for (y, row) in expected.enumerated() {
            for (x, value) in row.enumerated() {
                for (v, u) in [(y, x), (-y, x), (y, -x), (-y, -x)] {
                    #expect(abs(at(16 + v, 16 + u) - value) <= 1, "\(v) \(u)")
                }
            }
        }
    }

    @Test func aDiskIsRoundAndSmall() {
        // The severest defocus: a disk of 9 pixels, hardly smoothed.
        let at = impulse {
            Corruption.defocus.apply($0, height: Self.side, width: Self.side, severity: 5, index: 0, scratch: Scratch())
        }
        for y in -1...1 { for x in -1...1 { #expect(abs(at(16 + y, 16 + x) - 28) <= 1) } }
        #expect(at(16, 18) == 0 && at(14, 16) == 0)
    }

    /// ImageMagick's motion blur is one-sided: half a Gaussian from the pixel on.
    @Test func motionGoesOneWay() {
        var before = 0
        var after = 0
        for index in 0..<20 {
            let at = impulse {
                Corruption.motion.apply(
                    $0, height: Self.side, width: Self.side, severity: 3, index: index, scratch: Scratch())
            }
            for y in 0..<Self.side {
                for x in 0..<Self.side where at(y, x) > 0 {
                    if x < 16 { before += 1 }
                    if x > 16 { after += 1 }
                }
            }
        }
        #expect(before > 40 && after == 0)
    }

    @Test func drawnBlursAreOfAllKindsAndReproducible() {
        func draw(_ seed: UInt64) -> [Blur] {
            var random = SplitMix64(seed: seed)
            return (0..<60).map { _ in Blur.drawn(scale: 1, using: &random) }
        }
        #expect(draw(1) == draw(1) && draw(1) != draw(2))
        var kinds = Set<Int>()
        for blur in draw(1) {
            switch blur {
            case .gaussian(let sigma):
                kinds.insert(0)
                #expect((0.3...1.2).contains(sigma))
            case .disk(let radius, _):
                kinds.insert(1)
                #expect((0.3...1.7).contains(radius))
            case .resampled(let factor):
                kinds.insert(2)
                #expect((1.1...2.3).contains(factor))
            }
            let result = blurred(image.pixels) {
                blur.apply($0, height: Self.side, width: Self.side, scratch: Scratch())
            }
            #expect(sharpness(result) <= sharpness(image.pixels))
        }
        #expect(kinds == [0, 1, 2])
    }

    @Test func imagesOfOtherSizesAreBlurredInProportion() {
        for (width, height) in [(1, 1), (3, 5), (64, 48)] {
            let image = SyntheticImage.noise(width: width, height: height, seed: 2)
            for corruption in Corruption.allCases {
                for severity in Corruption.severities {
                    _ = blurred(image.pixels) {
                        corruption.apply(
                            $0, height: height, width: width, severity: severity, index: 1, scratch: Scratch())
                    }
                }
            }
        }
    }
}
