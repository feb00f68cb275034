import FoveaModels

// An antialiased resize that takes rows as they are decoded and never holds the image.
//
//   row of the image ──horizontal──▶ row of the window ──vertical──▶ one sum per byte of the window
//   (W × 3 bytes)                    (w × 3 bytes)                   (h × w × 3 of Int32)
//
// The filter's support is widened by the scale when shrinking, so that every pixel of the image counts. Weights are
// fixed-point with 22 bits and each of the two passes rounds to 8 bits: the method of Pillow's `resize`, with which the
// result agrees but for the rounding of ties. Columns come first, always; Pillow does so too, except that since version 13
// it takes the rows first where the height shrinks much more than the width. A side that has its size already is copied.
// What framing cuts away costs nothing: rows outside the window are dropped, and columns outside are not computed.

/// Takes the rows of an image from the top and gives the resized image at the end.
///
/// One instance resizes one image. Sides are at least 1.
final class Resizer {
    let sourceWidth: Int
    let sourceHeight: Int

    private let columns: FramedSide
    private let rows: FramedSide
    private let horizontal: ResizeWeights?
    private let vertical: ResizeWeights?
    /// Rows of the image that count.
    private let needed: Range<Int>
    private let target: UnsafeMutablePointer<UInt8>
    /// Pixels of the window.
    private let width: Int
    private let height: Int
    /// One row of the window's width, where there is a horizontal pass.
    private let narrow: UnsafeMutablePointer<UInt8>
    /// One sum for each byte of the window, starting at one half; empty where there is no vertical pass.
    private let sums: UnsafeMutableBufferPointer<Int32>
    private var taken = 0
    /// The first row of the window whose pixels are not all taken.
    private var open = 0

    /// - Parameters:
    ///   - sourceWidth: pixels of the rows to come.
    ///   - target: the geometry's height × width × 3 bytes, the caller's; its window is filled when all rows were pushed,
    ///     its margins are left alone.
    init(
        sourceWidth: Int, sourceHeight: Int, _ geometry: FramingGeometry, _ resample: Resample,
        target: UnsafeMutablePointer<UInt8>
    ) {
        (self.sourceWidth, self.sourceHeight) = (sourceWidth, sourceHeight)
        (columns, rows) = (geometry.columns, geometry.rows)
        (width, height) = (columns.window.count, rows.window.count)
        self.target = target
        func weights(_ source: Int, _ side: FramedSide) -> ResizeWeights? {
            source == side.scaled
                ? nil : ResizeWeights(from: source, to: side.scaled, window: side.window, resample)
        }
        horizontal = weights(sourceWidth, columns)
        vertical = weights(sourceHeight, rows)
        needed = vertical?.needed ?? rows.window
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
        defer { taken += 1 }
        guard needed.contains(taken) else { return }
        var narrowed = row + columns.window.lowerBound * 3
        if let horizontal {
            Self.shrink(row, horizontal, to: narrow)
            narrowed = UnsafePointer(narrow)
        }
        if let vertical {
            add(narrowed, vertical)
        } else {
            place(taken - rows.window.lowerBound).update(from: narrowed, count: width * 3)
        }
    }

    /// Where a row of the window begins in the target.
    private func place(_ row: Int) -> UnsafeMutablePointer<UInt8> {
        target + ((rows.offset + row) * columns.target + columns.offset) * 3
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

    /// Adds a row to the sums of all rows of the window that take of it; those that are complete come out.
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
                    let to = self.place(place)
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
    /// The image as `target` says.
    package func framed(as target: ImageTarget) -> RGBImage {
        if target.height == height && target.width == width && target.framing == .stretch { return self }
        let result = [UInt8](unsafeUninitializedCapacity: target.bytes) { buffer, filled in
            let geometry = FramingGeometry(width: width, height: height, target: target)
            let start = buffer.baseAddress!
            geometry.fillMargins(of: start, target.framing)
            let resizer = Resizer(
                sourceWidth: width, sourceHeight: height, geometry, target.resample, target: start)
            pixels.withUnsafeBufferPointer { source in
                for y in 0..<height { resizer.push(source.baseAddress! + y * width * 3) }
            }
            filled = target.bytes
        }
        return RGBImage(width: target.width, height: target.height, pixels: result)
    }

    /// The image at another size, stretched.
    package func resized(width: Int, height: Int) -> RGBImage {
        framed(as: ImageTarget(height: height, width: width))
    }
}

extension FramingGeometry {
    /// Fills the target with the colour of `fit`, where the picture leaves margins.
    func fillMargins(of target: UnsafeMutablePointer<UInt8>, _ framing: Framing) {
        guard hasMargins, case .fit(let fill) = framing else { return }
        for pixel in 0..<columns.target * rows.target {
            target[3 * pixel] = fill.red
            target[3 * pixel + 1] = fill.green
            target[3 * pixel + 2] = fill.blue
        }
    }
}
