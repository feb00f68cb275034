import FoveaSystem
import SystemPackage
import Testing

@Suite struct DigestTests {
    /// FIPS 180-4's examples.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ])
    func sha256(_ text: String, _ digest: String) {
        #expect(hexadecimal(Digest.sha256(Array(text.utf8))) == digest)
    }

    /// RFC 1321's example.
    @Test func md5() {
        let digest = Digest(.md5)
        digest.update(Array("message ".utf8))
        digest.update(Array("digest".utf8))
        #expect(hexadecimal(digest.finish()) == "f96b697d7cb7938d525a2f31aaf161d0")
    }

    @Test func filesInPieces() throws {
        let folder = try Folder()
        let bytes = (0..<(1 << 20) + 12345).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try Files.replace(folder.path.appending("large"), with: bytes)
        #expect(try Digest.sha256(fileAt: folder.path.appending("large")) == Digest.sha256(bytes))
    }

    /// RFC 3720, and the check value of every catalogue of CRCs.
    @Test func cyclicRedundancyChecks() {
        #expect(crc32c(Array("123456789".utf8)) == 0xE306_9283)
        #expect(crc32c([]) == 0)
        #expect(crc32c([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(crc32c([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
    }
}
