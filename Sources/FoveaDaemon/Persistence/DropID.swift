import FoveaControl
import FoveaSystem

/// The identity of one drop: unique for every file ever taken, even when the same content comes twice.
///
/// A ULID (github.com/ulid/spec) in lower case: 10 characters of milliseconds since 1970, 16 of randomness, in
/// Crockford's base 32. Identities sort by time, say when the image was received, and do not depend on the host.
package struct DropID: Sendable, Hashable, Comparable, CustomStringConvertible {
    package let description: String

    private static let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)

    package init(received: Timestamp) {
        var generator = SystemRandomNumberGenerator()
        var characters: [UInt8] = []
        characters.reserveCapacity(26)
        for position in (0..<10).reversed() {
            characters.append(Self.alphabet[(received.milliseconds >> (5 * position)) & 31])
        }
        let random = (generator.next(), generator.next())
        for position in 0..<16 {
            let word = position < 8 ? random.0 : random.1
            characters.append(Self.alphabet[Int(word >> (5 * UInt64(position & 7)) & 31)])
        }
        description = String(decoding: characters, as: UTF8.self)
    }

    /// Reads an identity back; nil for any other text.
    package init?(_ text: String) {
        guard text.utf8.count == 26, text.utf8.allSatisfy({ Self.alphabet.contains($0) }) else { return nil }
        description = text
    }

    /// When the image was taken from the inbox.
    package var received: Timestamp {
        var milliseconds = 0
        for character in description.utf8.prefix(10) {
            milliseconds = milliseconds << 5 | (Self.alphabet.firstIndex(of: character) ?? 0)
        }
        return Timestamp(milliseconds: milliseconds)
    }

    package static func < (left: DropID, right: DropID) -> Bool { left.description < right.description }
}
