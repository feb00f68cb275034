import FoveaControl

/// One line on a terminal that says how far the work is; nothing elsewhere.
package struct ProgressBar {
    private let console: Console
    private let clock = ContinuousClock()
    private let begin: ContinuousClock.Instant
    private var drawn: ContinuousClock.Instant
    private let title: String
    private let total: Int
    /// What had been done already when this line began, of `overall`.
    private let earlier: Int
    private let overall: Int

    /// - Parameters:
    ///   - total: images of this line.
    ///   - earlier, overall: for the time left, images before this line and in the whole run; nil for a line alone.
    package init(_ console: Console, _ title: String, total: Int, earlier: Int = 0, overall: Int? = nil) {
        self.console = console
        self.title = title
        self.total = max(1, total)
        self.earlier = earlier
        self.overall = overall ?? total
        begin = clock.now
        drawn = begin
    }

    /// Images a second since this line began.
    package func rate(_ done: Int) -> Double {
        let elapsed = (clock.now - begin) / .seconds(1)
        return elapsed > 0 ? Double(done) / elapsed : 0
    }

    /// Draws the line, at most five times a second.
    ///
    /// - Parameter rate: images a second, nil for the mean since the line began.
    package mutating func update(_ done: Int, rate: Double? = nil, _ details: @autoclosure () -> String = "") {
        guard console.isTerminal else { return }
        let now = clock.now
        guard now - drawn > .milliseconds(200) || done == total else { return }
        drawn = now
        let rate = rate ?? self.rate(done)
        let left = rate > 0 ? Double(overall - earlier - done) / rate : .nan
        let tail =
            "\(Figures.percent(Double(done) / Double(total), decimals: 0))  "
            + "\(Figures.grouped(Int(rate))) images/s  ETA \(Figures.time(left))  \(details())"
        // Two columns stay free: some terminals wrap at the last one.
        let room = console.columns - title.count - tail.count - 6
        let width = min(30, room)
        var bar = ""
        if width >= 5 {
            let filled = min(width, width * done / total)
            bar = String(repeating: "━", count: filled)
            bar += console.dim(String(repeating: "─", count: width - filled)) + "  "
        }
        let line = "\(console.bold(title))  \(bar)"
        console.redraw(line + (room < 0 ? String(tail.prefix(max(0, tail.count + room))) : tail))
    }

    /// Removes the line.
    package func finish() { console.clearLine() }
}
