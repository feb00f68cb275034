/// Figures as people read them.
package enum Figures {
    /// `12:34`, `1:02:03`.
    package static func time(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds >= 0 else { return "–" }
        let whole = Int(seconds.rounded())
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let (hours, minutes) = (whole / 3600, whole / 60 % 60)
        return hours > 0 ? "\(hours):\(two(minutes)):\(two(whole % 60))" : "\(minutes):\(two(whole % 60))"
    }

    /// A fraction in percent with one or more decimals: `61.3%`.
    package static func percent(_ fraction: Double, decimals: Int = 1) -> String {
        Units.decimals(100 * fraction, decimals) + "%"
    }

    /// Thousands apart: `50,000`.
    package static func grouped(_ value: Int) -> String {
        var text = String(abs(value))
        var position = text.count - 3
        while position > 0 {
            text.insert(",", at: text.index(text.startIndex, offsetBy: position))
            position -= 3
        }
        return (value < 0 ? "-" : "") + text
    }
}
