import FoveaModels
import Glibc

// Bytes in, pixels of the size wanted out. Used in sandboxed processes: no files are opened and no threads started.
//
// Rows stream from the decoder through the resizer, so memory is that of one row and of the result, except for what
// the formats themselves force: an interlaced PNG is held as a whole (3 or 4 bytes a pixel), a progressive JPEG as
// coefficients (3 to 8 bytes a pixel). The EXIF orientation is applied to the small result.

/// Decodes PNG and JPEG, recognised by content.
package enum ImageDecoder {
    /// Decodes an image to the size of `target`, framed and resampled as the target says. An image that has that size
    /// comes out bit for bit, unless it is cropped.
    ///
    /// - Parameters:
    ///   - bytes: the whole file.
    ///   - limits: checked on the header, before memory is taken for pixels.
    ///   - pixels: height × width × 3 bytes, RGB8; undefined after an error.
    /// - Returns: format and size of the image as shown.
    @discardableResult
    package static func decode(
        _ bytes: UnsafeRawBufferPointer, target: ImageTarget, limits: ImageLimits = ImageLimits(),
        into pixels: UnsafeMutablePointer<UInt8>
    ) throws(ImageError) -> ImageInfo {
        try limits.check(bytes: bytes.count)
        let format = try ContentSniffer.format(of: bytes)
        let orientation = Orientation.of(bytes, format: format)
        let info: ImageInfo
        let reader: any RowReader
        let geometry: FramingGeometry
        switch format {
        case .png:
            reader = try PNGReader(bytes, limits: limits)
            info = Self.info(format, (reader.width, reader.height), orientation)
            geometry = FramingGeometry(width: info.width, height: info.height, target: target).stored(orientation)
        case .jpeg:
            let jpeg = try JPEGReader(bytes, limits: limits)
            info = Self.info(format, (jpeg.fullWidth, jpeg.fullHeight), orientation)
            geometry = FramingGeometry(width: info.width, height: info.height, target: target).stored(orientation)
            try jpeg.start(
                width: geometry.columns.scaled, height: geometry.rows.scaled, resample: target.resample, limits: limits)
            reader = jpeg
        }
        if orientation == .normal {
            try run(reader, geometry, target, into: pixels)
        } else {
            let stored = UnsafeMutablePointer<UInt8>.allocate(capacity: target.bytes)
            defer { stored.deallocate() }
            try run(reader, geometry, target, into: stored)
            orientation.apply(stored, to: pixels, width: target.width, height: target.height)
        }
        return info
    }

    /// As above, from and to arrays.
    package static func decode(
        _ bytes: [UInt8], target: ImageTarget, limits: ImageLimits = ImageLimits()
    ) throws(ImageError) -> (image: RGBImage, info: ImageInfo) {
        var pixels = [UInt8](repeating: 0, count: target.bytes)
        let info = try borrowing(bytes) { bytes throws(ImageError) in
            try pixels.withUnsafeMutableBufferPointer { buffer throws(ImageError) in
                try decode(bytes, target: target, limits: limits, into: buffer.baseAddress!)
            }
        }
        return (RGBImage(width: target.width, height: target.height, pixels: pixels), info)
    }

    /// Decodes an image at its own size, as shown. Takes 3 bytes a pixel (6 where it has to be turned).
    package static func decodeFull(
        _ bytes: UnsafeRawBufferPointer, limits: ImageLimits = ImageLimits()
    ) throws(ImageError) -> RGBImage {
        let info = try inspect(bytes, limits: limits)
        var pixels = [UInt8](repeating: 0, count: info.width * info.height * 3)
        try pixels.withUnsafeMutableBufferPointer { buffer throws(ImageError) in
            let target = ImageTarget(height: info.height, width: info.width)
            try decode(bytes, target: target, limits: limits, into: buffer.baseAddress!)
        }
        return RGBImage(width: info.width, height: info.height, pixels: pixels)
    }

    /// As above, from an array.
    package static func decodeFull(
        _ bytes: [UInt8], limits: ImageLimits = ImageLimits()
    ) throws(ImageError) -> RGBImage {
        try borrowing(bytes) { bytes throws(ImageError) in try decodeFull(bytes, limits: limits) }
    }

    /// Format and size from the header, within the limits; the pixels are not looked at.
    package static func inspect(
        _ bytes: UnsafeRawBufferPointer, limits: ImageLimits = ImageLimits()
    ) throws(ImageError) -> ImageInfo {
        try limits.check(bytes: bytes.count)
        let format = try ContentSniffer.format(of: bytes)
        let size: (width: Int, height: Int)
        switch format {
        case .png:
            size = try PNGReader.header(bytes)
            try limits.check(width: size.width, height: size.height)
        case .jpeg:
            let reader = try JPEGReader(bytes, limits: limits)
            size = (reader.fullWidth, reader.fullHeight)
        }
        return info(format, size, Orientation.of(bytes, format: format))
    }

    /// The content of a file from its start, by pread(2); at most `limits.bytes`. Not mapped: another process that
    /// shortens a mapped file kills its reader.
    package static func read(
        descriptor: Int32, limits: ImageLimits = ImageLimits()
    ) throws(ImageError) -> [UInt8] {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw unreadable() }
        try limits.check(bytes: Int(status.st_size))
        var failed = false
        let bytes = [UInt8](unsafeUninitializedCapacity: Int(status.st_size)) { buffer, filled in
            while filled < buffer.count {
                let got = pread(descriptor, buffer.baseAddress! + filled, buffer.count - filled, off_t(filled))
                if got < 0 && errno == EINTR { continue }
                failed = got < 0
                if got <= 0 { break }
                filled += got
            }
        }
        if failed { throw unreadable() }
        return bytes
    }

    private static func unreadable() -> ImageError {
        ImageError(.unreadable(errno: errno), "cannot be read: \(String(cString: strerror(errno)))")
    }

    private static func info(
        _ format: ImageFormat, _ size: (width: Int, height: Int), _ orientation: Orientation
    ) -> ImageInfo {
        orientation.swapsSides
            ? ImageInfo(format: format, width: size.height, height: size.width)
            : ImageInfo(format: format, width: size.width, height: size.height)
    }

    /// All rows are read, also those that framing cuts away: an image that is cut off is refused, whatever is shown of it.
    private static func run(
        _ reader: any RowReader, _ geometry: FramingGeometry, _ target: ImageTarget,
        into pixels: UnsafeMutablePointer<UInt8>
    ) throws(ImageError) {
        let (width, height) = (geometry.columns.target, geometry.rows.target)
        if reader.width == width, reader.height == height, geometry.columns.scaled == width,
            geometry.rows.scaled == height
        {
            for y in 0..<height { try reader.readRow(into: pixels + y * width * 3) }
        } else {
            geometry.fillMargins(of: pixels, target.framing)
            let resizer = Resizer(
                sourceWidth: reader.width, sourceHeight: reader.height, geometry, target.resample, target: pixels)
            let row = UnsafeMutablePointer<UInt8>.allocate(capacity: reader.width * 3)
            defer { row.deallocate() }
            for _ in 0..<reader.height {
                try reader.readRow(into: row)
                resizer.push(row)
            }
        }
        try reader.finish()
    }
}

/// `Array.withUnsafeBytes` does not carry typed errors yet.
private func borrowing<R>(
    _ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws(ImageError) -> R
) throws(ImageError) -> R {
    try bytes.withUnsafeBufferPointer { buffer throws(ImageError) in try body(UnsafeRawBufferPointer(buffer)) }
}
