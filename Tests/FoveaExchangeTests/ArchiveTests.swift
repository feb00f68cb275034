import FoveaExchange
import FoveaModels
import FoveaSystem
import FoveaTestKit
import SystemPackage
import Testing

/// Archives that others have made, well or not.
@Suite struct ArchiveTests {
    private func take(_ bytes: [UInt8], _ ground: Ground) throws {
        let path = ground.root.appending("archive")
        try Files.replace(path, with: bytes)
        try ModelImport.take(path, into: ground.store)
    }

    /// As tar packs a folder from inside, from beside and from further away, and uncompressed.
    @Test(arguments: ["./", "", "tiny-1/", "models/tiny/1/"])
    func anArchiveOfAModelsOwnFolderIsTaken(_ prefix: String) throws {
        let ground = try Ground()
        let files = try ground.files().map { (name: prefix + $0.key, bytes: $0.value) }
        try take(TestArchive.tar(files), ground)
        let model = try ground.store.resolve("tiny")
        #expect(try ModelFolder.verify(model.folder).sha256 == ground.model.sha256)
        #expect(try Files.read(model.folder.pushing("training/metrics.jsonl")) == Array("{}\n".utf8))
    }

    /// Each refusal, with the words that it must contain.
    private static let refusals: [(String, @Sendable ([String: [UInt8]]) throws -> [UInt8])] = [
        ("leads out", { tar($0, "/etc/passwd", [1]) }),
        ("leads out", { tar($0, "m/../../x", [1]) }),
        ("is a link, a device", { tar($0, "m/training/link", [], type: "2", link: "/etc/passwd") }),
        ("is a link, a device", { tar($0, "m/training/hard", [], type: "1", link: "m/config.json") }),
        ("is a link, a device", { tar($0, "m/training/device", [], type: "3") }),
        ("is a link, a device", { tar($0, "m/training/pipe", [], type: "6") }),
        ("is there twice", { tar($0, "./m/config.json", [1]) }),
        ("extra.bin: does not belong", { tar($0, "m/extra.bin", [1]) }),
        ("does not belong to the model", { tar($0, "beside", [1]) }),
        ("does not belong to the model", { tar($0, "m/training/deep/er", [1]) }),
        ("does not belong to the model", { tar($0.filter { $0.key != "training/metrics.jsonl" }, "m/training", [1]) }),
        ("holds 2 models", { tar($0, "n/manifest.json", [1]) }),
        ("at most 4194304 are taken", { tar($0, "m/training.txt", [UInt8](repeating: 0, count: 5 << 20)) }),
        ("no manifest.json", { _ in TestArchive.tar([("letter", [1])]) }),
        (
            "golden.safetensors missing",
            { tar($0.filter { !["golden.safetensors", "manifest.json"].contains($0.key) }) }
        ),
        ("SHA-256", { tar($0.merging(["config.json": $0["config.json"]!.dropLast() + [0x20]]) { $1 }) }),
        ("neither a model's folder nor a .tar.zst", { _ in Array("a letter".utf8) }),
        ("neither a model's folder nor a .tar.zst", { TestArchive.gzip(tar($0)) }),
        ("no manifest.json", { _ in TestArchive.tar([]) }),
    ]

    @Test(arguments: refusals.indices) func refuses(_ index: Int) throws {
        let (expected, make) = Self.refusals[index]
        let ground = try Ground()
        let bytes = try make(ground.files())
        let message = refusal { try take(bytes, ground) }
        #expect(message.hasPrefix("damaged: ") && message.contains(expected), "expected \(expected), got \(message)")
        #expect(try ground.stored().isEmpty)
    }

    @Test func refusesMoreMembersThanAModelHas() throws {
        let ground = try Ground()
        let many = (0...256).map { (name: "m/training/\($0)", bytes: [UInt8]()) }
        #expect(refusal { try take(TestArchive.tar(many), ground) }.contains("more than 256 members"))
        #expect(try ground.stored().isEmpty)
    }

    /// Cut off anywhere, and with a byte changed anywhere: never a model, nothing left, no crash.
    @Test func damageIsNoticedWhereverItIs() throws {
        let ground = try Ground()
        let path = ground.root.appending("whole")
        try ModelExport.archive(ground.model, to: path)
        let whole = try Files.read(path)
        let nothing = ModelProtection(ground.store, active: nil, pinned: PinnedModels())
        for length in stride(from: 0, to: whole.count - 1, by: 127) {
            #expect(refusal { try take(Array(whole.prefix(length)), ground) } != "", "\(length) bytes")
        }
        for place in stride(from: 0, to: whole.count, by: 97) {
            var bytes = whole
            bytes[place] ^= 0x55
            // What is only the layout's own may differ, and so may bits that zstd does not look at.
            if refusal({ try take(bytes, ground) }) == "" {
                let model = try ground.store.resolve("tiny")
                #expect(try ModelFolder.verify(model.folder).sha256 == ground.model.sha256)
                try ground.store.remove(model.identifier, protection: nothing)
            }
            #expect(try ground.stored().isEmpty)
        }
    }

    /// A small file that would be terabytes is refused by what it says of itself.
    @Test func aMemberIsNotLargerThanItsNameAllows() throws {
        let ground = try Ground()
        var bytes = TestArchive.tar([("m/model.safetensors", [1])])
        // 8 GiB less one in the header, and the header's sum again.
        bytes.replaceSubrange(124..<135, with: Array("77777777777".utf8))
        bytes.replaceSubrange(148..<156, with: Array("        ".utf8))
        let sum = String(bytes[0..<512].reduce(0) { $0 + Int($1) }, radix: 8)
        bytes.replaceSubrange(
            148..<155, with: Array(String(repeating: "0", count: 6 - sum.count).utf8) + sum.utf8 + [0])
        #expect(refusal { try take(bytes, ground) }.contains("at most 2147483648 are taken"))
        #expect(try ground.stored().isEmpty)
    }

    /// The model's files in a folder `m`, and one more member.
    private static func tar(
        _ files: [String: [UInt8]], _ name: String? = nil, _ bytes: [UInt8] = [], type: Character = "0",
        link: String = ""
    ) -> [UInt8] {
        var members = files.sorted { $0.key < $1.key }.map { (name: "m/\($0.key)", bytes: $0.value) }
        guard let name else { return TestArchive.tar(members) }
        members.append((name: name, bytes: bytes))
        return TestArchive.tar(members, last: (type, link))
    }
}
