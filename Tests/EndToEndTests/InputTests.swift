import FoveaControl
import FoveaSystem
import FoveaTestKit
import Glibc
import SystemPackage
import Testing

extension EndToEnd {
    private static let foreign: [(name: String, bytes: [UInt8], reasons: Set<String>, says: String)] = {
        let png = SyntheticImage.gradient(width: 40, height: 40).png
        let huge =
            [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + TestPNG.header(width: 20_000, height: 20_000)
            + TestPNG.chunk("IDAT", [0x78, 0x01, 0x03]) + TestPNG.chunk("IEND", [])
        return [
            ("text.png", Array("I am text.\n".utf8), ["not-an-image"], "plain text"),
            ("half.png", Array(png.prefix(png.count / 2)), ["truncated"], "cut off"),
            ("zero.png", [], ["not-an-image"], "empty file"),
            ("huge.png", huge, ["too-large"], "20000"),
            (
                "a.heic", [0, 0, 0, 24] + Array("ftypheic".utf8) + [UInt8](repeating: 0, count: 40), ["unsupported"],
                "HEIC"
            ),
            (
                "a.webp",
                Array("RIFF".utf8) + [40, 0, 0, 0] + Array("WEBPVP8 ".utf8) + [UInt8](repeating: 0, count: 40),
                ["unsupported"], "WebP"
            ),
            ("a.tiff", [0x49, 0x49, 0x2A, 0] + [UInt8](repeating: 0, count: 40), ["unsupported"], "TIFF"),
        ]
    }()

    @Test func badInputFailsWithAReasonAndTheDaemonGoesOn() throws {
        let daemon = try RunningDaemon()
        for (name, bytes, _, _) in Self.foreign { try daemon.drop(FilePath(name), bytes) }
        try daemon.waitForDocuments(Self.foreign.count)
        let failures = try daemon.failures
        #expect(failures.count == Self.foreign.count)
        for (name, bytes, reasons, says) in Self.foreign {
            let failure = try #require(failures.first { $0.record.file == name }, "\(name) did not fail")
            #expect(reasons.contains(failure.record.reason), "\(name): \(failure.record.reason)")
            #expect(
                failure.record.message.contains(says) && failure.record.message.count > 5, "\(failure.record.message)")
            #expect(failure.path == FilePath("failed").appending(name) && failure.hasImage)
            #expect(try Files.read(daemon.outbox.pushing(failure.path)) == bytes, "the file itself is kept as it was")
        }
        // Copied in slowly or renamed in, good ones still pass.
        try daemon.drop(daemon.fixture.images.prefix(3))
        try daemon.waitForDocuments(Self.foreign.count + 3)
        #expect(try daemon.results.count == 3)
        try daemon.stop()
    }

    @Test func whatIsNoFileOrJunkIsLeftAlone() throws {
        let daemon = try RunningDaemon(starting: false)
        let image = daemon.fixture.images[0]
        try Files.makeDirectory(daemon.inbox.appending("x.png"))
        #expect(symlink("/etc/passwd", daemon.inbox.appending("link.png").string) == 0)
        #expect(mkfifo(daemon.inbox.appending("fifo.png").string, 0o600) == 0)
        let junk = [".hidden.png", "a.png.part", "b.tmp", "c.crdownload", "Thumbs.db", "@eaDir/d.png"]
        for name in junk { try daemon.drop(FilePath(name), image.bytes) }
        try daemon.start()
        try daemon.drop("good.png", image.bytes)
        try daemon.drop("x.png/inside.png", image.bytes)
        try daemon.waitForDocuments(2)
        #expect(try Set(daemon.results.map(\.record.file)) == ["good.png", "x.png/inside.png"])
        try eventually("they are counted") {
            let ignored = try daemon.status().queue.ignored
            return ignored["link"] == 1 && ignored["fifo"] == 1 && ignored["junk"] == 6
        }
        #expect(try Files.status(daemon.inbox.appending("link.png")).isLink)
        for name in junk { #expect(try Files.statusIfPresent(daemon.inbox.pushing(FilePath(name))) != nil, "\(name)") }
        try daemon.stop()
        #expect(daemon.publishedCount == 2)
    }

    @Test func anyNameComesThrough() throws {
        let daemon = try RunningDaemon()
        let image = daemon.fixture.images[1]
        let names: [[UInt8]] = [
            Array("Küche/Ägypten 🎈.png".utf8), [0xFF, 0xE4, 0x2E, 0x70, 0x6E, 0x67], Array("100% \"so\" \\.png".utf8),
            Array((String(repeating: "l", count: 246) + ".png").utf8), Array("new\nline.png".utf8), Array("-rf".utf8),
            Array("STATUS.txt".utf8), Array("no extension".utf8), Array("a/b/c/d.png".utf8),
        ]
        for name in names { try daemon.drop(FilePath(bytes: name), image.bytes) }
        try daemon.waitForDocuments(names.count)
        let results = try daemon.results
        #expect(Set(results.map { percentUnescaped($0.record.file) }) == Set(names))
        let expected = daemon.fixture.expected["tiny"]?[image.name]
        #expect(results.allSatisfy { $0.record.top == expected && $0.hasImage })
        // The bytes on disk are the bytes that were dropped.
        #expect(
            results.contains {
                $0.path.bytes == Array("\($0.record.label)/".utf8) + [0xFF, 0xE4, 0x2E, 0x70, 0x6E, 0x67]
            })
        try daemon.stop()
    }

    @Test func oneNameManyTimes() throws {
        let daemon = try RunningDaemon()
        let image = daemon.fixture.images[2]
        for round in 1...5 {
            try daemon.drop("image.png", image.bytes)
            try daemon.waitForDocuments(round)
        }
        let results = try daemon.results
        let label = FilePath(results[0].record.label)
        #expect(
            Set(results.map(\.path))
                == Set(
                    ["image.png", "image-2.png", "image-3.png", "image-4.png", "image-5.png"].map {
                        label.appending($0)
                    }))
        #expect(Set(results.map(\.record.id)).count == 5)
        try daemon.stop()
    }
}
