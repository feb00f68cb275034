/// Changes to JPEG files that encoders do not make.
package enum TestJPEG {
    /// A TIFF structure that says one thing: the orientation.
    package static func exif(orientation: UInt16, littleEndian: Bool = false) -> [UInt8] {
        func short(_ value: UInt16) -> [UInt8] {
            let bytes = [UInt8(value >> 8), UInt8(value & 255)]
            return littleEndian ? bytes.reversed() : bytes
        }
        func long(_ value: UInt32) -> [UInt8] {
            let bytes = TestPNG.bigEndian(value)
            return littleEndian ? bytes.reversed() : bytes
        }
        let entry = short(0x0112) + short(3) + long(1) + short(orientation) + short(0)
        return Array((littleEndian ? "II" : "MM").utf8) + short(42) + long(8) + short(1) + entry + long(0)
    }

    /// The file with an Exif segment after its first marker.
    package static func adding(exif: [UInt8], to jpeg: [UInt8]) -> [UInt8] {
        let content = Array("Exif\0\0".utf8) + exif
        let length = content.count + 2
        return jpeg.prefix(2) + [0xFF, 0xE1, UInt8(length >> 8), UInt8(length & 255)] + content + jpeg.dropFirst(2)
    }

    /// The file with another size in its frame header.
    package static func claiming(width: Int, height: Int, _ jpeg: [UInt8]) -> [UInt8] {
        var file = jpeg
        for i in 2..<file.count - 9 where file[i] == 0xFF && (file[i + 1] == 0xC0 || file[i + 1] == 0xC2) {
            file[i + 5] = UInt8(height >> 8)
            file[i + 6] = UInt8(height & 255)
            file[i + 7] = UInt8(width >> 8)
            file[i + 8] = UInt8(width & 255)
            return file
        }
        return file
    }
}
