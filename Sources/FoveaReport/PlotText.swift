/// Text of users in gnuplot's commands.
///
/// Single quotes: in them gnuplot expands neither backslashes nor backquotes (which would run programs) nor macros. Plots
/// are made in `noenhanced` mode, where underscores and braces mean nothing.
package enum PlotText {
    /// A string constant of gnuplot's.
    package static func quoted(_ text: String) -> String {
        "'" + drawable(text).replacing("'", with: "''") + "'"
    }

    /// The same for several lines.
    package static func quoted(_ lines: [String]) -> String { lines.map(quoted).joined(separator: ".\"\\n\".") }

    /// A string constant for a tic, in which gnuplot looks for a number's format.
    package static func tic(_ text: String) -> String { quoted(text.replacing("%", with: "%%")) }

    /// At most so many characters, the last one an ellipsis where some were left out.
    package static func shortened(_ text: String, to count: Int) -> String {
        text.count > count ? String(text.prefix(max(1, count - 1))) + "…" : text
    }

    /// Without what no font draws, XML forbids, ends a line or turns the direction of text.
    private static func drawable(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            let isForbidden =
                switch scalar.value {
                case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029, 0x202A...0x202E, 0x2066...0x2069, 0xFDD0...0xFDEF: true
                case let value: value & 0xFFFE == 0xFFFE
                }
            result.append(isForbidden ? "\u{FFFD}" : scalar)
        }
        return String(result)
    }
}
