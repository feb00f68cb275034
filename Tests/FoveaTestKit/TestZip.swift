/// Writes zip files without compression.
package struct TestZip {
    package let bytes: [UInt8]

    /// - Parameter members: paths and contents, in their order.
    package init(_ members: [(path: String, content: [UInt8])]) {
        var bytes: [UInt8] = []
        var directory: [UInt8] = []
        for (path, content) in members {
            let offset = bytes.count
            let name = Array(path.utf8)
            // Version, flags (UTF-8), method, time, date; checksum, sizes; lengths of name and extra field.
            let common =
                Self.short(20) + Self.short(0x800) + Self.short(0) + Self.long(0)
                + Self.long(Int(TestPNG.crc32(content)))
                + Self.long(content.count) + Self.long(content.count) + Self.short(name.count) + Self.short(0)
            bytes += [0x50, 0x4B, 3, 4] + common + name + content
            directory +=
                [0x50, 0x4B, 1, 2] + Self.short(0x314) + common + Self.short(0) + Self.short(0) + Self.short(0)
                + Self.long(0o100644 << 16) + Self.long(offset) + name
        }
        let count = Self.short(members.count)
        self.bytes =
            bytes + directory + [0x50, 0x4B, 5, 6] + Self.long(0) + count + count + Self.long(directory.count)
            + Self.long(bytes.count) + Self.short(0)
    }

    private static func short(_ value: Int) -> [UInt8] { [UInt8(value & 255), UInt8(value >> 8 & 255)] }
    private static func long(_ value: Int) -> [UInt8] { short(value & 0xFFFF) + short(value >> 16 & 0xFFFF) }
}
