// Random changes to training images: mirrored left to right half of the time, and moved by up to n pixels either way,
// the border filled by reflection (He et al. 2015, section 4.2, there with zeros).

/// Flip and shift of RGB8 images.
package struct Augmentation: Sendable, Equatable {
    /// Mirror left to right, half of the time.
    package var flip: Bool
    /// Most pixels to move in each direction; below either side of the images.
    package var shift: Int

    package init(flip: Bool = true, shift: Int = 4) {
        precondition(shift >= 0)
        (self.flip, self.shift) = (flip, shift)
    }

    /// What is done to one image.
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

    /// Draws a change; always as many numbers, whatever is switched on.
    package func change(using random: inout some RandomNumberGenerator) -> Change {
        let mirrored = Bool.random(using: &random)
        let dx = Int.random(in: -shift...shift, using: &random)
        let dy = Int.random(in: -shift...shift, using: &random)
        return Change(mirrored: flip && mirrored, dx: dx, dy: dy)
    }
}

extension Augmentation.Change {
    /// Copies an image with its change.
    ///
    /// - Parameters:
    ///   - source: height × width × 3 bytes.
    ///   - target: as many, no overlap.
    package func apply(
        _ source: UnsafePointer<UInt8>, to target: UnsafeMutablePointer<UInt8>, height: Int, width: Int
    ) {
        precondition(abs(dx) < width && abs(dy) < height)
        withUnsafeTemporaryAllocation(of: Int.self, capacity: width) { columns in
            for x in 0..<width {
                let column = Self.reflected(x - dx, width)
                columns[x] = 3 * (mirrored ? width - 1 - column : column)
            }
            var to = target
            for y in 0..<height {
                let row = source + Self.reflected(y - dy, height) * width * 3
                for x in 0..<width {
                    let from = row + columns[x]
                    to[0] = from[0]
                    to[1] = from[1]
                    to[2] = from[2]
                    to += 3
                }
            }
        }
    }

    /// Reflection that does not repeat the border: −1 is 1, `count` is `count` − 2.
    private static func reflected(_ place: Int, _ count: Int) -> Int {
        place < 0 ? -place : place >= count ? 2 * (count - 1) - place : place
    }
}
