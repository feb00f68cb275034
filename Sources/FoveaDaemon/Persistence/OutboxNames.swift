import FoveaSystem
import SystemPackage

/// Names of files in the outbox: pure functions, the only ones that make them. Folders are `OutboxFolder`'s.
package enum OutboxNames {
    /// Files on their way into the outbox; emptied at start.
    package static let staging = ".fovea"

    /// The longest name of Linux's file systems, in bytes.
    static let longestName = 255

    /// The `number`th name for an image in the outbox: `cat.png`, `cat-2.png`, `cat-3.png` …
    ///
    /// The name leaves room for `suffix` behind it: where it does not, its stem is cut (at a whole UTF-8 character
    /// if it is UTF-8) and the extension stays.
    package static func name(_ original: FilePath.Component, number: Int, suffix: String) -> FilePath.Component {
        let bytes = original.bytes
        var (stem, ending) = parts(bytes)
        let tail = (number > 1 ? Array("-\(number)".utf8) : []) + ending
        let room = longestName - tail.count - suffix.utf8.count
        if stem.count > room {
            let isText = String(validating: bytes, as: UTF8.self) != nil
            stem = stem.prefix(room)
            while isText, String(validating: stem, as: UTF8.self) == nil { stem.removeLast() }
        }
        return FilePath(bytes: Array(stem) + tail).lastComponent!
    }

    /// A name's stem and its extension with the dot. A leading dot does not begin an extension; one longer than 16
    /// bytes is no extension.
    static func parts(_ name: some Sequence<UInt8>) -> (stem: ArraySlice<UInt8>, ending: ArraySlice<UInt8>) {
        let bytes = Array(name)
        let dot = bytes.lastIndex(of: UInt8(ascii: ".")).flatMap { $0 > 0 && bytes.count - $0 <= 17 ? $0 : nil }
        return (bytes[..<(dot ?? bytes.count)], bytes[(dot ?? bytes.count)...])
    }
}
