// A PNG writer that owes nothing to libpng, so that the decoder is tested against the specification (W3C PNG, 2nd
// edition) and not against its own twin: stored deflate blocks, filter 0, any colour type, depth and interlacing.

/// A PNG file described by its samples.
package struct TestPNG: Sendable {
    package enum ColorType: UInt8, Sendable, CaseIterable {
        case grey = 0
        case rgb = 2
        case palette = 3
        case greyAlpha = 4
        case rgba = 6

        package var channels: Int {
            switch self {
            case .grey, .palette: 1
            case .rgb: 3
            case .greyAlpha: 2
            case .rgba: 4
            }
        }

        package var depths: [Int] {
            switch self {
            case .grey: [1, 2, 4, 8, 16]
            case .palette: [1, 2, 4, 8]
            default: [8, 16]
            }
        }
    }

    package var width: Int
    package var height: Int
    package var colorType: ColorType
    package var depth = 8
    package var interlaced = false
    /// Chunks between IHDR and IDAT, such as gAMA, PLTE and tRNS, in the order of the file.
    package var chunks: [(name: String, content: [UInt8])] = []
    /// height × width × channels values of `depth` bits.
    package var samples: [Int]

    package init(width: Int, height: Int, colorType: ColorType, samples: [Int]) {
        (self.width, self.height, self.colorType, self.samples) = (width, height, colorType, samples)
    }

    /// The file.
    package var bytes: [UInt8] {
        var file: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
        file += Self.header(
            width: UInt32(width), height: UInt32(height), depth: UInt8(depth), colorType: colorType,
            interlaced: interlaced)
        for chunk in chunks { file += Self.chunk(chunk.name, chunk.content) }
        file += Self.chunk("IDAT", Self.zlibStored(scanlines))
        return file + Self.chunk("IEND", [])
    }

    /// An IHDR chunk of any size, also of one that no file has.
    package static func header(
        width: UInt32, height: UInt32, depth: UInt8 = 8, colorType: ColorType = .rgb, interlaced: Bool = false
    ) -> [UInt8] {
        chunk("IHDR", bigEndian(width) + bigEndian(height) + [depth, colorType.rawValue, 0, 0, interlaced ? 1 : 0])
    }

    private var scanlines: [UInt8] {
        let passes =
            interlaced
            ? [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
            : [(0, 0, 1, 1)]
        var bytes: [UInt8] = []
        for (x0, y0, dx, dy) in passes where x0 < width {
            for y in stride(from: y0, to: height, by: dy) {
                bytes.append(0)  // filter: none
                bytes += packed(y: y, from: x0, by: dx)
            }
        }
        return bytes
    }

    private func packed(y: Int, from x0: Int, by dx: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        var (bits, filled) = (0, 0)
        for x in stride(from: x0, to: width, by: dx) {
            for channel in 0..<colorType.channels {
                let value = samples[(y * width + x) * colorType.channels + channel]
                if depth == 16 {
                    bytes += [UInt8(value >> 8), UInt8(value & 255)]
                } else {
                    (bits, filled) = (bits << depth | value, filled + depth)
                    if filled == 8 {
                        bytes.append(UInt8(bits))
                        (bits, filled) = (0, 0)
                    }
                }
            }
        }
        if filled > 0 { bytes.append(UInt8(bits << (8 - filled))) }
        return bytes
    }

    package static func chunk(_ name: String, _ content: [UInt8]) -> [UInt8] {
        let body = Array(name.utf8) + content
        return bigEndian(UInt32(content.count)) + body + bigEndian(crc32(body))
    }

    package static func bigEndian(_ value: UInt32) -> [UInt8] {
        [UInt8(value >> 24), UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
    }

    /// RFC 1950.
    private static func zlibStored(_ bytes: [UInt8]) -> [UInt8] {
        var (a, b): (UInt32, UInt32) = (1, 0)
        for byte in bytes {
            a = (a + UInt32(byte)) % 65521
            b = (b + a) % 65521
        }
        return [0x78, 0x01] + deflateStored(bytes) + bigEndian(b << 16 | a)
    }

    /// RFC 1951's stored blocks.
    static func deflateStored(_ bytes: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var rest = bytes[...]
        repeat {
            let block = rest.prefix(65535)
            rest = rest.dropFirst(block.count)
            let (low, high) = (UInt8(block.count & 255), UInt8(block.count >> 8))
            out += [rest.isEmpty ? 1 : 0, low, high, ~low, ~high]
            out += block
        } while !rest.isEmpty
        return out
    }

    package static func crc32(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(~0) { crc, byte in crcTable[Int((crc ^ UInt32(byte)) & 255)] ^ crc >> 8 }
    }

    private static let crcTable: [UInt32] = (0..<256).map { n in
        (0..<8).reduce(UInt32(n)) { c, _ in c & 1 == 1 ? 0xEDB8_8320 ^ c >> 1 : c >> 1 }
    }
}
