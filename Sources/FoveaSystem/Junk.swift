import SystemPackage

/// Names that are left alone in the inbox: temporary files of browsers, copiers and file shares, and what desktops
/// leave behind. They are what other programs rename once they are done, or what nobody meant to drop.
package enum Junk {
    private static let suffixes = [".part", ".tmp", ".crdownload"].map { Array($0.utf8) }
    private static let names: Set<String> = ["thumbs.db", "@eadir"]

    /// Whether a file or folder of this name is left alone. Case does not matter.
    package static func contains(_ name: FilePath.Component) -> Bool {
        let lowered = name.bytes.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
        if lowered.first == UInt8(ascii: ".") { return true }
        if suffixes.contains(where: { lowered.count > $0.count && lowered.suffix($0.count).elementsEqual($0) }) {
            return true
        }
        return names.contains(String(decoding: lowered, as: UTF8.self))
    }
}
