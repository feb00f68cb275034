// The EXIF orientation, read by a parser of its own: one tag is wanted of a format that is otherwise a rich source of
// faults. Every access is checked against the end of the segment, and nothing is followed but the first directory.

/// How stored pixels are to be shown (EXIF 2.3, tag 0x0112).
enum Orientation: UInt16 {
    case normal = 1
    case mirrored = 2
    case turnedAround = 3
    case upsideDownMirrored = 4
    case transposed = 5
    case turnedClockwise = 6
    case transversed = 7
    case turnedAnticlockwise = 8

    /// Width and height change places.
    var swapsSides: Bool { rawValue >= 5 }

    /// The first stored column is shown last, whether as a column or, where sides change places, as a row.
    var reversesStoredColumns: Bool { [.mirrored, .turnedAround, .transversed, .turnedAnticlockwise].contains(self) }
    /// The same of the rows.
    var reversesStoredRows: Bool {
        [.upsideDownMirrored, .turnedAround, .transversed, .turnedClockwise].contains(self)
    }

    /// The orientation that a file asks for; `.normal` where it says nothing, or nonsense.
    static func of(_ bytes: UnsafeRawBufferPointer, format: ImageFormat) -> Orientation {
        let segment = format == .jpeg ? exifOfJPEG(bytes) : exifOfPNG(bytes)
        guard let segment, let value = orientationTag(segment) else { return .normal }
        return Orientation(rawValue: value) ?? .normal
    }

    /// Copies stored pixels so that they are as shown.
    ///
    /// - Parameters:
    ///   - source: RGB8 as stored: `width` × `height` as shown, or swapped.
    ///   - target: height × width × 3 bytes, no overlap with the source.
    func apply(_ source: UnsafePointer<UInt8>, to target: UnsafeMutablePointer<UInt8>, width: Int, height: Int) {
        let storedWidth = swapsSides ? height : width
        let storedHeight = swapsSides ? width : height
        var to = target
        for y in 0..<height {
            for x in 0..<width {
                let (row, column) =
                    switch self {
                    case .normal: (y, x)
                    case .mirrored: (y, width - 1 - x)
                    case .turnedAround: (height - 1 - y, width - 1 - x)
                    case .upsideDownMirrored: (height - 1 - y, x)
                    case .transposed: (x, y)
                    case .turnedClockwise: (storedHeight - 1 - x, y)
                    case .transversed: (storedHeight - 1 - x, storedWidth - 1 - y)
                    case .turnedAnticlockwise: (x, storedWidth - 1 - y)
                    }
                let from = source + (row * storedWidth + column) * 3
                to[0] = from[0]
                to[1] = from[1]
                to[2] = from[2]
                to += 3
            }
        }
    }

    /// The TIFF structure in the first APP1 segment that says "Exif", if one comes before the first scan.
    private static func exifOfJPEG(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        var offset = 2
        while offset + 4 <= bytes.count {
            guard bytes[offset] == 0xFF else { return nil }
            let marker = bytes[offset + 1]
            if marker == 0xFF {  // a fill byte
                offset += 1
                continue
            }
            if marker == 0xDA || marker == 0xD9 { return nil }
            if marker == 0x01 || (0xD0...0xD8).contains(marker) {
                offset += 2
                continue
            }
            let length = Int(bytes[offset + 2]) << 8 | Int(bytes[offset + 3])
            guard length >= 2, offset + 2 + length <= bytes.count else { return nil }
            let content = UnsafeRawBufferPointer(rebasing: bytes[offset + 4..<offset + 2 + length])
            if marker == 0xE1, content.count > 6, content.prefix(6).elementsEqual("Exif\0\0".utf8) {
                return UnsafeRawBufferPointer(rebasing: content[6...])
            }
            offset += 2 + length
        }
        return nil
    }

    /// The eXIf chunk, if one comes before the pixels.
    private static func exifOfPNG(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        var offset = 8
        while offset + 8 <= bytes.count {
            let length = Int(bigEndian32(bytes, offset))
            guard offset + 8 + length <= bytes.count else { return nil }
            switch bigEndian32(bytes, offset + 4) {
            case 0x4944_4154: return nil  // IDAT
            case 0x6558_4966: return UnsafeRawBufferPointer(rebasing: bytes[offset + 8..<offset + 8 + length])
            default: offset += 12 + length
            }
        }
        return nil
    }

    /// Tag 0x0112 (SHORT, one value) of the first directory.
    private static func orientationTag(_ tiff: UnsafeRawBufferPointer) -> UInt16? {
        guard tiff.count >= 8 else { return nil }
        let little = tiff[0] == 0x49
        guard tiff[0] == tiff[1], little || tiff[0] == 0x4D else { return nil }
        func short(_ offset: Int) -> UInt16 {
            let (a, b) = (UInt16(tiff[offset]), UInt16(tiff[offset + 1]))
            return little ? b << 8 | a : a << 8 | b
        }
        let word = bigEndian32(tiff, 4)
        let directory = Int(little ? word.byteSwapped : word)
        guard short(2) == 42, directory >= 8, directory + 2 <= tiff.count else { return nil }
        for index in 0..<Int(short(directory)) {
            let entry = directory + 2 + index * 12
            guard entry + 12 <= tiff.count else { return nil }
            if short(entry) == 0x0112 { return short(entry + 2) == 3 ? short(entry + 8) : nil }
        }
        return nil
    }
}

/// Four bytes, the most significant first.
func bigEndian32(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt32 {
    UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
}
