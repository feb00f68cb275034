import FoveaImage
import FoveaNN

/// Pictures made up on the spot that compress about as photographs do: slow waves, edges and a little noise. The same
/// seed draws the same picture.
enum Pictures {
    static func make(width: Int, height: Int, seed: UInt64) -> [UInt8] {
        var random = SeededGenerator(seed)
        func wave(_ count: Int) -> [Int] {
            // Straight pieces up and down: a wave without floating point.
            let period = max(4, Int(random.next() % UInt64(max(5, count))) + count / 8)
            let height = Int(random.next() % 96)
            return (0..<count).map { abs($0 % period * 2 - period) * height / period }
        }
        let across = (0..<3).map { _ in wave(width) }
        let down = (0..<3).map { _ in wave(height) }
        let (edge, step) = (Int(random.next() % UInt64(width)), Int(random.next() % 64))
        return [UInt8](unsafeUninitializedCapacity: width * height * 3) { buffer, filled in
            var place = 0
            for y in 0..<height {
                for x in 0..<width {
                    let noise = random.next()
                    let shade = x > edge ? step : 0
                    for channel in 0..<3 {
                        let grain = Int(noise >> UInt64(channel * 8) & 7)
                        buffer[place] = UInt8(clamping: across[channel][x] + down[channel][y] + shade + grain)
                        place += 1
                    }
                }
            }
            filled = place
        }
    }

    static func png(width: Int, height: Int, seed: UInt64) -> [UInt8] {
        PNGEncoder.encode(make(width: width, height: height, seed: seed), width: width, height: height)
    }

    static func jpeg(width: Int, height: Int, seed: UInt64) -> [UInt8] {
        JPEGEncoder.encode(make(width: width, height: height, seed: seed), width: width, height: height, quality: 90)
    }
}
