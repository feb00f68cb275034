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

    @Test func dependsOnSeedEpochAndIndexOnly() {
        let augmentation = Augmentation(shift: 4, seed: 1)
        #expect(augmentation.change(epoch: 2, index: 3) == Augmentation(shift: 4, seed: 1).change(epoch: 2, index: 3))
        func changes(_ seed: UInt64, _ epoch: Int) -> [Augmentation.Change] {
            (0..<50).map { Augmentation(shift: 4, seed: seed).change(epoch: epoch, index: $0) }
        }
        #expect(changes(1, 0) != changes(2, 0))
        #expect(changes(1, 0) != changes(1, 1))
        #expect(changes(1, 1) != changes(2, 0))
    }

    @Test func everyShiftComesUpAboutAsOften() {
        let augmentation = Augmentation(shift: 2, seed: 9)
        var counts: [Int: Int] = [:]
        var mirrored = 0
        for index in 0..<10_000 {
            let change = augmentation.change(epoch: 0, index: index)
            counts[(change.dx + 2) * 5 + change.dy + 2, default: 0] += 1
            mirrored += change.mirrored ? 1 : 0
        }
        #expect(counts.count == 25)
        #expect(counts.values.allSatisfy { (300...500).contains($0) })
        #expect((4800...5200).contains(mirrored))
    }

    @Test func nothingToDoIsACopy() {
        #expect(changed(.init(mirrored: false, dx: 0, dy: 0)) == image.pixels)
        let off = Augmentation(flip: false, shift: 0, seed: 3)
        for index in 0..<20 { #expect(off.change(epoch: 0, index: index) == .init(mirrored: false, dx: 0, dy: 0)) }
    }
}
