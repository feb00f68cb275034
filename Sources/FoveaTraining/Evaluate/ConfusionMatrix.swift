/// How often each label was answered with which, as CSV (RFC 4180): a line for each true label, a column for each answer.
package struct ConfusionMatrix {
    private let labels: [String]
    private var counts: [Int]

    package init(_ outcomes: [Outcome], labels: [String]) {
        self.labels = labels
        counts = [Int](repeating: 0, count: labels.count * labels.count)
        for outcome in outcomes { counts[outcome.label * labels.count + outcome.top[0].label] += 1 }
    }

    package var csv: String {
        let names = labels.map(Self.field)
        var lines = [(["true"] + names).joined(separator: ",")]
        for (row, name) in names.enumerated() {
            let line = counts[row * labels.count..<(row + 1) * labels.count].map { "\($0)" }
            lines.append(([name] + line).joined(separator: ","))
        }
        return lines.joined(separator: "\r\n") + "\r\n"
    }

    private static func field(_ text: String) -> String {
        text.utf8.contains { [UInt8(ascii: ","), UInt8(ascii: "\""), 13, 10].contains($0) }
            ? "\"\(text.replacing("\"", with: "\"\""))\"" : text
    }
}
