// The augmentation of omar-mohamed/Object-Classification-CIFAR-100, which has it from imgaug: any number of these three,
// in any order,
//
//     crop             0 to 12 pixels off each side (of 32; in proportion for other sizes), back to the old size
//     flip             left to right, half of the time
//     coarse dropout   up to a fifth of a coarse grid (2 to 25 % of the image's sides, at least 4) black, half of the
//                      time each channel by itself
enum SeedAugmentation {
    private enum Step { case crop, flip, dropout }

    static func apply(
        _ source: UnsafePointer<UInt8>, to target: UnsafeMutablePointer<UInt8>, height: Int, width: Int,
        scratch: Scratch, using random: inout some RandomNumberGenerator
    ) {
        let count = height * width * 3
        target.update(from: source, count: count)
        var steps: InlineArray = [Step.crop, .flip, .dropout]
        for i in 0..<2 { steps.swapAt(i, i + Int.random(in: 0..<3 - i, using: &random)) }
        for i in 0..<Int.random(in: 0...3, using: &random) {
            switch steps[i] {
            case .crop: crop(target, height: height, width: width, scratch: scratch, using: &random)
            case .flip:
                guard Bool.random(using: &random) else { continue }
                let copy = scratch.take(count, of: UInt8.self).baseAddress!
                copy.update(from: target, count: count)
                Augmentation.Change(mirrored: true, dx: 0, dy: 0)
                    .apply(copy, to: target, height: height, width: width, scratch: scratch)
            case .dropout: dropOut(target, height: height, width: width, scratch: scratch, using: &random)
            }
        }
    }

    private static func crop(
        _ pixels: UnsafeMutablePointer<UInt8>, height: Int, width: Int, scratch: Scratch,
        using random: inout some RandomNumberGenerator
    ) {
        func cut(_ side: Int) -> Range<Int> {
            let most = side * 12 / 32
            let first = Int.random(in: 0...most, using: &random)
            let last = side - Int.random(in: 0...most, using: &random)
            return first..<max(first + 1, last)
        }
        let (rows, columns) = (cut(height), cut(width))
        let part = FloatImage(height: rows.count, width: columns.count, scratch: scratch)
        for (y, row) in rows.enumerated() {
            for i in 0..<columns.count * 3 {
                part.values[y * columns.count * 3 + i] = Float(pixels[(row * width + columns.lowerBound) * 3 + i])
            }
        }
        part.resized(height: height, width: width).store(pixels)
    }

    private static func dropOut(
        _ pixels: UnsafeMutablePointer<UInt8>, height: Int, width: Int, scratch: Scratch,
        using random: inout some RandomNumberGenerator
    ) {
        let share = Double.random(in: 0...0.2, using: &random)
        let size = Double.random(in: 0.02...0.25, using: &random)
        let alone = Bool.random(using: &random)
        let rows = max(min(4, height), Int(Double(height) * size))
        let columns = max(min(4, width), Int(Double(width) * size))
        let channels = alone ? 3 : 1
        let gone = scratch.take(rows * columns * channels, of: Bool.self)
        for i in gone.indices {
            gone.initializeElement(at: i, to: Double.random(in: 0..<1, using: &random) < share)
        }
        for y in 0..<height {
            for x in 0..<width {
                let cell = (y * rows / height * columns + x * columns / width) * channels
                for c in 0..<3 where gone[cell + (alone ? c : 0)] { pixels[(y * width + x) * 3 + c] = 0 }
            }
        }
    }
}
