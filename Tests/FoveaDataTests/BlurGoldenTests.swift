import Foundation
import FoveaData
import Testing

/// The five blurs of CIFAR-100-C against values computed with numpy and scipy; see make_blur_golden.py.
struct BlurGoldenTests {
    private struct Golden: Decodable {
        let side: Int
        let seed: UInt64
        /// The image's index at each severity; it decides the angle of motion and the moves of glass.
        let indices: [Int]
        let image: String
        /// For each blur and severity the original's values before it makes bytes of them, in sixteenths, rounded down.
        let blurs: [String: [String]]

        init() throws {
            let file = try #require(Bundle.module.url(forResource: "Golden/blurs", withExtension: "json"))
            self = try JSONDecoder().decode(Golden.self, from: Data(contentsOf: file))
        }
    }

    /// Numbers of `digits` hexadecimal digits each.
    private func numbers(_ hex: String, digits: Int) -> [Int] {
        let text = Array(hex.utf8)
        return stride(from: 0, to: text.count - digits + 1, by: digits).map {
            Int(String(decoding: text[$0..<$0 + digits], as: UTF8.self), radix: 16) ?? -1
        }
    }

    @Test(arguments: Corruption.allCases, Corruption.severities)
    func isTheOriginal(_ corruption: Corruption, _ severity: Int) throws {
        let golden = try Golden()
        var pixels = numbers(golden.image, digits: 2).map { UInt8(clamping: $0) }
        try #require(pixels.count == golden.side * golden.side * 3)
        pixels.withUnsafeMutableBufferPointer {
            corruption.apply(
                $0.baseAddress!, height: golden.side, width: golden.side, severity: severity,
                index: golden.indices[severity - 1], seed: golden.seed, scratch: Scratch())
        }
        let expected = numbers(try #require(golden.blurs[corruption.rawValue])[severity - 1], digits: 3)
        try #require(expected.count == pixels.count)
        // We round where the original cuts fractions off, so that no byte is further than half a step, 8 sixteenths,
        // from the original's value; what the golden itself cut off adds one. The ends, -8 and 9, are of values that
        // lie halfway up to the last bits of a Float. So our bytes are the original's or greater by one, without
        // exception. This image leaves glass nothing to decide by such bits, as picture() says; in others a byte may be
        // off by one more.
        let differences = zip(pixels, expected).map { 16 * Int($0) - $1 }
        let outside = differences.count { !(-8...9).contains($0) }
        #expect(outside == 0, "largest difference \(differences.map(abs).max() ?? 0) sixteenths")
    }
}
