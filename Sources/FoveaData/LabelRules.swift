import FoveaModels

/// What data sets and their labels may be called. The labels become a model's.
package enum LabelRules {
    /// Bytes of a data set's name.
    package static let mostBytes = 100

    /// - Parameter areNew: they come from a person's folder or archive; else from a data set that is there, which may have
    ///   labels that are not allowed any more. See `Labels`.
    /// - Throws: `.invalid`, naming the label and the rule. One label is enough here, not for a model.
    package static func check(_ labels: [String], areNew: Bool = false) throws(DataError) {
        do {
            try Labels.check(labels, fewest: 1, areNew: areNew)
        } catch {
            throw DataError(.invalid, "labels: \(error)")
        }
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
