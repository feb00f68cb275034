import FoundationEssentials
import FoveaControl
import Glibc

/// Standard output for data, standard error for messages. Colour and animation only on a terminal, colour not with
/// NO_COLOR (https://no-color.org).
enum Console {
    static let isTerminal = isatty(1) == 1
    static let hasColour = isTerminal && (getenv("NO_COLOR").map { $0.pointee == 0 } ?? true) && !isDumb
    private static var isDumb: Bool { getenv("TERM").map { String(cString: $0) == "dumb" } ?? true }

    /// Columns of the terminal; 100 elsewhere.
    static var width: Int {
        var size = winsize()
        return isTerminal && ioctl(1, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 20 ? Int(size.ws_col) : 100
    }

    /// A line of data. Ends the program quietly where nobody reads any more.
    static func line(_ text: String = "") { write(Array(text.utf8) + [0x0A], to: 1) }

    static func data(_ bytes: [UInt8]) { write(bytes, to: 1) }

    static func message(_ text: String) { write(Array("\(text)\n".utf8), to: 2) }

    static func error(_ text: String) { message("foveactl: \(text)") }

    /// To standard error, as it is.
    static func raw(_ text: String) { write(Array(text.utf8), to: 2) }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + done, $0.count - done) }
            if count > 0 {
                done += count
            } else if errno != EINTR {
                exit(errno == EPIPE ? 0 : 74)
            }
        }
    }

    /// A message as JSON on a line of its own.
    static func json(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        data(Array(try encoder.encode(value)) + [0x0A])
    }

    static func bold(_ text: String) -> String { hasColour ? "\u{1B}[1m\(text)\u{1B}[0m" : text }

    static func dim(_ text: String) -> String { hasColour ? "\u{1B}[2m\(text)\u{1B}[0m" : text }

    static func red(_ text: String) -> String { hasColour ? "\u{1B}[31m\(text)\u{1B}[0m" : text }

    static func green(_ text: String) -> String { hasColour ? "\u{1B}[32m\(text)\u{1B}[0m" : text }

    /// Aligned columns, two spaces apart; those in `right` are flush right.
    static func table(_ rows: [[String]], header: [String]? = nil, right: Set<Int> = []) {
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

/// Text from elsewhere (labels, file names, messages of the daemon) without what could command a terminal.
func safe(_ text: String) -> String {
    String(
        String.UnicodeScalarView(
            text.unicodeScalars.map { scalar in
                switch scalar.value {
                case 0..<0x20, 0x7F..<0xA0, 0x202A...0x202E, 0x2066...0x2069: "\u{FFFD}"
                default: scalar
                }
            }))
}

/// `93.2 %`.
func percent(_ fraction: Double) -> String { "\(Units.decimals(fraction * 100, 1)) %" }
