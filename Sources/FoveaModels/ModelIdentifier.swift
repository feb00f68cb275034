/// `NAME@VERSION`: one immutable model.
package struct ModelIdentifier: Sendable, Hashable, Codable, Comparable, CustomStringConvertible {
    package let name: String
    package let version: String

    /// - Throws: `.invalidName` for a name or version that is not `[a-z0-9][a-z0-9._-]{0,63}`.
    package init(name: String, version: String) throws(ModelError) {
        for (what, text) in [("name", name), ("version", version)] where !Self.isValid(text) {
            throw ModelError(
                .invalidName, text.isEmpty ? "''" : text,
                "is not a model's \(what): up to 64 of a-z, 0-9, '.', '_' and '-', the first a letter or a digit")
        }
        self.name = name
        self.version = version
    }

    package var description: String { "\(name)@\(version)" }

    /// By name, then from the oldest version to the newest.
    package static func < (left: ModelIdentifier, right: ModelIdentifier) -> Bool {
        left.name == right.name ? isOlder(left.version, than: right.version) : left.name < right.name
    }

    /// The pattern `[a-z0-9][a-z0-9._-]{0,63}`: also safe as a folder's name.
    package static func isValid(_ text: String) -> Bool {
        func isAlphanumeric(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) }
        let bytes = text.utf8
        guard let first = bytes.first, isAlphanumeric(first), bytes.count <= 64 else { return false }
        return bytes.allSatisfy {
            isAlphanumeric($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-")
        }
    }

    /// Versions are compared part by part between dots and hyphens: numbers by value, a number before text, text by
    /// its characters, and `1` before `1.1`.
    package static func isOlder(_ left: String, than right: String) -> Bool {
        func parts(_ text: String) -> [Substring] {
            text.split(omittingEmptySubsequences: false) { $0 == "." || $0 == "-" }
        }
        let (lefts, rights) = (parts(left), parts(right))
        for (left, right) in zip(lefts, rights) where left != right {
            switch (number(left), number(right)) {
            case (let left?, let right?):
                if left != right { return (left.count, left) < (right.count, right) }
            case (_?, nil): return true
            case (nil, _?): return false
            case (nil, nil): return left < right
            }
        }
        return lefts.count == rights.count ? left < right : lefts.count < rights.count
    }

    /// The digits without leading zeros, nil where there is anything else.
    private static func number(_ text: Substring) -> String? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return String(text.drop { $0 == "0" })
    }
}

/// What a user writes to name a model: `NAME@VERSION`, or `NAME` for its newest version.
package struct ModelReference: Sendable, Hashable, CustomStringConvertible {
    package let name: String
    package let version: String?

    /// - Throws: `.invalidName`.
    package init(_ text: String) throws(ModelError) {
        let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        let identifier = try ModelIdentifier(
            name: String(parts[0]), version: parts.count == 2 ? String(parts[1]) : "0")
        name = identifier.name
        version = parts.count == 2 ? identifier.version : nil
    }

    package var description: String { version.map { "\(name)@\($0)" } ?? name }
}
