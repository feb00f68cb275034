import FoveaData
import FoveaImage
import FoveaModels
import FoveaSystem
import FoveaTestKit
import SystemPackage
import Testing

struct UnpackedArchiveTests {
    private let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    private typealias Member = (name: String, bytes: [UInt8])

    private func picture(_ seed: Int) -> [UInt8] {
        SyntheticImage.noise(width: 12, height: 12, seed: UInt64(seed)).png
    }

    private func read(_ path: FilePath, limits: ImageLimits = ImageLimits()) throws -> ImportedPictures {
        let source = try DataSource.find(path.string, datasets: folder.path.appending("none"))
        #expect(source == .archive(path))
        return try #require(
            try source.pictures(
                ImportOptions(testFraction: 0, limits: limits), scratch: folder.path.appending("scratch")))
    }

    private var leftInScratch: Int { ((try? Files.list(folder.path.appending("scratch"))) ?? []).count }

    @Test func takesFoldersOfClasses() throws {
        let members: [Member] = [
            ("pets/cat/1.png", picture(1)), ("pets/cat/in/2.png", picture(2)), ("pets/K\u{E4}fer/3.png", picture(3)),
            ("pets/cat/.DS_Store", [0]), ("__MACOSX/pets/cat/._1.png", [0]), ("pets/cat/notes.txt", Array("hi".utf8)),
        ]
        for (name, bytes) in [
            ("pets.tar", TestArchive.tar(members)), ("pets.tar.gz", TestArchive.gzip(TestArchive.tar(members))),
            ("pets.zip", TestArchive.zip(members)),
        ] {
            let path = try folder.write(name, bytes)
            do {
                let imported = try read(path)
                #expect(imported.set.info.name == "pets" && imported.set.info.source == path.escaped)
                #expect(imported.set.info.labels == ["K\u{E4}fer", "cat"], "\(name)")
                #expect(imported.set.counts("train") == [1, 2])
                #expect(imported.refused.count == 1 && imported.refused[0].reason.contains("plain text"))
                #expect(imported.refused[0].path == "\(path.escaped), pets/cat/notes.txt")
                #expect(try imported.set.images("train", as: ImageTarget(height: 12, width: 12)).count == 3)
                #expect(leftInScratch == 1)
            }
            #expect(leftInScratch == 0, "what was unpacked is removed")
        }
    }

    @Test func partsAreRecognisedInside() throws {
        let path = try folder.write(
            "set.zip",
            TestArchive.zip([
                ("train/a/1.png", picture(1)), ("train/b/2.png", picture(2)), ("test/a/3.png", picture(3)),
            ]))
        #expect(try read(path).set.splits.mapValues(\.count) == ["train": 2, "test": 1])
    }

    @Test(arguments: ["../x/1.png", "/etc/1.png", "a/../../1.png"])
    func nothingLeadsOut(_ name: String) throws {
        for bytes in [TestArchive.tar([(name, picture(1))]), TestArchive.zip([(name, picture(1))])] {
            let path = try folder.write("evil.bin", bytes)
            let error = #expect(throws: DataError.self) { try read(path) }
            #expect(error?.code == .invalid && error?.description.contains("leads out") == true)
            #expect(leftInScratch == 0)
        }
    }

    @Test func linksAndLargeMembersAreLeftOut() throws {
        let path = try folder.write(
            "x.tar",
            TestArchive.tar(
                [
                    ("a/1.png", picture(1)), ("b/2.png", picture(2)),
                    ("b/3.png", picture(3) + [UInt8](repeating: 0, count: 9000)),
                    ("b/link.png", []),
                ], last: ("2", "/etc/passwd")))
        let imported = try read(path, limits: ImageLimits(bytes: 5000))
        #expect(imported.set.counts("train") == [1, 1])
        #expect(imported.refused.contains { $0.path.hasSuffix("b/link.png") && $0.reason.contains("a link") })
        #expect(imported.refused.contains { $0.path.hasSuffix("b/3.png") && $0.reason.contains("limits.file") })
    }

    @Test func aBombIsRefused() throws {
        let zeros = [UInt8](repeating: 0, count: 20 << 20)
        let path = try folder.write("bomb.tar", TestArchive.tar((0..<5).map { ("a/\($0).png", zeros) }))
        // Packed by what is at hand: the ratio of zeros is a thousand.
        let gzip = try ChildProcess(executable: "/bin/gzip", arguments: [path.string], environment: [])
        try #require(gzip.wait() == .exited(0))
        let error = #expect(throws: DataError.self) { try read(folder.path.appending("bomb.tar.gz")) }
        #expect(error?.description.contains("times as large") == true)
        #expect(leftInScratch == 0)
    }

    @Test func aDamagedArchiveSaysWhere() throws {
        let whole = TestArchive.tar([("a/1.png", picture(1)), ("b/2.png", picture(2))])
        let path = try folder.write("cut.tar", whole.prefix(900))
        let error = #expect(throws: DataError.self) { try read(path) }
        #expect(error?.code == .truncated)
        let text = try folder.write("text.zip", Array("no archive at all".utf8))
        #expect(throws: DataError.self) { try read(text) }
    }
}
