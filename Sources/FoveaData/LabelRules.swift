/// What labels and data sets may be called. A label becomes a folder's name in the outbox, so whatever could lead out
/// of that folder, hide in it or clash with Fovea's own folders is refused.
package enum LabelRules {
    /// Folders of the outbox that are no labels.
    package static let reserved: Set<String> = ["failed", "unsure"]
    /// Bytes of UTF-8.
    package static let mostBytes = 100
    /// Labels are stored in 16 bits.
    package static let mostLabels = 65536

    /// - Throws: `.invalid`, naming the label and the rule.
    package static func check(_ labels: [String]) throws(DataError) {
        guard !labels.isEmpty else { throw DataError(.invalid, "no labels") }
        guard labels.count <= mostLabels else {
            throw DataError(.invalid, "\(labels.count) labels, at most \(mostLabels) are allowed")
        }
        var seen: Set<String> = []
        for label in labels {
            if let fault = fault(of: label) { throw DataError(.invalid, "label \"\(label)\": \(fault)") }
            if !seen.insert(label).inserted { throw DataError(.invalid, "label \"\(label)\" stands there twice") }
        }
    }

    /// What is wrong with one label, nil where nothing is.
    package static func fault(of label: String) -> String? {
        if label.isEmpty { return "it is empty" }
        if label.utf8.count > mostBytes { return "it is longer than \(mostBytes) bytes" }
        if label.utf8.contains(UInt8(ascii: "/")) { return "it contains a slash" }
        if label.utf8.first == UInt8(ascii: ".") { return "it begins with a dot" }
        if label.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) {
            return "it contains a control character"
        }
        if reserved.contains(label) { return "the name is reserved" }
        return nil
    }

    /// - Throws: `.invalid` where `name` is not 1 to 100 of `A–Z a–z 0–9 . _ -`, or begins with a dot or a dash.
    package static func check(name: String) throws(DataError) {
        let letters = name.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        guard letters, (1...mostBytes).contains(name.utf8.count), name.first != ".", name.first != "-" else {
            throw DataError(
                .invalid, "\"\(name)\" cannot be a data set's name: use letters, digits, dot, dash and underscore")
        }
    }
}
