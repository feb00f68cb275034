import FoveaImage

/// Images of one size with their labels, in memory.
package struct LabelledImages: Sendable, Equatable {
    /// Pixels of every image.
    package let height: Int
    package let width: Int
    /// N × height × width × 3 bytes, RGB8.
    package var pixels: [UInt8]
    /// N labels.
    package var labels: [UInt16]

    /// Traps where the sizes do not fit.
    package init(height: Int, width: Int, pixels: [UInt8] = [], labels: [UInt16] = []) {
        precondition(pixels.count == labels.count * height * width * 3)
        (self.height, self.width, self.pixels, self.labels) = (height, width, pixels, labels)
    }

    package var count: Int { labels.count }

    /// Bytes of one image.
    package var imageBytes: Int { height * width * 3 }

    /// A copy of one image.
    package func image(_ index: Int) -> RGBImage {
        RGBImage(
            width: width, height: height, pixels: Array(pixels[index * imageBytes..<(index + 1) * imageBytes]))
    }

    package mutating func append(_ image: RGBImage, label: UInt16) {
        precondition(image.width == width && image.height == height)
        pixels += image.pixels
        labels.append(label)
    }

    /// The images at `indices`, in that order.
    package func selecting(_ indices: [Int]) -> LabelledImages {
        var chosen: [UInt8] = []
        chosen.reserveCapacity(indices.count * imageBytes)
        for i in indices { chosen += pixels[i * imageBytes..<(i + 1) * imageBytes] }
        return LabelledImages(height: height, width: width, pixels: chosen, labels: indices.map { labels[$0] })
    }

    /// The images after a filter has been over each, once: the filters of a model's chain, which keep the size.
    ///
    /// - Parameters:
    ///   - batch: most images in one call.
    ///   - filter: takes and fills `count` × height × width × 3 bytes; the two do not overlap.
    package func filtered(
        batch: Int = 256,
        _ filter: (_ input: UnsafePointer<UInt8>, _ output: UnsafeMutablePointer<UInt8>, _ count: Int) throws -> Void
    ) rethrows -> LabelledImages {
        let output = try [UInt8](unsafeUninitializedCapacity: pixels.count) { buffer, filled in
            try pixels.withUnsafeBufferPointer { input in
                for first in stride(from: 0, to: count, by: batch) {
                    let images = min(batch, count - first)
                    let offset = first * imageBytes
                    try filter(input.baseAddress! + offset, buffer.baseAddress! + offset, images)
                    filled = offset + images * imageBytes
                }
            }
        }
        return LabelledImages(height: height, width: width, pixels: output, labels: labels)
    }
}
