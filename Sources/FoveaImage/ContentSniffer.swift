// Formats are recognised by their first bytes, never by the file's name. What is not read is named all the same, so
// that whoever dropped a HEIC or a text into the inbox learns what it was taken for.

/// What the first bytes of a file tell.
enum ContentSniffer {
    /// PNG or JPEG; throws `unsupported` for other images and `notAnImage` for the rest.
    static func format(of bytes: UnsafeRawBufferPointer) throws(ImageError) -> ImageFormat {
        if starts(bytes, [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) { return .png }
        if starts(bytes, [0xFF, 0xD8, 0xFF]) { return .jpeg }
        if let format = otherImage(bytes) { throw .unsupported(format) }
        throw .notAnImage(otherContent(bytes))
    }

    private static func starts(_ bytes: UnsafeRawBufferPointer, _ magic: [UInt8], at offset: Int = 0) -> Bool {
        bytes.count >= offset + magic.count && bytes[offset..<offset + magic.count].elementsEqual(magic)
    }

    private static func starts(_ bytes: UnsafeRawBufferPointer, _ magic: String, at offset: Int = 0) -> Bool {
        starts(bytes, Array(magic.utf8), at: offset)
    }

    private static func otherImage(_ bytes: UnsafeRawBufferPointer) -> String? {
        if starts(bytes, "ftyp", at: 4), bytes.count >= 12 { return isoMedia(bytes) }
        if starts(bytes, "II*\0") || starts(bytes, "MM\0*") || starts(bytes, "II+\0") || starts(bytes, "MM\0+") {
            return "TIFF"
        }
        if starts(bytes, "RIFF"), starts(bytes, "WEBP", at: 8) { return "WebP" }
        if starts(bytes, "GIF87a") || starts(bytes, "GIF89a") { return "GIF" }
        // "BM" is also how words begin: the reserved fields are zero and the header has one of a few sizes.
        if starts(bytes, "BM"), starts(bytes, [0, 0, 0, 0], at: 6), starts(bytes, [0, 0, 0], at: 15) { return "BMP" }
        if starts(bytes, [0, 0, 1, 0]), bytes.count > 22, bytes[5] == 0, bytes[4] != 0 { return "ICO" }
        if starts(bytes, "8BPS") { return "Photoshop" }
        if starts(bytes, [0, 0, 0, 0x0C, 0x6A, 0x50, 0x20, 0x20]) || starts(bytes, [0xFF, 0x4F, 0xFF, 0x51]) {
            return "JPEG 2000"
        }
        if starts(bytes, [0xFF, 0x0A]) || starts(bytes, [0, 0, 0, 0x0C, 0x4A, 0x58, 0x4C, 0x20]) { return "JPEG XL" }
        if starts(bytes, "qoif") { return "QOI" }
        if starts(bytes, [0x76, 0x2F, 0x31, 0x01]) { return "OpenEXR" }
        if starts(bytes, "gimp xcf") { return "XCF" }
        if bytes.count > 3, bytes[0] == 0x50, (0x31...0x37).contains(bytes[1]), isSpace(bytes[2]) { return "PNM" }
        if let text = text(bytes), text.contains("<svg") { return "SVG" }
        return nil
    }

    /// ISO base media: the brand tells a still picture from a film.
    private static func isoMedia(_ bytes: UnsafeRawBufferPointer) -> String? {
        switch String(decoding: bytes[8..<12], as: UTF8.self) {
        case "avif", "avis": "AVIF"
        case "heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1": "HEIC"
        case "crx ": "Canon CR3"
        default: nil
        }
    }

    private static func otherContent(_ bytes: UnsafeRawBufferPointer) -> String {
        if bytes.isEmpty { return "an empty file" }
        let known: [(String, String)] = [
            ("%PDF", "a PDF"), ("PK\u{3}\u{4}", "a ZIP archive"), ("7z", "a 7z archive"), ("Rar!", "a RAR archive"),
            ("\u{7F}ELF", "a program"), ("MZ", "a Windows program"), ("SQLite format 3", "an SQLite database"),
            ("ID3", "an MP3"), ("OggS", "an Ogg stream"), ("fLaC", "a FLAC"), ("#!", "a script"),
        ]
        for (magic, name) in known where starts(bytes, magic) && (magic.utf8.count > 2 || text(bytes) == nil) {
            return name
        }
        if starts(bytes, [0x1F, 0x8B]) { return "a gzip archive" }
        if starts(bytes, [0x28, 0xB5, 0x2F, 0xFD]) { return "a Zstandard archive" }
        if starts(bytes, [0xFD, 0x37, 0x7A, 0x58, 0x5A]) { return "an xz archive" }
        if starts(bytes, "ftyp", at: 4) { return "a video" }
        if starts(bytes, "RIFF") { return "a sound or a video" }
        if starts(bytes, [0x1A, 0x45, 0xDF, 0xA3]) { return "a video" }
        if let text = text(bytes) {
            let head = text.drop { $0.isWhitespace }.prefix(64).lowercased()
            if head.hasPrefix("<!doctype html") || head.hasPrefix("<html") { return "a web page" }
            if head.hasPrefix("<?xml") { return "XML" }
            if head.hasPrefix("{") || head.hasPrefix("[{") { return "JSON" }
            return "plain text"
        }
        if bytes.prefix(512).allSatisfy({ $0 == 0 }) { return "zero bytes" }
        return "unknown data"
    }

    /// The first 512 bytes as text, nil where they are not UTF-8 or hold control characters.
    private static func text(_ bytes: UnsafeRawBufferPointer) -> String? {
        var head = Array(bytes.prefix(512))
        if head.isEmpty { return nil }
        if head.contains(where: { $0 == 0x7F || ($0 < 0x20 && !isSpace($0)) }) { return nil }
        // The cut may go through a character: leave out up to three bytes of it.
        if bytes.count > head.count {
            for _ in 0..<3 where String(validating: head, as: UTF8.self) == nil { head.removeLast() }
        }
        return String(validating: head, as: UTF8.self)
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
}
