/// A format that is read.
package enum ImageFormat: String, Sendable, Codable, CaseIterable {
    case png
    case jpeg

    /// The name as people write it.
    package var title: String { rawValue.uppercased() }
}

/// What the header says, and the decoder found.
package struct ImageInfo: Sendable, Equatable {
    package let format: ImageFormat
    /// Pixels as shown, that is after the EXIF orientation.
    package let width: Int
    package let height: Int

    package init(format: ImageFormat, width: Int, height: Int) {
        (self.format, self.width, self.height) = (format, width, height)
    }
}

/// An RGB image, 8 bits a channel in sRGB: height × width × 3 bytes, rows from the top, no padding.
package struct RGBImage: Sendable, Equatable {
    package let width: Int
    package let height: Int
    package var pixels: [UInt8]

    /// Traps where the number of bytes does not fit.
    package init(width: Int, height: Int, pixels: [UInt8]) {
        precondition(width > 0 && height > 0 && pixels.count == width * height * 3)
        self.width = width
        self.height = height
        self.pixels = pixels
    }
}

/// Bounds that hold before memory is taken for pixels; the defaults are those of the configuration's `limits:`.
package struct ImageLimits: Sendable, Equatable {
    /// Bytes of the file.
    package var bytes: Int
    /// Pixels along either side.
    package var side: Int
    /// Pixels altogether.
    package var pixels: Int

    package init(bytes: Int = 32 << 20, side: Int = 16384, pixels: Int = 50_000_000) {
        self.bytes = bytes
        self.side = side
        self.pixels = pixels
    }

    func check(bytes count: Int) throws(ImageError) {
        if count > bytes { throw .tooLarge("bytes", count, limit: bytes) }
    }

    func check(width: Int, height: Int) throws(ImageError) {
        if width > side { throw .tooLarge("width", width, limit: side) }
        if height > side { throw .tooLarge("height", height, limit: side) }
        if width * height > pixels { throw .tooLarge("pixels", width * height, limit: pixels) }
    }
}
