import FoveaData
import Glibc

/// Messages for people, on standard error. Data go to standard output: `Console+Output.swift`.
package struct Console: Sendable {
    package let isQuiet: Bool
    /// Standard error is a terminal whose lines may be redrawn.
    package let isTerminal: Bool
    private let hasColour: Bool

    package init(quiet: Bool) {
        isQuiet = quiet
        isTerminal = !quiet && Self.isCapable(STDERR_FILENO)
        hasColour = isTerminal && Self.wantsColour
    }

    /// A message, not printed when quiet. Text from elsewhere may be in it.
    package func note(_ text: String) {
        if !isQuiet { alert(text) }
    }

    /// The first few files that are no images, and how many more there are.
    package func noteLeftOut(_ files: [RefusedFile]) {
        for file in files.prefix(5) { note("left out: \(file.path): \(file.reason)") }
        if files.count > 5 { note("left out: \(files.count - 5) more files") }
    }

    /// What an import says of a data set: what was left out, and what a person should know.
    package func noteImport(leftOut: [RefusedFile], notes: [String]) {
        noteLeftOut(leftOut)
        for text in notes { note(text) }
    }

    /// A message that is printed in any case. Text from elsewhere may be in it.
    package func alert(_ text: String) { Self.message(safe(text, keepingLines: true)) }

    /// Redraws the line at the cursor; only on a terminal.
    package func redraw(_ text: String) {
        if isTerminal { Self.raw("\r" + text + "\u{1B}[K") }
    }

    /// Clears the redrawn line.
    package func clearLine() { redraw("") }

    /// Columns of the terminal.
    package var columns: Int {
        var size = winsize()
        return ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
    }

    /// Dims text where the terminal has colours.
    package func dim(_ text: String) -> String { hasColour ? Self.dimmed(text) : text }

    /// Highlights text where the terminal has colours.
    package func bold(_ text: String) -> String { hasColour ? Self.emphasised(text) : text }

    // MARK: - Without a console of one's own

    /// A line of text for a person, as it is: text from elsewhere goes through `safe` first.
    package static func message(_ text: String) { raw("\(text)\n") }

    /// To standard error, as it is. What cannot be written is lost, as with any terminal that is gone.
    package static func raw(_ text: String) { _ = write(Array(text.utf8), to: STDERR_FILENO) }

    // MARK: - Terminals

    /// Whether lines may be redrawn and coloured there.
    static func isCapable(_ descriptor: Int32) -> Bool {
        isatty(descriptor) == 1 && getenv("TERM").map { String(cString: $0) != "dumb" } ?? false
    }

    /// Unless NO_COLOR is set to anything (https://no-color.org).
    static var wantsColour: Bool { getenv("NO_COLOR").map { $0.pointee == 0 } ?? true }

    static func dimmed(_ text: String) -> String { "\u{1B}[2m\(text)\u{1B}[0m" }
    static func emphasised(_ text: String) -> String { "\u{1B}[1m\(text)\u{1B}[0m" }

    /// write(2) of all bytes.
    ///
    /// - Returns: 0, or the errno of the call that failed.
    static func write(_ bytes: [UInt8], to descriptor: Int32) -> Int32 {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + done, $0.count - done) }
            if count > 0 {
                done += count
            } else if errno != EINTR {
                return errno
            }
        }
        return 0
    }
}
