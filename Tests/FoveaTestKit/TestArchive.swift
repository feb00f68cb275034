/// Archives and CIFAR files made on the spot.
package enum TestArchive {
    /// A tar file (POSIX ustar) of regular files.
    ///
    /// - Parameter last: another type of the last member, such as "2" for a symbolic link, and where it leads.
    package static func tar(
        _ members: [(name: String, bytes: [UInt8])], last: (type: Character, link: String) = ("0", "")
    ) -> [UInt8] {
        var file: [UInt8] = []
        for (index, (name, bytes)) in members.enumerated() {
            var header = [UInt8](repeating: 0, count: 512)
            func put(_ text: String, at offset: Int) {
                for (i, byte) in text.utf8.enumerated() { header[offset + i] = byte }
            }
            func octal(_ value: Int, digits: Int) -> String {
                let text = String(value, radix: 8)
                return String(repeating: "0", count: digits - text.count) + text
            }
            put(name, at: 0)
            put("0000644", at: 100)
            put("0000000", at: 108)
            put("0000000", at: 116)
            put(octal(bytes.count, digits: 11), at: 124)
            put("00000000000", at: 136)
            put("        ", at: 148)
            let isLast = index == members.count - 1
            put(isLast ? String(last.type) : "0", at: 156)
            put(isLast ? last.link : "", at: 157)
            put("ustar", at: 257)
            put("00", at: 263)
            put(octal(header.reduce(0) { $0 + Int($1) }, digits: 6), at: 148)
            header[154] = 0
            file += header + bytes
            file += [UInt8](repeating: 0, count: (512 - bytes.count % 512) % 512)
        }
        return file + [UInt8](repeating: 0, count: 1024)
    }

    /// A gzip file (RFC 1952) of stored blocks.
    package static func gzip(_ bytes: [UInt8]) -> [UInt8] {
        func littleEndian(_ value: UInt32) -> [UInt8] { TestPNG.bigEndian(value).reversed() }
        var file: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255]
        file += TestPNG.deflateStored(bytes)
        return file + littleEndian(TestPNG.crc32(bytes)) + littleEndian(UInt32(truncatingIfNeeded: bytes.count))
    }
}

/// CIFAR-100 with pictures made up: label f has superclass f / 5, and a colour of its own.
package enum TestCIFAR {
    package static let fineNames = (0..<100).map { "label\($0 < 10 ? "0" : "")\($0)" }
    package static let coarseNames = (0..<20).map { "group \($0)" }

    /// One record: 3,074 bytes.
    package static func record(label: Int, seed: UInt64) -> [UInt8] {
        let image = picture(label: label, seed: seed)
        let planes = (0..<3).flatMap { c in (0..<1024).map { image[$0 * 3 + c] } }
        return [UInt8(label / 5), UInt8(label)] + planes
    }

    /// The pixels of a record, height × width × 3.
    package static func picture(label: Int, seed: UInt64) -> [UInt8] {
        SyntheticImage.blob(
            width: 32, height: 32, red: 30 + label * 2, green: label * 37 % 200 + 30, blue: label * 91 % 200 + 30,
            seed: seed &* 1000 &+ UInt64(label)
        ).pixels
    }

    /// Records of the labels, one round after the other.
    package static func records(labels: Range<Int> = 0..<100, perClass: Int, seed: UInt64 = 0) -> [UInt8] {
        (0..<perClass).flatMap { round in
            labels.flatMap { record(label: $0, seed: seed &+ UInt64(round)) }
        }
    }

    /// The archive's members, as the official one names them.
    package static func members(train: [UInt8]?, test: [UInt8]?) -> [(name: String, bytes: [UInt8])] {
        var members: [(name: String, bytes: [UInt8])] = [
            ("cifar-100-binary/coarse_label_names.txt", Array((coarseNames.joined(separator: "\n") + "\n").utf8)),
            ("cifar-100-binary/fine_label_names.txt", Array((fineNames.joined(separator: "\n") + "\n").utf8)),
        ]
        if let test { members.append(("cifar-100-binary/test.bin", test)) }
        if let train { members.append(("cifar-100-binary/train.bin", train)) }
        return members
    }
}

extension TestArchive {
    /// A zip file of stored members, whose names are UTF-8.
    package static func zip(_ members: [(name: String, bytes: [UInt8])]) -> [UInt8] {
        func short(_ value: Int) -> [UInt8] { [UInt8(value & 255), UInt8(value >> 8 & 255)] }
        func long(_ value: Int) -> [UInt8] { short(value) + short(value >> 16) }
        var (file, directory): ([UInt8], [UInt8]) = ([], [])
        for (name, bytes) in members {
            let name = Array(name.utf8)
            // Version, flags (UTF-8), method, time, date, CRC-32, sizes, lengths of the name and of nothing more.
            let common =
                short(20) + short(0x800) + short(0) + short(0) + short(0x21) + long(Int(TestPNG.crc32(bytes)))
                + long(bytes.count) + long(bytes.count) + short(name.count) + short(0)
            directory += [0x50, 0x4B, 1, 2] + short(0x314) + common + short(0) + short(0) + short(0)
            directory += long(0o100644 << 16) + long(file.count) + name
            file += [0x50, 0x4B, 3, 4] + common + name + bytes
        }
        let end =
            [0x50, 0x4B, 5, 6] + short(0) + short(0) + short(members.count) + short(members.count)
            + long(directory.count) + long(file.count) + short(0)
        return file + directory + end
    }
}
