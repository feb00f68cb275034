import CAllocations
import FoveaData
import FoveaSystem
import FoveaTestKit
import Testing

struct AugmentationTests {
    private let image = SyntheticImage.noise(width: 9, height: 7, seed: 5)

    private func changed(_ change: Augmentation.Change) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: image.pixels.count)
        change.apply(image.pixels, to: &result, height: 7, width: 9, scratch: Scratch())
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

    private func applied(_ augmentation: Augmentation, seed: UInt64, index: Int = 0, epoch: Int = 0) -> [UInt8] {
        let image = SyntheticImage.noise(width: 32, height: 32, seed: 5)
        var random = SplitMix64(seed: seed)
        var result = [UInt8](repeating: 0, count: image.pixels.count)
        augmentation.apply(
            image.pixels, to: &result, height: 32, width: 32, index: index, epoch: epoch, scratch: Scratch(),
            using: &random)
        return result
    }

    @Test func cutoutIsAGreySquare() {
        let plain = applied(Augmentation(flip: .none, shift: 0), seed: 1)
        for seed in 1...20 as ClosedRange<UInt64> {
            let cut = applied(Augmentation(flip: .none, shift: 0, cutout: 8), seed: seed)
            let places = (0..<1024).filter { cut[$0 * 3..<$0 * 3 + 3] != plain[$0 * 3..<$0 * 3 + 3] }
            #expect(!places.isEmpty && places.count <= 64)
            #expect(places.allSatisfy { cut[$0 * 3..<$0 * 3 + 3].allSatisfy { $0 == 127 } })
            let (rows, columns) = (places.map { $0 / 32 }, places.map { $0 % 32 })
            #expect(rows.max()! - rows.min()! < 8 && columns.max()! - columns.min()! < 8)
        }
    }

    @Test func aShareOfTheImagesIsBlurred() {
        let plain = applied(Augmentation(flip: .none, shift: 0), seed: 1)
        let blurred = (0..<300).filter { seed in
            applied(Augmentation(flip: .none, shift: 0, blur: 0.3), seed: seed) != plain
        }
        #expect((60...120).contains(blurred.count))
        #expect(Augmentation(blur: 0.1).blurs && !Augmentation().blurs)
    }

    @Test func alternatingFlipsAlternate() {
        let augmentation = Augmentation(flip: .alternating, shift: 0)
        for index in 0..<10 {
            let epochs = (0..<4).map { applied(augmentation, seed: UInt64($0), index: index, epoch: $0) }
            #expect(epochs[0] == epochs[2] && epochs[1] == epochs[3] && epochs[0] != epochs[1])
        }
    }

    /// Sometimes nothing, sometimes black spots, sometimes a part of the image enlarged.
    @Test func theSeedsAugmentationDoesAllThreeAndSometimesNothing() {
        let seed = Augmentation(isSeed: true)
        let plain = applied(Augmentation(flip: .none, shift: 0), seed: 1)
        let results = (0..<200).map { applied(seed, seed: $0) }
        let same = results.filter { $0 == plain }.count
        let black = results.filter { result in
            (0..<1024).filter { result[$0 * 3] == 0 && plain[$0 * 3] != 0 }.count > 30
        }.count
        #expect((30...110).contains(same))
        #expect((20...120).contains(black))
        #expect(applied(seed, seed: 7) == results[7])
    }

    /// What a training allocates for its images it has after the first ones.
    @Test(arguments: [
        Augmentation(isSeed: true), Augmentation(flip: .random, shift: 4, cutout: 8, blur: 0.7),
    ]) func nothingIsAllocatedForAnImage(_ augmentation: Augmentation) {
        for (width, height) in [(32, 32), (160, 120)] {
            let image = SyntheticImage.noise(width: width, height: height, seed: 5)
            let target = UnsafeMutablePointer<UInt8>.allocate(capacity: image.pixels.count)
            defer { target.deallocate() }
            let scratch = Scratch()
            var random = SplitMix64(seed: 1)
            image.pixels.withUnsafeBufferPointer { pixels in
                func apply(_ count: Int) {
                    for index in 0..<count {
                        augmentation.apply(
                            pixels.baseAddress!, to: target, height: height, width: width, index: index, epoch: 0,
                            scratch: scratch, using: &random)
                    }
                }
                apply(200)
                random = SplitMix64(seed: 1)
                let before = allocations_of_this_thread()
                apply(200)
                #expect(allocations_of_this_thread() == before, "\(width)")
            }
        }
    }
}
