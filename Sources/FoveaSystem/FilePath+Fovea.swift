import Glibc
import SystemPackage

extension FilePath {
    /// The path's bytes as they are on disk, without the NUL. A name need not be UTF-8.
    package var bytes: [UInt8] {
        withPlatformString { Array(UnsafeRawBufferPointer(start: $0, count: strlen($0))) }
    }

    /// A path of exactly these bytes (no NUL among them).
    package init(bytes: some Sequence<UInt8>) {
        var terminated = bytes.map { CChar(bitPattern: $0) }
        terminated.append(0)
        self.init(platformString: terminated)
    }

    /// The path as text for JSON and terminals: UTF-8 as it is, where a byte that is not part of UTF-8, a
    /// control character or a `%` becomes `%XX`, so that the text names one path only.
    package var escaped: String { percentEscaped(bytes) }
}

/// See `FilePath.escaped`.
package func percentEscaped(_ bytes: some Collection<UInt8>) -> String {
    if let text = String(validating: bytes, as: UTF8.self),
        !text.unicodeScalars.contains(where: { $0 == "%" || $0.value < 0x20 || $0.value == 0x7F })
    {
        return text
    }
    var text = ""
    var rest = ArraySlice(bytes)
    while let first = rest.first {
        let length = first < 0x80 ? 1 : first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2
        if first >= 0x20, first != 0x25, first != 0x7F,
            let character = String(validating: rest.prefix(length), as: UTF8.self)
        {
            text += character
            rest = rest.dropFirst(length)
        } else {
            let digits = String(first, radix: 16, uppercase: true)
            text += "%" + (digits.count == 1 ? "0" : "") + digits
            rest = rest.dropFirst()
        }
    }
    return text
}

/// The bytes that `percentEscaped` made `text` from; a `%` without two hexadecimal digits stands for itself.
package func percentUnescaped(_ text: String) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = Substring(text).utf8
    while let first = rest.popFirst() {
        if first == UInt8(ascii: "%"), rest.count >= 2,
            let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
        {
            bytes.append(value)
            rest = rest.dropFirst(2)
        } else {
            bytes.append(first)
        }
    }
    return bytes
}

extension FilePath.Component {
    /// The name's bytes as they are on disk, without the NUL.
    package var bytes: [UInt8] {
        withPlatformString { Array(UnsafeRawBufferPointer(start: $0, count: strlen($0))) }
    }
}
