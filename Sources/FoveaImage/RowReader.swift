import CJPEG
import CPNG
import FoveaModels

/// A decoder that gives an image row by row, as stored (before the EXIF orientation).
protocol RowReader: AnyObject {
    /// Pixels of the rows to come.
    var width: Int { get }
    var height: Int { get }
    /// Fills `width` × 3 bytes; called `height` times.
    func readRow(into row: UnsafeMutablePointer<UInt8>) throws(ImageError)
    /// After the last row: reads to the end mark.
    func finish() throws(ImageError)
}

/// libpng's rows.
final class PNGReader: RowReader {
    private let reader: OpaquePointer
    private let size: Int
    private var info = cpng_info()
    let width: Int
    let height: Int

    /// The size in the IHDR chunk, which the format wants first, at a fixed place.
    static func header(_ bytes: UnsafeRawBufferPointer) throws(ImageError) -> (width: Int, height: Int) {
        guard bytes.count >= 33 else { throw .truncated(.png, bytes: bytes.count) }
        guard bigEndian32(bytes, 12) == 0x4948_4452 else { throw .corrupt(.png, "it does not begin with IHDR") }
        let (width, height) = (Int(bigEndian32(bytes, 16)), Int(bigEndian32(bytes, 20)))
        guard width > 0, height > 0 else { throw .corrupt(.png, "a side is zero") }
        return (width, height)
    }

    init(_ bytes: UnsafeRawBufferPointer, limits: ImageLimits) throws(ImageError) {
        let header = try Self.header(bytes)
        try limits.check(width: header.width, height: header.height)
        var reader: OpaquePointer?
        let status = cpng_open(bytes.baseAddress, bytes.count, UInt32(clamping: limits.side), &reader, &info)
        guard let reader else { throw Self.error(status, info, bytes.count) }
        self.reader = reader
        size = bytes.count
        (width, height) = header
    }

    deinit { cpng_close(reader) }

    func readRow(into row: UnsafeMutablePointer<UInt8>) throws(ImageError) {
        let status = cpng_row(reader, row, &info)
        if status != CPNG_OK { throw Self.error(status, info, size) }
    }

    func finish() throws(ImageError) {
        let status = cpng_finish(reader, &info)
        if status != CPNG_OK { throw Self.error(status, info, size) }
    }

    private static func error(_ status: cpng_status, _ info: cpng_info, _ size: Int) -> ImageError {
        switch status {
        case CPNG_TRUNCATED: .truncated(.png, bytes: size)
        case CPNG_MEMORY: .outOfMemory
        default: .corrupt(.png, text(info.message))
        }
    }
}

/// libjpeg's rows, at a fraction of the size where much smaller ones are wanted.
final class JPEGReader: RowReader {
    /// Cameras write about ten scans; every one more costs a pass over the image.
    static let scanLimit: Int32 = 64

    private let reader: OpaquePointer
    private let size: Int
    private var info = cjpeg_info()
    /// The size in the header.
    let fullWidth: Int
    let fullHeight: Int
    private(set) var width: Int
    private(set) var height: Int

    init(_ bytes: UnsafeRawBufferPointer, limits: ImageLimits) throws(ImageError) {
        var reader: OpaquePointer?
        let status = cjpeg_open(bytes.baseAddress, bytes.count, &reader, &info)
        guard let reader else { throw Self.error(status, info, bytes.count, limits) }
        self.reader = reader
        size = bytes.count
        (fullWidth, fullHeight) = (Int(info.width), Int(info.height))
        (width, height) = (fullWidth, fullHeight)
        try limits.check(width: width, height: height)
    }

    deinit { cjpeg_close(reader) }

    /// Takes the memory. For `bilinear`, rows come at the smallest of 1/1, 1/2, 1/4 and 1/8 that is at least three times as
    /// large as `width` × `height`: reduced by libjpeg, they cost a fraction, and the resizer has enough left to filter.
    /// For `bicubic` they come whole. Its results are those of Pillow's `resize`, to which networks from elsewhere are
    /// used. Measured, libjpeg's reduction, which leaves out high frequencies, changes them by 0 for a phone's photograph, but
    /// by up to 6 for patterns of black and white, and still by 4 where twelve times the pixels are left.
    func start(width: Int, height: Int, resample: Resample, limits: ImageLimits) throws(ImageError) {
        var denominator = 1
        if resample == .bilinear {
            while denominator < 8, fullWidth >= width * 6 * denominator, fullHeight >= height * 6 * denominator {
                denominator *= 2
            }
        }
        let status = cjpeg_start(reader, Int32(denominator), Self.scanLimit, &info)
        if status != CJPEG_OK { throw Self.error(status, info, size, limits) }
        (self.width, self.height) = (Int(info.output_width), Int(info.output_height))
    }

    func readRow(into row: UnsafeMutablePointer<UInt8>) throws(ImageError) {
        let status = cjpeg_row(reader, row, &info)
        if status != CJPEG_OK { throw Self.error(status, info, size, ImageLimits()) }
    }

    func finish() throws(ImageError) {
        let status = cjpeg_finish(reader, &info)
        if status != CJPEG_OK { throw Self.error(status, info, size, ImageLimits()) }
    }

    private static func error(
        _ status: cjpeg_status, _ info: cjpeg_info, _ size: Int, _ limits: ImageLimits
    ) -> ImageError {
        switch status {
        case CJPEG_TRUNCATED: .truncated(.jpeg, bytes: size)
        case CJPEG_MEMORY: .outOfMemory
        case CJPEG_UNSUPPORTED: .unsupported("this kind of JPEG (\(text(info.message)))")
        case CJPEG_TOO_LARGE: .tooLarge("side", Int(max(info.width, info.height)), limit: limits.side)
        case CJPEG_SCANS: .tooLarge("scans", Int(scanLimit) + 1, limit: Int(scanLimit))
        default: .corrupt(.jpeg, text(info.message))
        }
    }
}

/// The text of a C array of characters.
private func text<T>(_ characters: T) -> String {
    withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
}
