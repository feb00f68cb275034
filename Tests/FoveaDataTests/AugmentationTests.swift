import FoveaData
import FoveaTestKit
import Testing

struct AugmentationTests {
    private let image = SyntheticImage.noise(width: 9, height: 7, seed: 5)

    private func changed(_ change: Augmentation.Change) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: image.pixels.count)
        change.apply(image.pixels, to: &result, height: 7, width: 9)
        return result
    }

    /// As padding by numpy's `reflect`, then a crop, then a flip would do it.
    @Test func agreesWithPaddingAndCropping() {
        func reflected(_ i: Int, _ n: Int) -> Int {
            let period = 2 * (n - 1)
            let m = ((i % period) + period) % period
            return m < n ? m : period - m
        }
        for dx in -4...4 {
            for dy in -4...4 {
                for mirrored in [false, true] {
                    var expected: [UInt8] = []
                    for y in 0..<7 {
                        for x in 0..<9 {
                            let column = reflected(x - dx, 9)
                            expected += image.pixel(mirrored ? 8 - column : column, reflected(y - dy, 7))
                        }
                    }
                    #expect(changed(.init(mirrored: mirrored, dx: dx, dy: dy)) == expected)
                }
            }
        }
    }

    @Test func theSameRandomNumbersGiveTheSameChanges() {
        func changes(_ seed: UInt64, flip: Bool = true) -> [Augmentation.Change] {
            var random = SplitMix64(seed: seed)
            return (0..<50).map { _ in Augmentation(flip: flip ? .random : .none).change(using: &random) }
        }
        #expect(changes(1) == changes(1))
        #expect(changes(1) != changes(2))
        #expect(changes(1).map(\.dx) == changes(1, flip: false).map(\.dx))
    }

    @Test func everyShiftComesUpAboutAsOften() {
        let augmentation = Augmentation(shift: 2)
        var random = SplitMix64(seed: 9)
        var counts: [Int: Int] = [:]
        var mirrored = 0
        for _ in 0..<10_000 {
            let change = augmentation.change(using: &random)
            counts[(change.dx + 2) * 5 + change.dy + 2, default: 0] += 1
            mirrored += change.mirrored ? 1 : 0
        }
        #expect(counts.count == 25)
        #expect(counts.values.allSatisfy { (300...500).contains($0) })
        #expect((4800...5200).contains(mirrored))
    }

    @Test func nothingToDoIsACopy() {
        #expect(changed(.init(mirrored: false, dx: 0, dy: 0)) == image.pixels)
        let off = Augmentation(flip: .none, shift: 0)
        var random = SplitMix64(seed: 3)
        for _ in 0..<20 { #expect(off.change(using: &random) == .init(mirrored: false, dx: 0, dy: 0)) }
    }
}
