/// Sizes and durations as people write them.
package enum Units {
    /// `32MiB`, `1 GiB`, `500kB`, or plain bytes.
    static func size(_ text: String) -> ConfigurationReader.Parsed<Int> {
        let factors = [
            "": 1, "b": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40, "kb": 1000,
            "mb": 1_000_000, "gb": 1_000_000_000, "tb": 1_000_000_000_000,
        ]
        if let (number, unit) = split(text), let factor = factors[unit.lowercased()] {
            let bytes = number * Double(factor)
            if bytes < 1e18 { return .value(Int(bytes)) }
        }
        return .expected("a size such as 32MiB or 1GiB")
    }

    /// `500ms`, `2s`, `5m`, `8h`, `365d`.
    static func duration(_ text: String) -> ConfigurationReader.Parsed<Duration> {
        let factors = ["ms": 0.001, "s": 1.0, "m": 60, "min": 60, "h": 3600, "d": 86400]
        if let (number, unit) = split(text), let factor = unit.isEmpty && number == 0 ? 1 : factors[unit],
            number * factor < 1e11
        {
            return .value(.milliseconds(Int64((number * factor * 1000).rounded())))
        }
        return .expected("a duration such as 500ms, 2s, 8h or 365d")
    }

    /// A duration in seconds; nil where it is none.
    package static func seconds(_ text: String) -> Double? {
        guard case .value(let duration) = duration(text) else { return nil }
        return duration / .seconds(1)
    }

    private static func split(_ text: String) -> (Double, String)? {
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard let number = Double(digits) else { return nil }
        return (number, text.dropFirst(digits.count).drop { $0 == " " }.description)
    }

    /// Bytes for a person: `32.0 MiB`.
    package static func show(bytes: Int) -> String {
        var value = Double(bytes)
        var unit = 0
        let names = ["B", "KiB", "MiB", "GiB", "TiB"]
        while abs(value) >= 1024, unit < names.count - 1 {
            value /= 1024
            unit += 1
        }
        return unit == 0 ? "\(bytes) B" : "\(decimals(value, 1)) \(names[unit])"
    }

    /// A span of time for a person: `0.4 s`, `12 s`, `5 min 3 s`, `2 h 5 min`, `3 d 4 h`.
    package static func show(seconds: Double) -> String {
        if seconds < 10 { return "\(decimals(seconds, 1)) s" }
        let whole = Int(min(seconds, 1e15))
        if whole < 60 { return "\(whole) s" }
        if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
        if whole < 86400 { return "\(whole / 3600) h \(whole % 3600 / 60) min" }
        return "\(whole / 86400) d \(whole % 86400 / 3600) h"
    }

    /// A number with so many decimals, half up, without a locale.
    package static func decimals(_ value: Double, _ count: Int) -> String {
        guard value.isFinite else { return "\(value)" }
        let factor = (0..<count).reduce(1.0) { product, _ in product * 10 }
        let scaled = (value.magnitude * factor).rounded()
        guard scaled < 1e15 else { return "\(value)" }
        let sign = value < 0 && scaled > 0 ? "-" : ""
        let (whole, part) = Int(scaled).quotientAndRemainder(dividingBy: Int(factor))
        if count == 0 { return "\(sign)\(whole)" }
        let digits = String(part)
        return "\(sign)\(whole).\(String(repeating: "0", count: count - digits.count))\(digits)"
    }
}

/// A message with a full stop, where it does not end with a mark of its own.
package func sentence(_ text: String) -> String {
    guard let last = text.last, !".!?…:".contains(last) else { return text }
    return text + "."
}

/// The candidate that was probably meant: at most two edits away (one for short words).
package func nearest(_ word: String, among candidates: [String]) -> String? {
    let scored = candidates.map { ($0, editDistance(Array(word.lowercased()), Array($0))) }
    guard let best = scored.min(by: { $0.1 < $1.1 }), best.1 <= (word.count <= 4 ? 1 : 2) else { return nil }
    return best.0
}

/// Insertions, deletions and substitutions between two words (Levenshtein 1966).
private func editDistance(_ a: [Character], _ b: [Character]) -> Int {
    var row = Array(0...b.count)
    for i in a.indices {
        var diagonal = row[0]
        row[0] = i + 1
        for j in b.indices {
            let substitution = diagonal + (a[i] == b[j] ? 0 : 1)
            diagonal = row[j + 1]
            row[j + 1] = min(substitution, row[j] + 1, row[j + 1] + 1)
        }
    }
    return row[b.count]
}
