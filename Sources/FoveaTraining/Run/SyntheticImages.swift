import FoveaNN

/// Images made from nothing, for golden sets: no picture of a data set travels with a model, and the same seed draws
/// the same images everywhere. They are meant to differ in all that a network reacts to: noise, edges, areas, colours.
enum SyntheticImages {
    /// RGB8, count × height × width × 3.
    static func make(count: Int, height: Int, width: Int, seed: UInt64) -> [UInt8] {
        (0..<count).flatMap { index in
            var generator = SeededGenerator(seed, UInt64(index))
            return image(kind: index, height: height, width: width, &generator)
        }
    }

    private typealias Colour = (Int, Int, Int)

    private static func image(kind: Int, height: Int, width: Int, _ generator: inout SeededGenerator) -> [UInt8] {
        let (first, second) = (colour(&generator), colour(&generator))
        // Integer arithmetic only: not a bit may depend on the machine.
        var pixels = [Colour](repeating: first, count: height * width)
        switch kind % 4 {
        case 0:
            // Noise, in cells of one pixel or of four by four.
            let cell = kind % 8 == 0 ? 1 : 4
            let across = (width + cell - 1) / cell
            let cells = (0..<(height + cell - 1) / cell * across).map { _ in colour(&generator) }
            for y in 0..<height { for x in 0..<width { pixels[y * width + x] = cells[y / cell * across + x / cell] } }
        case 1:
            // A gradient across, or along the diagonal.
            let span = kind % 8 == 1 ? width : width + height
            for y in 0..<height {
                for x in 0..<width {
                    let position = kind % 8 == 1 ? x : x + y
                    pixels[y * width + x] = mix(first, second, position, span)
                }
            }
        case 2:
            for _ in 0..<(kind % 8 == 2 ? 1 : 5) { disc(&pixels, height, width, &generator) }
        default:
            // Discs before a checkerboard.
            for y in 0..<height { for x in 0..<width where (x / 4 + y / 4) % 2 == 0 { pixels[y * width + x] = second } }
            for _ in 0..<(kind % 8 == 3 ? 0 : 3) { disc(&pixels, height, width, &generator) }
        }
        return pixels.flatMap { [UInt8($0.0), UInt8($0.1), UInt8($0.2)] }
    }

    private static func colour(_ generator: inout SeededGenerator) -> Colour {
        let bits = generator.next()
        return (Int(bits & 255), Int(bits >> 8 & 255), Int(bits >> 16 & 255))
    }

    private static func mix(_ a: Colour, _ b: Colour, _ position: Int, _ span: Int) -> Colour {
        func channel(_ a: Int, _ b: Int) -> Int { (a * (span - position) + b * position) / span }
        return (channel(a.0, b.0), channel(a.1, b.1), channel(a.2, b.2))
    }

    private static func disc(
        _ pixels: inout [Colour], _ height: Int, _ width: Int, _ generator: inout SeededGenerator
    ) {
        let paint = colour(&generator)
        let side = UInt64(max(2, min(height, width)))
        let radius = Int(2 + generator.next() % (side / 2))
        let (centreX, centreY) = (Int(generator.next() % UInt64(width)), Int(generator.next() % UInt64(height)))
        for y in 0..<height {
            for x in 0..<width {
                let (dx, dy) = (x - centreX, y - centreY)
                if dx * dx + dy * dy <= radius * radius { pixels[y * width + x] = paint }
            }
        }
    }
}
