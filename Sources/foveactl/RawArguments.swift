// File names are bytes, ArgumentParser takes Strings. An argument that is no UTF-8 goes through it in disguise, as
// Python's surrogateescape does it: each byte that is not part of UTF-8 becomes a scalar of plane 16, which is for
// private use, and is turned back where a path is made of it. Without that, such a file could not be named.

import ArgumentParser
import FoveaSystem
import Glibc
import SystemPackage

enum RawArguments {
    private static let disguise: UInt32 = 0x10FF00

    /// The command line without the program's name.
    static let all = (1..<max(1, Int(CommandLine.argc))).compactMap { index in
        CommandLine.unsafeArgv[index].map { text(Array(UnsafeRawBufferPointer(start: $0, count: strlen($0)))) }
    }

    static func text(_ bytes: [UInt8]) -> String {
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        var text = ""
        var rest = bytes[...]
        while let first = rest.first {
            let length = first < 0x80 ? 1 : first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2
            if let character = String(validating: rest.prefix(length), as: UTF8.self) {
                text += character
                rest = rest.dropFirst(length)
            } else {
                text.unicodeScalars.append(Unicode.Scalar(disguise + UInt32(first))!)
                rest = rest.dropFirst()
            }
        }
        return text
    }

    /// What the shell has handed over.
    static func bytes(_ text: String) -> [UInt8] {
        text.unicodeScalars.flatMap { scalar in
            (disguise + 0x80...disguise + 0xFF).contains(scalar.value)
                ? [UInt8(scalar.value - disguise)] : Array(String(scalar).utf8)
        }
    }
}

/// A path on the command line, byte by byte.
struct PathArgument: ExpressibleByArgument {
    let path: FilePath

    init?(argument: String) {
        if argument.isEmpty { return nil }
        path = FilePath(bytes: RawArguments.bytes(argument))
    }

    static var defaultCompletionKind: CompletionKind { .file() }
}
