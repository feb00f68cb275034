// An antialiased resize that takes rows as they are decoded and never holds the image.
//
//   row of the image ──horizontal──▶ row of the target's width ──vertical──▶ one sum per byte of the target
//   (W × 3 bytes)                    (w × 3 bytes)                           (h × w × 3 of Int32)
//
// The filter is the triangle (bilinear), its support widened by the scale when shrinking, so that every pixel of the
// image counts. Weights are fixed-point with 22 bits and each of the two passes rounds to 8 bits: the method of
// Pillow's `resize(BILINEAR)`, with which it agrees but for the rounding of ties. A side that has its size already is copied.
// The aspect ratio is not kept: the image is stretched to the target.

/// The weights along one side.
struct ResizeWeights {
    static let bits = 22

    /// For each place of the target: the first place of the source, and how many follow from there.
    let starts: [Int32]
    let counts: [Int32]
    /// `stride` weights for each place of the target, of which `counts` are used; they sum to 1 << 22 or nearly so.
    let weights: [Int32]
    let stride: Int

    init(from source: Int, to target: Int) {
        let scale = Double(source) / Double(target)
        let support = max(scale, 1)
        stride = Int(support.rounded(.up)) * 2 + 1
        var starts: [Int32] = []
        var counts: [Int32] = []
        var weights = [Int32](repeating: 0, count: stride * target)
        var row = [Double](repeating: 0, count: stride)
        for place in 0..<target {
            let center = (Double(place) + 0.5) * scale
            let first = max(Int(center - support + 0.5), 0)
            let count = min(Int(center + support + 0.5), source) - first
            var sum = 0.0
            for k in 0..<count {
                row[k] = max(0, 1 - abs((Double(first + k) - center + 0.5) / support))
                sum += row[k]
            }
            for k in 0..<count {
                weights[place * stride + k] = Int32(row[k] / sum * Double(1 << Self.bits) + 0.5)
            }
            starts.append(Int32(first))
            counts.append(Int32(count))
        }
        (self.starts, self.counts, self.weights) = (starts, counts, weights)
    }
}

/// Takes the rows of an image from the top and gives the resized image at the end.
///
/// One instance resizes one image. Sides are at least 1.
final class Resizer {
    let sourceWidth: Int
    let sourceHeight: Int
    let width: Int
    let height: Int

    private let horizontal: ResizeWeights?
    private let vertical: ResizeWeights?
    private let target: UnsafeMutablePointer<UInt8>
    /// One row of the target's width, where there is a horizontal pass.
    private let narrow: UnsafeMutablePointer<UInt8>
    /// One sum for each byte of the target, starting at one half; empty where there is no vertical pass.
    private let sums: UnsafeMutableBufferPointer<Int32>
    private var taken = 0
    /// The first row of the target whose window is not past.
    private var open = 0

    /// - Parameter target: height × width × 3 bytes, the caller's; filled when all rows were pushed.
    init(
        sourceWidth: Int, sourceHeight: Int, width: Int, height: Int, target: UnsafeMutablePointer<UInt8>
    ) {
        (self.sourceWidth, self.sourceHeight) = (sourceWidth, sourceHeight)
        (self.width, self.height) = (width, height)
        self.target = target
        horizontal = sourceWidth == width ? nil : ResizeWeights(from: sourceWidth, to: width)
        vertical = sourceHeight == height ? nil : ResizeWeights(from: sourceHeight, to: height)
        narrow = .allocate(capacity: width * 3)
        sums = .allocate(capacity: vertical == nil ? 0 : height * width * 3)
        sums.initialize(repeating: 1 << (ResizeWeights.bits - 1))
    }

    deinit {
        narrow.deallocate()
        sums.deallocate()
    }

    /// The next row, `sourceWidth` × 3 bytes.
    func push(_ row: UnsafePointer<UInt8>) {
        precondition(taken < sourceHeight)
        var narrowed = row
        if let horizontal {
            Self.shrink(row, horizontal, to: narrow)
            narrowed = UnsafePointer(narrow)
        }
        if let vertical {
            add(narrowed, vertical)
        } else {
            (target + taken * width * 3).update(from: narrowed, count: width * 3)
        }
        taken += 1
    }

    private static func shrink(
        _ row: UnsafePointer<UInt8>, _ weights: ResizeWeights, to narrow: UnsafeMutablePointer<UInt8>
    ) {
        let half: Int32 = 1 << (ResizeWeights.bits - 1)
        let stride = weights.stride
        weights.weights.withUnsafeBufferPointer { all in
            weights.starts.withUnsafeBufferPointer { starts in
                weights.counts.withUnsafeBufferPointer { counts in
                    var weight = all.baseAddress!
                    var to = narrow
                    for place in 0..<starts.count {
                        var (red, green, blue) = (half, half, half)
                        var from = row + Int(starts[place]) * 3
                        for k in 0..<Int(counts[place]) {
                            let w = weight[k]
                            red &+= Int32(from[0]) &* w
                            green &+= Int32(from[1]) &* w
                            blue &+= Int32(from[2]) &* w
                            from += 3
                        }
                        to[0] = rounded(red)
                        to[1] = rounded(green)
                        to[2] = rounded(blue)
                        to += 3
                        weight += stride
                    }
                }
            }
        }
    }

    /// Adds a row to the sums of all rows of the target whose window it is in; those that are complete come out.
    private func add(_ row: UnsafePointer<UInt8>, _ weights: ResizeWeights) {
        let count = width * 3
        var place = open
        while place < height {
            let k = taken - Int(weights.starts[place])
            if k < 0 { break }
            let rows = Int(weights.counts[place])
            if k < rows {
                let weight = weights.weights[place * weights.stride + k]
                let sum = sums.baseAddress! + place * count
                for i in 0..<count { sum[i] &+= Int32(row[i]) &* weight }
                if k == rows - 1 {
                    let to = target + place * count
                    for i in 0..<count { to[i] = Self.rounded(sum[i]) }
                }
            }
            if k >= rows - 1, place == open { open += 1 }
            place += 1
        }
    }

    @inline(__always)
    private static func rounded(_ sum: Int32) -> UInt8 {
        UInt8(truncatingIfNeeded: min(max(sum >> Int32(ResizeWeights.bits), 0), 255))
    }
}

extension RGBImage {
    /// The image at another size, stretched; see `Resizer` for the filter.
    package func resized(width: Int, height: Int) -> RGBImage {
        precondition(width > 0 && height > 0)
        let result = [UInt8](unsafeUninitializedCapacity: width * height * 3) { buffer, filled in
            let resizer = Resizer(
                sourceWidth: self.width, sourceHeight: self.height, width: width, height: height,
                target: buffer.baseAddress!)
            pixels.withUnsafeBufferPointer { source in
                for y in 0..<self.height { resizer.push(source.baseAddress! + y * self.width * 3) }
            }
            filled = width * height * 3
        }
        return RGBImage(width: width, height: height, pixels: result)
    }
}
