import FoundationEssentials
import FoveaSystem
import Glibc

/// Standard output: the data that a command was asked for. Colour only on a terminal, and not with NO_COLOR.
extension Console {
    /// Standard output is a terminal, though perhaps one without colours.
    package static let isTerminal = isatty(STDOUT_FILENO) == 1
    private static let hasColour = isCapable(STDOUT_FILENO) && wantsColour

    /// Columns of the terminal; 100 elsewhere.
    package static var width: Int {
        var size = winsize()
        return isTerminal && ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 20
            ? Int(size.ws_col) : 100
    }

    /// A line of data.
    package static func line(_ text: String = "") { data(Array(text.utf8) + [0x0A]) }

    /// Data as they are. Ends the program: quietly where nobody reads any more, with 74 where they cannot be written.
    package static func data(_ bytes: [UInt8]) {
        switch write(bytes, to: STDOUT_FILENO) {
        case 0: break
        case EPIPE: exit(ExitStatus.success.rawValue)
        case let code:
            message("standard output cannot be written: \(String(cString: strerror(code)))")
            exit(ExitStatus.inputOutput.rawValue)
        }
    }

    /// Text as it is.
    package static func text(_ text: String) { data(Array(text.utf8)) }

    /// A value as JSON on a line of its own.
    package static func json(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        data(Array(try encoder.encode(value)) + [0x0A])
    }

    package static func bold(_ text: String) -> String { hasColour ? emphasised(text) : text }

    package static func dim(_ text: String) -> String { hasColour ? dimmed(text) : text }

    package static func red(_ text: String) -> String { hasColour ? "\u{1B}[31m\(text)\u{1B}[0m" : text }

    package static func green(_ text: String) -> String { hasColour ? "\u{1B}[32m\(text)\u{1B}[0m" : text }

    /// Aligned columns, two spaces apart; those in `right` are flush right.
    package static func table(_ rows: [[String]], header: [String]? = nil, right: Set<Int> = []) {
        let all = (header.map { [$0] } ?? []) + rows
        let columns = all.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in all.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
        for (index, row) in all.enumerated() {
            var text = ""
            for (column, cell) in row.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                text += (column == 0 ? "" : "  ") + (right.contains(column) ? padding + cell : cell + padding)
            }
            while text.last == " " { text.removeLast() }
            line(index == 0 && header != nil ? dim(text) : text)
        }
    }
}
