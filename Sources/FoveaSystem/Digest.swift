import CCrypto
import SystemPackage

/// A running hash by OpenSSL's libcrypto, which uses the processor's own instructions.
package final class Digest {
    /// Which function.
    package enum Function { case sha256, md5 }

    private let context: OpaquePointer

    package init(_ function: Function = .sha256) {
        context = EVP_MD_CTX_new()!
        EVP_DigestInit_ex(context, function == .sha256 ? EVP_sha256() : EVP_md5(), nil)
    }

    deinit { EVP_MD_CTX_free(context) }

    package func update(_ bytes: UnsafeRawBufferPointer) { EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) }

    package func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes(update) }

    /// The digest; the object is used up.
    package func finish() -> [UInt8] {
        var length: UInt32 = 0
        var digest = [UInt8](repeating: 0, count: 64)
        EVP_DigestFinal_ex(context, &digest, &length)
        return Array(digest.prefix(Int(length)))
    }

    /// SHA-256 of bytes.
    package static func sha256(_ bytes: [UInt8]) -> [UInt8] { bytes.withUnsafeBytes { sha256($0) } }

    /// SHA-256 of bytes.
    package static func sha256(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        let digest = Digest()
        digest.update(bytes)
        return digest.finish()
    }

    /// SHA-256 of a file, read in pieces.
    package static func sha256(fileAt path: FilePath) throws(SystemError) -> [UInt8] {
        let descriptor = try Files.open(path)
        defer { try? descriptor.close() }
        let digest = Digest()
        var offset = 0
        while true {
            let piece = try Files.read(descriptor, count: 1 << 20, at: offset, subject: path.escaped)
            if piece.isEmpty { return digest.finish() }
            digest.update(piece)
            offset += piece.count
        }
    }
}

/// Lower-case hexadecimal digits.
package func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}
