/// The rules for labels, which become names of folders in the outbox.
package enum Labels {
    /// Names that no model may have among its labels, and none ever had: they were the outbox's own from the start.
    private static let refused = OutboxFolder.own.subtracting([OutboxFolder.unknown, OutboxFolder.readme])
    /// Longest label, in bytes.
    package static let longest = 100
    /// The most labels a model may have.
    package static let most = 10_000

    /// Checks a whole list: enough labels, each acceptable, none twice.
    ///
    /// - Parameter areNew: see `problem`.
    package static func check(_ labels: [String], fewest: Int = 2, areNew: Bool = false) throws(LabelError) {
        guard (fewest...most).contains(labels.count) else {
            throw LabelError(description: "\(labels.count) of them, from \(fewest) to \(most) are allowed")
        }
        var seen: Set<String> = []
        for label in labels {
            if let problem = problem(label, isNew: areNew) { throw LabelError(description: "'\(label)' \(problem)") }
            guard seen.insert(label).inserted else { throw LabelError(description: "'\(label)' is there twice") }
        }
    }

    /// What is wrong with a label, a clause that follows it; nil when nothing is.
    ///
    /// - Parameter isNew: the label comes from a person's folder, or is to become a new model's, and must be none of the
    ///   outbox's own names. A model that is there may have `unknown`, which older versions allowed.
    package static func problem(_ label: String, isNew: Bool = false) -> String? {
        if label.isEmpty { return "is empty" }
        if label.utf8.count > longest { return "is longer than \(longest) bytes" }
        if label.hasPrefix(".") { return "begins with a dot" }
        if label.utf8.contains(UInt8(ascii: "/")) { return "contains a slash" }
        if label.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) {
            return "contains a control character"
        }
        if isNew, OutboxFolder.own.contains(label) {
            return "is reserved for the outbox's own use: rename the folder, such as to '\(label)-things'"
        }
        if refused.contains(label) { return "is reserved for the outbox's own use" }
        return nil
    }
}

/// Labels that cannot be used.
package struct LabelError: Error, CustomStringConvertible, Sendable, Equatable {
    package let description: String
}
