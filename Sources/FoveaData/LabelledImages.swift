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

    package mutating func append(_ more: LabelledImages) {
        precondition(more.width == width && more.height == height)
        pixels += more.pixels
        labels += more.labels
    }

    /// The images at `indices`, in that order.
    package func selecting(_ indices: [Int]) -> LabelledImages {
        var chosen: [UInt8] = []
        chosen.reserveCapacity(indices.count * imageBytes)
        for i in indices { chosen += pixels[i * imageBytes..<(i + 1) * imageBytes] }
        return LabelledImages(height: height, width: width, pixels: chosen, labels: indices.map { labels[$0] })
    }
}
