/// The rules for labels, which become names of folders in the outbox.
package enum Labels {
    /// Names that the outbox uses itself.
    package static let reserved: Set<String> = ["failed", "unsure", "STATUS.txt", "README.md"]
    /// Longest label, in bytes.
    package static let longest = 100
    /// The most labels a model may have.
    package static let most = 10_000

    /// Checks a whole list: enough labels, each acceptable, none twice.
    package static func check(_ labels: [String], fewest: Int = 2) throws(LabelError) {
        guard (fewest...most).contains(labels.count) else {
            throw LabelError(description: "\(labels.count) of them, from \(fewest) to \(most) are allowed")
        }
        var seen: Set<String> = []
        for label in labels {
            if let problem = problem(label) { throw LabelError(description: "'\(label)' \(problem)") }
            guard seen.insert(label).inserted else { throw LabelError(description: "'\(label)' is there twice") }
        }
    }

    /// What is wrong with a label, nil when nothing is.
    package static func problem(_ label: String) -> String? {
        if label.isEmpty { return "is empty" }
        if label.utf8.count > longest { return "is longer than \(longest) bytes" }
        if label.hasPrefix(".") { return "begins with a dot" }
        if label.utf8.contains(UInt8(ascii: "/")) { return "contains a slash" }
        if label.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) {
            return "contains a control character"
        }
        if reserved.contains(label) { return "is reserved for the outbox's own use" }
        return nil
    }
}

/// Labels that cannot be used.
package struct LabelError: Error, CustomStringConvertible, Sendable, Equatable {
    package let description: String
}
