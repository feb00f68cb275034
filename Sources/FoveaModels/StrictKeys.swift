/// A keyed container in which an unknown key is an error that names it: a misspelt key must not be silently without
/// effect.
package struct StrictKeys {
    private let container: KeyedDecodingContainer<AnyKey>
    private let what: String

    /// - Parameters:
    ///   - allowed: all keys that may appear.
    ///   - what: the object's name for messages, such as `config.json`.
    package init(_ decoder: any Decoder, allowed: Set<String>, what: String) throws {
        container = try decoder.container(keyedBy: AnyKey.self)
        self.what = what
        if let unknown = container.allKeys.map(\.stringValue).sorted().first(where: { !allowed.contains($0) }) {
            throw invalid(unknown, "unknown key; known are \(allowed.sorted().joined(separator: ", "))")
        }
    }

    /// The value of a key that must be there.
    package func required<T: Decodable>(_ key: String, as type: T.Type = T.self) throws -> T {
        guard let value: T = try optional(key) else { throw invalid(key, "missing") }
        return value
    }

    /// The value of a key that may be missing, which null counts as.
    package func optional<T: Decodable>(_ key: String, as type: T.Type = T.self) throws -> T? {
        do {
            return try container.decodeIfPresent(type, forKey: AnyKey(key))
        } catch let error as ConfigurationError {
            throw error
        } catch {
            throw invalid(key, "must be \(Self.describe(type))")
        }
    }

    /// An error about one key.
    package func invalid(_ key: String, _ problem: String) -> ConfigurationError {
        ConfigurationError(what: what, key: key, problem: problem)
    }

    private static func describe(_ type: Any.Type) -> String {
        switch type {
        case is String.Type: "a string"
        case is Int.Type: "a whole number"
        case is Double.Type, is Float.Type: "a number"
        case is Bool.Type: "true or false"
        case is [String].Type: "a list of strings"
        case is [Int].Type: "a list of whole numbers"
        default: "of another form"
        }
    }

    private struct AnyKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(_ text: String) { stringValue = text }
        init?(stringValue: String) { self.init(stringValue) }
        init?(intValue: Int) { nil }
    }
}

/// A configuration value that cannot be used: where it stands and what is wrong.
package struct ConfigurationError: Error, CustomStringConvertible, Sendable {
    /// The object that the key is in, such as `config.json`.
    package let what: String
    package let key: String
    package let problem: String

    package var description: String { "\(what): \(key): \(problem)" }
}
