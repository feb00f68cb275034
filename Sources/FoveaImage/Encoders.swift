import CJPEG
import CPNG
import Glibc

/// Writes PNG.
package enum PNGEncoder {
    /// - Parameters:
    ///   - rgb: height × width × 3 bytes, RGB8 in sRGB, rows from the top.
    ///   - level: zlib's, 0 (fast) to 9 (small).
    /// - Returns: the file; empty only where memory ends.
    package static func encode(_ rgb: [UInt8], width: Int, height: Int, level: Int = 6) -> [UInt8] {
        precondition(width > 0 && height > 0 && rgb.count == width * height * 3)
        var bytes: UnsafeMutablePointer<UInt8>?
        var size = 0
        _ = cpng_encode(rgb, UInt32(width), UInt32(height), Int32(level), &bytes, &size)
        defer { free(bytes) }
        return Array(UnsafeBufferPointer(start: bytes, count: size))
    }
}

/// Writes JPEG.
package enum JPEGEncoder {
    /// What the pixels are.
    package enum Kind: Sendable {
        /// Three bytes a pixel.
        case rgb
        /// One byte a pixel.
        case grey
        /// Four bytes a pixel, stored as they are; Adobe's programs store them inverted.
        case cmyk
        /// The same, stored as YCCK.
        case ycck
    }

    /// - Parameters:
    ///   - pixels: height × width pixels of `kind`, rows from the top.
    ///   - quality: libjpeg's, 1 to 100.
    ///   - subsampled: colour at half the resolution (4:2:0).
    ///   - adobeMarker: false leaves out the marker that says how CMYK is meant.
    /// - Returns: the file; empty only where memory ends or a side is above 65,500.
    package static func encode(
        _ pixels: [UInt8], width: Int, height: Int, kind: Kind = .rgb, quality: Int = 85, progressive: Bool = false,
        subsampled: Bool = true, adobeMarker: Bool = true
    ) -> [UInt8] {
        let (code, channels) =
            switch kind {
            case .rgb: (CJPEG_RGB, 3)
            case .grey: (CJPEG_GREY, 1)
            case .cmyk: (CJPEG_CMYK, 4)
            case .ycck: (CJPEG_YCCK, 4)
            }
        precondition(width > 0 && height > 0 && pixels.count == width * height * channels)
        var bytes: UnsafeMutablePointer<UInt8>?
        var size = 0
        _ = cjpeg_encode(
            pixels, UInt32(width), UInt32(height), code, Int32(quality), progressive ? 1 : 0, subsampled ? 2 : 1,
            adobeMarker ? 1 : 0, &bytes, &size)
        defer { free(bytes) }
        return Array(UnsafeBufferPointer(start: bytes, count: size))
    }
}
