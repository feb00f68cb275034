import FoveaData
import FoveaSystem
import FoveaTestKit
import Glibc
import SystemPackage
import Testing

/// With a program in pip's place: the package index is not for tests to depend on.
@Suite struct PackageDownloadTests {
    private let folder: TemporaryFolder
    private let wheel = Array("the wheel".utf8)

    init() throws { folder = try TemporaryFolder() }

    /// - Parameter script: what pip does; `$dest` is where wheels go, `$requirements` the file.
    private func download(_ script: String, sha256: String? = nil) throws -> PackageDownload {
        let python = folder.path.appending("python3")
        let text = """
            #!/bin/sh
            for word; do case $word in --dest=*) dest=${word#--dest=};; --requirement=*) requirements=${word#--requirement=};; esac; done
            echo "$@" > '\(folder.path.string)/words'
            cp "$requirements" '\(folder.path.string)/requirements'
            \(script)
            """
        try Files.replace(python, with: Array(text.utf8))
        #expect(python.withPlatformString { chmod($0, 0o755) } == 0)
        var download = PackageDownload(
            requirement: "some-package==1.0 --hash=sha256:abc", sha256: sha256 ?? hexadecimal(Digest.sha256(wheel)),
            otherwise: "do OTHERWISE")
        download.python = python
        return download
    }

    private func failure(_ script: String, sha256: String? = nil) throws -> DataError {
        try #require(throws: DataError.self) { try download(script, sha256: sha256).fetch(limit: 100) }
    }

    private static let give = #"mkdir "$dest"; printf 'the wheel' > "$dest/some_package-1.0-py3-none-any.whl""#

    @Test("pip is asked for one wheel by its hash, and for nothing that would run or install anything")
    func fetches() throws {
        #expect(try download(Self.give).fetch(limit: 100) == wheel)
        let words = try String(decoding: Files.read(folder.path.appending("words")), as: UTF8.self)
        for option in ["download", "--no-deps", "--only-binary=:all:", "--require-hashes"] {
            #expect(words.contains(option))
        }
        #expect(
            try Files.read(folder.path.appending("requirements")) == Array("some-package==1.0 --hash=sha256:abc\n".utf8)
        )
        let dest = words.split(separator: " ").first { $0.hasPrefix("--dest=") }.map {
            FilePath(String($0.dropFirst(7)))
        }
        #expect(try Files.statusIfPresent(#require(dest).removingLastComponent()) == nil)
    }

    @Test("Each way in which pip fails has its own sentence")
    func failures() throws {
        var error = try failure("echo 'ERROR: Could not find a version that satisfies the requirement' >&2; exit 1")
        #expect(
            error.code == .network && error.description.contains("Could not find")
                && error.description.contains("OTHERWISE"))
        error = try failure(
            "echo 'ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.' >&2; exit 1")
        #expect(error.code == .corrupt && error.description.contains("SHA-256"))
        error = try failure("echo '/usr/bin/python3: No module named pip' >&2; exit 1")
        #expect(error.code == .network && error.description.contains("python3-pip"))
        error = try failure(
            "echo 'WARNING: Retrying after connection broken by NewConnectionError' >&2; echo 'ERROR: No matching' >&2; exit 1"
        )
        #expect(error.code == .network && error.description.contains("no connection"))
        error = try failure("kill -9 $$")
        #expect(error.code == .network)
        error = try failure(Self.give, sha256: String(repeating: "0", count: 64))
        #expect(error.code == .corrupt && error.description.contains("000"))
        error = try failure(#"mkdir "$dest""#)
        #expect(error.code == .corrupt)
        error = try failure(Self.give + #"; printf x > "$dest/second.whl""#)
        #expect(error.code == .corrupt)
        error = try failure(#"mkdir "$dest"; head -c 200 /dev/zero > "$dest/some.whl""#)
        #expect(error.code == .system)
        error = try failure("printf 'ERROR: \\033[31mred\\n' >&2; exit 1")
        #expect(error.description.unicodeScalars.allSatisfy { $0.value >= 0x20 })
    }

    @Test func stopsWhenAsked() throws {
        let error = try #require(throws: DataError.self) {
            try download("sleep 60").fetch(limit: 100, isStopped: { true })
        }
        #expect(error.description.contains("stopped"))
    }
}
