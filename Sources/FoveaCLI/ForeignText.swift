/// Text from elsewhere (labels, file names, messages of the daemon) without what could command a terminal: control
/// characters, and those that turn the direction of text.
///
/// - Parameter keepingLines: the ends of lines stay, for messages of several lines.
package func safe(_ text: String, keepingLines: Bool = false) -> String {
    String(
        String.UnicodeScalarView(
            text.unicodeScalars.map { scalar in
                switch scalar.value {
                case 0x0A where keepingLines: scalar
                case 0..<0x20, 0x7F..<0xA0, 0x202A...0x202E, 0x2066...0x2069: "\u{FFFD}"
                default: scalar
                }
            }))
}

/// An argument as a POSIX shell reads it back, for commands that are printed to be copied.
package func shellQuoted(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy {
        switch $0 {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "-_./=,:@+%".utf8.contains($0)
        }
    }
    return isPlain && !text.isEmpty ? text : "'" + text.replacing("'", with: "'\\''") + "'"
}
