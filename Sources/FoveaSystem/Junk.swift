import SystemPackage

/// Names that are left alone wherever people's pictures lie: in the inbox, among corrections and in data sets.
///
/// They are temporary files of browsers, copiers and file shares, which become something else once they are done; the leavings of
/// desktops; the trash of file systems and shares; and a README, which explains a folder. The trash of Linux desktops, `.Trash-1000`,
/// begins with a dot as all hidden names do.
package enum Junk {
    private static let suffixes = [".part", ".tmp", ".crdownload"].map { Array($0.utf8) }
    private static let names: Set<String> = [
        "thumbs.db", "desktop.ini", "@eadir", "#recycle", "@recycle", "$recycle.bin", "recycler", "lost+found",
        "system volume information", "__macosx", "readme", "readme.md", "readme.txt",
    ]

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
