import FoveaData
import Glibc
import Synchronization

/// Messages for people, on standard error; data go to standard output.
struct Console: Sendable {
    let isQuiet: Bool
    /// Standard error is a terminal that lines may be redrawn on.
    let isTerminal: Bool
    let hasColour: Bool

    init(quiet: Bool) {
        isQuiet = quiet
        let kind = getenv("TERM").map { String(cString: $0) }
        isTerminal = !quiet && isatty(STDERR_FILENO) == 1 && kind != "dumb"
        let noColour = getenv("NO_COLOR").map { $0.pointee != 0 } ?? false
        hasColour = isTerminal && !noColour
    }

    /// A message, not printed when quiet.
    func note(_ text: String) {
        if !isQuiet { Self.write(text + "\n") }
    }

    /// The first few files that are no images, and how many more there are.
    func noteLeftOut(_ files: [RefusedFile]) {
        for file in files.prefix(5) { note("left out: \(file.path): \(file.reason)") }
        if files.count > 5 { note("left out: \(files.count - 5) more files") }
    }

    /// A message that is printed in any case.
    func alert(_ text: String) { Self.write(text + "\n") }

    /// Redraws the line at the cursor; only on a terminal.
    func redraw(_ text: String) {
        if isTerminal { Self.write("\r" + text + "\u{1B}[K") }
    }

    /// Clears the redrawn line.
    func clearLine() { redraw("") }

    /// Columns of the terminal.
    var columns: Int {
        var size = winsize()
        return ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
    }

    /// Dims text where the terminal has colours.
    func dim(_ text: String) -> String { hasColour ? "\u{1B}[2m\(text)\u{1B}[0m" : text }

    /// Highlights text where the terminal has colours.
    func bold(_ text: String) -> String { hasColour ? "\u{1B}[1m\(text)\u{1B}[0m" : text }

    /// Writes all of `text` to a descriptor; what cannot be written is lost, as with any terminal that is gone.
    static func write(_ text: String, to descriptor: Int32 = STDERR_FILENO) {
        var text = text
        text.withUTF8 { bytes in
            var done = 0
            while done < bytes.count {
                let written = Glibc.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
                if written < 0 && errno == EINTR { continue }
                if written <= 0 { return }
                done += written
            }
        }
    }
}
