// A JSON reader for files that came from somebody else.
//
// JSONDecoder takes the last of two members with the same name, so that a file can show one thing to whoever checks it
// and another to whoever reads it. This one refuses duplicate keys, limits the depth before it recurses, and takes
// nothing that RFC 8259 does not allow. It is small and not fast: the files are headers and configurations.

import FoveaSystem

/// Parses strict JSON.
package struct StrictJSON {
    /// What is wrong and at which byte.
    package struct Failure: Error, CustomStringConvertible, Equatable {
        package let offset: Int
        package let problem: String
        package var description: String { "not acceptable JSON at byte \(offset): \(problem)" }
    }

    /// The one value that `bytes` hold; white space may surround it.
    ///
    /// - Parameter depth: how many objects and arrays may be inside one another.
    package static func parse(_ bytes: some Collection<UInt8>, depth: Int) throws(Failure) -> JSONValue {
        var parser = StrictJSON(bytes: Array(bytes))
        guard String(validating: parser.bytes, as: UTF8.self) != nil else { throw parser.failure("not UTF-8") }
        let value = try parser.value(depth: depth)
        parser.skipSpace()
        guard parser.offset == parser.bytes.count else { throw parser.failure("text after the value") }
        return value
    }

    private let bytes: [UInt8]
    private var offset = 0

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private func failure(_ problem: String) -> Failure { Failure(offset: offset, problem: problem) }

    private var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { offset += 1 }
    }

    private mutating func take(_ character: Character) -> Bool {
        skipSpace()
        guard next == character.asciiValue else { return false }
        offset += 1
        return true
    }

    private mutating func value(depth: Int) throws(Failure) -> JSONValue {
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case nil: throw failure("the text ends where a value should be")
        default: return try number()
        }
    }

    private mutating func word(_ text: String, _ value: JSONValue) throws(Failure) -> JSONValue {
        guard bytes[offset...].starts(with: text.utf8) else { throw failure("expected \(text)") }
        offset += text.utf8.count
        return value
    }

    private mutating func object(depth: Int) throws(Failure) -> JSONValue {
        guard depth > 0 else { throw failure("nested too deeply") }
        offset += 1
        var members: [String: JSONValue] = [:]
        if take("}") { return .object(members) }
        repeat {
            skipSpace()
            let start = offset
            guard next == UInt8(ascii: "\"") else { throw failure("expected a key in quotes") }
            let key = try string()
            guard take(":") else { throw failure("expected ':'") }
            // The member is noted before its value is parsed, so that the position of the second key is reported.
            guard members[key] == nil else { throw Failure(offset: start, problem: "key '\(key)' appears twice") }
            members[key] = try value(depth: depth - 1)
        } while take(",")
        guard take("}") else { throw failure("expected ',' or '}'") }
        return .object(members)
    }

    private mutating func array(depth: Int) throws(Failure) -> JSONValue {
        guard depth > 0 else { throw failure("nested too deeply") }
        offset += 1
        var elements: [JSONValue] = []
        if take("]") { return .array(elements) }
        repeat { elements.append(try value(depth: depth - 1)) } while take(",")
        guard take("]") else { throw failure("expected ',' or ']'") }
        return .array(elements)
    }

    private mutating func string() throws(Failure) -> String {
        offset += 1
        var text: [UInt8] = []
        while let byte = next {
            offset += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"): text.append(contentsOf: String(Character(try escape())).utf8)
            case ..<0x20: throw failure("control character in a string")
            default: text.append(byte)
            }
        }
        throw failure("the text ends inside a string")
    }

    private mutating func escape() throws(Failure) -> Unicode.Scalar {
        guard let byte = next else { throw failure("the text ends inside a string") }
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{08}"
        case UInt8(ascii: "f"): return "\u{0C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): break
        default: throw failure("unknown escape")
        }
        let first = try hexadecimal()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xDC00, bytes[offset...].starts(with: "\\u".utf8) else { throw failure("half a surrogate pair") }
        offset += 2
        let second = try hexadecimal()
        guard (0xDC00..<0xE000).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { throw failure("half a surrogate pair") }
        return scalar
    }

    private mutating func hexadecimal() throws(Failure) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw failure("expected four hexadecimal digits")
            }
            value = value << 4 | UInt32(digit)
            offset += 1
        }
        return value
    }

    private mutating func number() throws(Failure) -> JSONValue {
        let start = offset
        var isInteger = true
        if next == UInt8(ascii: "-") { offset += 1 }
        let whole = offset
        try digits()
        if bytes[whole] == UInt8(ascii: "0") && offset - whole > 1 { throw failure("number with a leading zero") }
        if next == UInt8(ascii: ".") {
            isInteger = false
            offset += 1
            try digits()
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            isInteger = false
            offset += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { offset += 1 }
            try digits()
        }
        let text = String(decoding: bytes[start..<offset], as: UTF8.self)
        if isInteger {
            guard let value = Int(text) else { throw failure("number too large") }
            return .int(value)
        }
        guard let value = Double(text), value.isFinite else { throw failure("number too large") }
        return .number(value)
    }

    private mutating func digits() throws(Failure) {
        let start = offset
        while let byte = next, (0x30...0x39).contains(byte) { offset += 1 }
        if offset == start { throw failure(start < bytes.count ? "unexpected character" : "the text ends in a number") }
    }
}
