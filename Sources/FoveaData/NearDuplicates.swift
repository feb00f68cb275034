import FoveaImage
import FoveaModels

// The same picture once more: saved anew, in another format or size. What is compared is a small grey picture and the mean
// colour. A 64-bit difference hash alone does not do: of 1,282 photographs of clothing it finds 26 pairs at a distance of 0
// or 1, of which one is a pair. The limits are so narrow because a factory's pictures of one scene differ by little more than
// the part that they show: those are different pictures.

/// What is compared of a picture: 32 × 32 grey values and the mean colour.
package struct Thumbprint: Sendable, Equatable {
    static let side = 32
    static let target = ImageTarget(height: side, width: side)
    /// Largest mean difference of the grey values, and of each channel's mean.
    static let mean = 2
    /// Largest difference of one grey value.
    static let largest = 12

    /// Row by row.
    let grey: [UInt8]
    /// Sums over all pixels: red, green, blue.
    let sums: [Int]

    /// - Parameter image: 32 × 32 pixels.
    init(_ image: RGBImage) {
        precondition(image.width == Self.side && image.height == Self.side)
        var grey: [UInt8] = []
        grey.reserveCapacity(Self.side * Self.side)
        var sums = [0, 0, 0]
        for pixel in stride(from: 0, to: image.pixels.count, by: 3) {
            let (red, green, blue) = (
                Int(image.pixels[pixel]), Int(image.pixels[pixel + 1]), Int(image.pixels[pixel + 2])
            )
            grey.append(UInt8((299 * red + 587 * green + 114 * blue + 500) / 1000))
            sums[0] += red
            sums[1] += green
            sums[2] += blue
        }
        (self.grey, self.sums) = (grey, sums)
    }

    /// Whether both are of one picture.
    func isNear(_ other: Thumbprint) -> Bool {
        let pixels = Self.side * Self.side
        guard zip(sums, other.sums).allSatisfy({ abs($0 - $1) <= Self.mean * pixels }) else { return false }
        var sum = 0
        for i in 0..<pixels {
            let difference = abs(Int(grey[i]) - Int(other.grey[i]))
            if difference > Self.largest { return false }
            sum += difference
        }
        return sum <= Self.mean * pixels
    }
}

/// Groups of pictures that look the same.
package enum NearDuplicates {
    /// - Parameters:
    ///   - thumbprints: of each picture.
    ///   - keys: of each picture the first eight bytes of its digest.
    /// - Returns: of each picture its group's key, the smallest of its members' keys. Groups are closed: what is near to a
    ///   member is one.
    package static func groups(_ thumbprints: [Thumbprint], keys: [UInt64]) -> [UInt64] {
        precondition(thumbprints.count == keys.count)
        var parents = Array(keys.indices)
        func root(_ index: Int) -> Int {
            var index = index
            while parents[index] != index {
                parents[index] = parents[parents[index]]
                index = parents[index]
            }
            return index
        }
        // By the sum of the greens: near pictures are near each other, so each is compared with few.
        let order = keys.indices.sorted { (thumbprints[$0].sums[1], $0) < (thumbprints[$1].sums[1], $1) }
        let reach = Thumbprint.mean * Thumbprint.side * Thumbprint.side
        for (place, first) in order.enumerated() {
            for second in order[(place + 1)...] {
                if thumbprints[second].sums[1] - thumbprints[first].sums[1] > reach { break }
                let (one, other) = (root(first), root(second))
                if one == other { continue }
                if keys[first] == keys[second] || thumbprints[first].isNear(thumbprints[second]) {
                    parents[other] = one
                }
            }
        }
        var smallest: [Int: UInt64] = [:]
        for index in keys.indices {
            let root = root(index)
            smallest[root] = min(smallest[root] ?? .max, keys[index])
        }
        return keys.indices.map { smallest[root($0)]! }
    }
}
