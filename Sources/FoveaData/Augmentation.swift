import FoveaSystem

// Random changes to training images.
//
//     source ─ blur ─ flip and shift ─ cutout ─▶ target          what Fovea's own recipes draw from
//     source ─ some of (crop, flip, coarse dropout) ─▶ target    the seed's (SeedAugmentation.swift)

/// What may be done to an RGB8 image before the network sees it.
package struct Augmentation: Sendable, Equatable {
    /// Mirroring left to right: never, by a throw of the dice, or every other time that an image comes.
    package enum Flip: Sendable { case none, random, alternating }

    package var flip: Flip
    /// Most pixels to move in each direction, the border filled by reflection (He et al. 2015, section 4.2, there with
    /// zeros); below either side of the images.
    package var shift: Int
    /// Side of a grey square at a random place, cut at the border (DeVries & Taylor 2017); 0: none.
    package var cutout: Int
    /// Share of the images that are blurred, by `Blur.drawn`.
    package var blur: Double
    /// Instead of all that: the seed's own.
    package var isSeed: Bool

    package init(flip: Flip = .random, shift: Int = 4, cutout: Int = 0, blur: Double = 0, isSeed: Bool = false) {
        precondition(shift >= 0 && cutout >= 0 && (0...1).contains(blur))
        (self.flip, self.shift, self.cutout, self.blur, self.isSeed) = (flip, shift, cutout, blur, isSeed)
    }

    /// Whether it blurs images.
    package var blurs: Bool { blur > 0 && !isSeed }

    /// Where an image goes.
    package struct Change: Sendable, Equatable {
        package var mirrored: Bool
        /// The image moves right and down by these, −shift to shift.
        package var dx: Int
        package var dy: Int

        package init(mirrored: Bool, dx: Int, dy: Int) {
            (self.mirrored, self.dx, self.dy) = (mirrored, dx, dy)
        }
    }

    /// Whether an image is mirrored that comes mirrored every other time; which time first, its index decides.
    package static func alternates(index: Int, epoch: Int) -> Bool {
        (SplitMix64.mixed(UInt64(bitPattern: Int64(index)) &+ 1) ^ UInt64(bitPattern: Int64(epoch))) & 1 == 1
    }

    /// Draws flip and shift; always as many numbers, whatever is switched on.
    package func change(using random: inout some RandomNumberGenerator) -> Change {
        let mirrored = Bool.random(using: &random)
        let dx = Int.random(in: -shift...shift, using: &random)
        let dy = Int.random(in: -shift...shift, using: &random)
        return Change(mirrored: flip == .random && mirrored, dx: dx, dy: dy)
    }

    /// Copies an image, changed.
    ///
    /// - Parameters:
    ///   - source: height × width × 3 bytes.
    ///   - target: as many, no overlap.
    ///   - index: of the image in its data set; with the epoch it decides an alternating flip.
    ///   - scratch: memory that nobody else uses meanwhile; the same one for each image.
    package func apply(
        _ source: UnsafePointer<UInt8>, to target: UnsafeMutablePointer<UInt8>, height: Int, width: Int, index: Int,
        epoch: Int, scratch: Scratch, using random: inout some RandomNumberGenerator
    ) {
        defer { scratch.giveBack() }
        if isSeed {
            SeedAugmentation.apply(
                source, to: target, height: height, width: width, scratch: scratch, using: &random)
            return
        }
        var change = change(using: &random)
        if flip == .alternating { change.mirrored = Self.alternates(index: index, epoch: epoch) }
        if blur > 0, Double.random(in: 0..<1, using: &random) < blur {
            let blur = Blur.drawn(scale: Double(min(height, width)) / 32, using: &random)
            let copy = scratch.take(height * width * 3, of: UInt8.self).baseAddress!
            copy.update(from: source, count: height * width * 3)
            blur.apply(copy, height: height, width: width, scratch: scratch)
            change.apply(copy, to: target, height: height, width: width, scratch: scratch)
        } else {
            change.apply(source, to: target, height: height, width: width, scratch: scratch)
        }
        if cutout > 0 {
            let y = Int.random(in: 0..<height, using: &random) - cutout / 2
            let x = Int.random(in: 0..<width, using: &random) - cutout / 2
            let columns = max(0, x)..<min(width, x + cutout)
            for row in max(0, y)..<min(height, y + cutout) {
                (target + (row * width + columns.lowerBound) * 3).update(repeating: 127, count: columns.count * 3)
            }
        }
    }
}

extension Augmentation.Change {
    /// Copies an image with its change.
    ///
    /// - Parameters:
    ///   - source: height × width × 3 bytes.
    ///   - target: as many, no overlap.
    package func apply(
        _ source: UnsafePointer<UInt8>, to target: UnsafeMutablePointer<UInt8>, height: Int, width: Int,
        scratch: Scratch
    ) {
        precondition(abs(dx) < width && abs(dy) < height)
        let columns = scratch.take(width, of: Int.self)
        for x in 0..<width {
            let column = Self.reflected(x - dx, width)
            columns.initializeElement(at: x, to: 3 * (mirrored ? width - 1 - column : column))
        }
        var to = target
        for y in 0..<height {
            let row = source + Self.reflected(y - dy, height) * width * 3
            for column in columns {
                let from = row + column
                to[0] = from[0]
                to[1] = from[1]
                to[2] = from[2]
                to += 3
            }
        }
    }

    /// Reflection that does not repeat the border: −1 is 1, `count` is `count` − 2.
    private static func reflected(_ place: Int, _ count: Int) -> Int {
        place < 0 ? -place : place >= count ? 2 * (count - 1) - place : place
    }
}
