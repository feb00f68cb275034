import FoveaData
import FoveaImage
import FoveaModels
import FoveaSystem
import FoveaTestKit
import Glibc
import SystemPackage
import Testing

struct PictureSetTests {
    private let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    private func noise(_ seed: Int, width: Int = 24, height: Int = 20) -> RGBImage {
        SyntheticImage.noise(width: width, height: height, seed: UInt64(seed))
    }

    private func read(_ options: ImportOptions = ImportOptions()) throws -> ImportedPictures {
        try ImageFolder.read(folder.path, options: options)
    }

    private func reason(_ imported: ImportedPictures, _ name: String) -> String? {
        imported.refused.first { $0.path == folder.path.pushing(FilePath(name)).escaped }?.reason
    }

    // MARK: - Any size

    @Test func givesPicturesAtAnySizeAndFraming() throws {
        for i in 0..<6 {
            try folder.write("\(i < 3 ? "a" : "b")/\(i).png", noise(i, width: 20 + 7 * i, height: 40).png)
        }
        let set = try read(ImportOptions(testFraction: 0)).set
        #expect(set.splits["train"]?.map(\.width) == [20, 27, 34, 41, 48, 55])
        for target in [
            ImageTarget(height: 8, width: 8), ImageTarget(height: 30, width: 21, framing: .crop(share: 0.9)),
            ImageTarget(height: 16, width: 16, framing: .fit(fill: RGBColour(1, 2, 3)), resample: .bicubic),
        ] {
            let images = try set.images("train", as: target)
            #expect(images.count == 6 && images.labels == [0, 0, 0, 1, 1, 1])
            for i in 0..<6 {
                #expect(images.image(i) == noise(i, width: 20 + 7 * i, height: 40).framed(as: target))
            }
            #expect(try set.images("train", [4, 1], as: target) == images.selecting([4, 1]))
            #expect(try set.dataset(as: target).target == target)
        }
    }

    @Test func isKeptAsItWas() throws {
        for i in 0..<8 {
            let picture = noise(i)
            try folder.write(
                "in/\(i % 2 == 0 ? "cat" : "Käfer")/\(i).\(i < 4 ? "png" : "jpg")", i < 4 ? picture.png : picture.jpeg)
        }
        let imported = try ImageFolder.read(folder.path.appending("in"), options: ImportOptions(testFraction: 0.25))
        let store = folder.path.appending("datasets")
        let place = try imported.set.save(in: store)
        try Files.removeTree(folder.path.appending("in"))
        #expect(try DataSource.find("in", datasets: store) == .dataset(place))
        let opened = try #require(try DataSource.dataset(place).pictures())
        #expect(opened.set.info.keepsPictures && opened.set.info.labels == ["Käfer", "cat"])
        #expect(opened.set.info.splits == imported.set.info.splits)
        #expect(opened.set.splits["train"]?.map(\.name) == imported.set.splits["train"]?.map(\.name))
        let target = ImageTarget(height: 24, width: 20)
        #expect(try opened.set.images("test", as: target).count == 2)
        #expect(try Dataset.list(store).map(\.name) == ["in"])
        #expect(try DataSource.dataset(place).load(ImportOptions(target: target)).dataset.target == target)
        // The bytes are the file's own, under their digest.
        let picture = try #require(opened.set.splits["train"]?.first)
        #expect(hexadecimal(Digest.sha256(try Files.read(picture.file))) == picture.sha256)

        let again = #expect(throws: DataError.self) { try opened.set.save(in: store) }
        #expect(again?.code == .exists)
        try opened.set.save(in: store, replacing: true)
        #expect(try DataSource.dataset(place).pictures()?.set.info.splits == imported.set.info.splits)

        try Files.unlink(picture.file)
        let error = #expect(throws: DataError.self) { try PictureSet.open(place) }
        #expect(error?.code == .corrupt && error?.description.contains("missing") == true)
        try Files.replace(place.appending("pictures.jsonl"), with: Array("{}\n".utf8))
        #expect(throws: DataError.self) { try PictureSet.open(place) }
    }

    @Test func theConfigurationsLimitsHold() throws {
        try folder.write("a/small.png", noise(1).png)
        try folder.write("a/large.png", noise(2, width: 90, height: 90).png)
        try folder.write("b/other.png", noise(3).png)
        let imported = try read(ImportOptions(limits: ImageLimits(pixels: 5000)))
        #expect(reason(imported, "a/large.png")?.contains("limits.pixels") == true)
        #expect(try read(ImportOptions(limits: ImageLimits(pixels: 8100))).refused.isEmpty)
        let side = try read(ImportOptions(limits: ImageLimits(side: 50)))
        #expect(reason(side, "a/large.png")?.contains("limits.side") == true)
        let bytes = try read(ImportOptions(limits: ImageLimits(bytes: 10_000)))
        #expect(reason(bytes, "a/large.png")?.contains("limits.file") == true)
    }

    // MARK: - What people's folders hold

    @Test func twoSpellingsAreOneLabel() throws {
        let (composed, decomposed) = ("K\u{E4}fer", "Ka\u{308}fer")
        for i in 0..<3 { try folder.write("\(composed)/\(i).png", noise(i).png) }
        for i in 3..<5 { try folder.write("\(decomposed)/\(i - 3).png", noise(i).png) }
        for i in 5..<7 { try folder.write("日本/\(i).png", noise(i).png) }
        let imported = try read(ImportOptions(testFraction: 0))
        #expect(imported.set.info.labels.map { Array($0.utf8) } == [composed, "日本"].map { Array($0.utf8) })
        #expect(imported.set.counts("train") == [5, 2])
        #expect(imported.notes.contains { $0.contains("spelled with different bytes") })
    }

    @Test(arguments: [["train", "val", "test"], ["Train", "VALID", "Testing"], ["training", "validation", "test"]])
    func recognisesTheThreeParts(_ names: [String]) throws {
        var seed = 0
        for name in names {
            for label in ["cat", "dog"] {
                for i in 0..<2 {
                    seed += 1
                    try folder.write("\(name)/\(label)/\(i).png", noise(seed).png)
                }
            }
            try folder.write("\(name)/preview.png", noise(100).png)
        }
        try folder.write("overview.png", noise(101).png)
        let imported = try read()
        #expect(imported.set.info.labels == ["cat", "dog"])
        #expect(imported.set.splits.mapValues(\.count) == ["train": 4, "validation": 4, "test": 4])
        #expect(reason(imported, "overview.png") == "not inside a class's folder")
        #expect(reason(imported, "\(names[0])/preview.png") == "not inside a class's folder")
        // What came as validation is what is developed on.
        let dataset = try imported.set.dataset(as: ImageTarget(height: 8, width: 8))
        #expect(dataset.splits["train"]?.count == 8)
        #expect(try dataset.split(development: nil).development == [4, 5, 6, 7])
        let part = try imported.set.dataset(as: ImageTarget(height: 8, width: 8), only: ["validation"])
        #expect(try part.images("validation").count == 4)
    }

    @Test func otherLayoutsAreRefusedWithTheRightOne() throws {
        func refusal(_ files: [String]) throws -> String {
            let other = try TemporaryFolder()
            for (i, file) in files.enumerated() { try other.write(file, noise(i).png) }
            let error = #expect(throws: DataError.self, "\(files)") { try ImageFolder.read(other.path) }
            #expect(error?.code == .foreign)
            return error?.description ?? ""
        }
        for files in [
            ["1.png", "2.png"], ["train/1.png", "val/2.png", "test/3.png"], ["train/cat/1.png", "dog/2.png"],
        ] {
            #expect(try refusal(files).contains("FOLDER/LABEL/picture.jpg"))
        }
        #expect(try refusal(["val/a/1.png", "valid/a/2.png"]).contains("both the validation part"))
        // A train is also a vehicle.
        for (i, file) in ["train/1.png", "train/steam/2.png", "plane/3.png"].enumerated() {
            try folder.write(file, noise(i).png)
        }
        #expect(try read().set.info.labels == ["plane", "train"])
    }

    @Test func aFolderWithoutPermissionIsLeftOut() throws {
        try folder.write("a/1.png", noise(1).png)
        try folder.write("b/2.png", noise(2).png)
        try folder.write("shut/3.png", noise(3).png)
        let shut = folder.path.appending("shut")
        try #require(chmod(shut.string, 0) == 0)
        defer { chmod(shut.string, 0o700) }
        // Root may read everything.
        guard getuid() != 0 else { return }
        let imported = try read()
        #expect(imported.set.info.labels == ["a", "b"])
        #expect(reason(imported, "shut")?.contains("left out") == true)
    }

    @Test func linksAreFollowedOnce() throws {
        let elsewhere = try TemporaryFolder()
        let target = try elsewhere.write("x.png", noise(1).png)
        try folder.write("a/0.png", noise(2).png)
        try folder.write("b/0.png", noise(3).png)
        for (link, leads) in [("a/link.png", target.string), ("a/loop", ".."), ("b/gone.png", "/nowhere")] {
            try #require(symlink(leads, folder.path.pushing(FilePath(link)).string) == 0)
        }
        try #require(mkfifo(folder.path.appending("b").appending("pipe").string, 0o600) == 0)
        let imported = try read(ImportOptions(testFraction: 0))
        #expect(imported.set.counts("train") == [2, 1])
        #expect(reason(imported, "b/gone.png") == "a link to nothing")
        #expect(reason(imported, "b/pipe") == "not a file")
        #expect(imported.refused.contains { $0.reason.contains("a link to a folder that it is in") })
    }

    @Test func odditiesEachHaveASentence() throws {
        try folder.write("one/1.png", noise(1, width: 1, height: 1).png)
        try folder.write("one/wide.png", noise(2, width: 20_000, height: 10).png)
        try folder.write("one/ok.png", noise(3).png)
        try Files.makeDirectories(folder.path.appending("empty"))
        let imported = try read(ImportOptions(testFraction: 0))
        #expect(imported.set.counts("train") == [2])
        #expect(reason(imported, "one/wide.png")?.contains("limits.side") == true)
        #expect(reason(imported, "empty") == "a class without a single image")
        #expect(imported.notes.contains { $0.contains("a model needs two") })
        try folder.write("failed/1.png", noise(4).png)
        let error = #expect(throws: DataError.self) { try read() }
        #expect(error?.description.contains("reserved") == true && error?.description.contains("rename") == true)
    }

    @Test func saysThatClassesAreUnequal() throws {
        for i in 0..<12 { try folder.write("many/\(i).png", noise(i).png) }
        for i in 12..<14 { try folder.write("few/\(i).png", noise(i).png) }
        let notes = try read(ImportOptions(testFraction: 0)).notes
        #expect(notes.contains { $0.contains("'many' has 12 pictures to learn from, 'few' 2") })
    }

    // MARK: - The same picture

    @Test func copiesCountOnceAndTwoLabelsNot() throws {
        for i in 0..<4 {
            try folder.write("a/\(i).png", noise(i).png)
            try folder.write("a/copy \(i).png", noise(i).png)
            try folder.write("b/\(i).png", noise(i + 10).png)
        }
        try folder.write("b/other.png", noise(2).png)
        let imported = try read(ImportOptions(testFraction: 0))
        #expect(imported.set.counts("train") == [3, 4])
        for name in ["a/2.png", "a/copy 2.png", "b/other.png"] {
            #expect(reason(imported, name)?.contains("'a' and 'b'") == true, "\(name)")
        }
        #expect(imported.notes.contains { $0.hasPrefix("3 files are exact copies") })
    }

    /// The same picture as PNG, as JPEG and at half the size, in several divisions: always on one side.
    @Test func nearDuplicatesStayTogether() throws {
        for i in 0..<12 {
            let picture = smooth(i)
            try folder.write("\(i % 2 == 0 ? "a" : "b")/\(i).png", picture.png)
            try folder.write(
                "\(i % 2 == 0 ? "a" : "b")/\(i) saved anew.jpg",
                JPEGEncoder.encode(picture.pixels, width: 96, height: 96, quality: 70))
            try folder.write("\(i % 2 == 0 ? "a" : "b")/\(i) small.png", picture.resized(width: 48, height: 48).png)
        }
        for seed in 0..<5 as Range<UInt64> {
            let set = try read(ImportOptions(testFraction: 0.3, seed: seed)).set
            let train = Set(try set.pictures("train").map(\.group))
            let test = Set(try set.pictures("test").map(\.group))
            #expect(train.isDisjoint(with: test) && train.count + test.count == 12)
            let dataset = try set.dataset(as: ImageTarget(height: 16, width: 16))
            let division = try dataset.split(development: nil)
            let groups = try #require(dataset.groups["train"])
            #expect(!division.development.isEmpty)
            #expect(Set(division.train.map { groups[$0] }).isDisjoint(with: division.development.map { groups[$0] }))
        }
    }

    /// Large shapes in few colours: what survives JPEG.
    private func smooth(_ seed: Int) -> RGBImage {
        noise(seed + 50, width: 6, height: 6).resized(width: 96, height: 96)
    }

    @Test func aGivenDivisionLosesWhatIsOnBothSides() throws {
        for i in 0..<4 { try folder.write("train/a/\(i).png", smooth(i).png) }
        for i in 4..<8 { try folder.write("train/b/\(i).png", smooth(i).png) }
        try folder.write("test/a/1.png", smooth(1).png)
        try folder.write("test/b/5.jpg", JPEGEncoder.encode(smooth(5).pixels, width: 96, height: 96, quality: 75))
        try folder.write("test/b/9.png", smooth(9).png)
        let imported = try read()
        #expect(imported.set.counts("train") == [3, 3] && imported.set.counts("test") == [1, 2])
        #expect(
            imported.notes.contains { $0.contains("exact cop") } && imported.notes.contains { $0.contains("judged by") }
        )
    }

    /// A factory's pictures of one scene that differ in a part of a few pixels are different pictures.
    @Test func picturesOfOneSceneAreNotDuplicates() throws {
        let scene = smooth(1)
        for i in 0..<10 {
            var picture = scene
            for y in 0..<8 {
                for x in 0..<8 {
                    let at = ((10 + 8 * i % 64 + y) * 96 + 10 + 8 * (i / 2) + x) * 3
                    for c in 0..<3 { picture.pixels[at + c] = i % 2 == 0 ? 255 : 0 }
                }
            }
            try folder.write("\(i % 2 == 0 ? "good" : "bad")/\(i).png", picture.png)
        }
        let set = try read(ImportOptions(testFraction: 0)).set
        #expect(Set(try set.pictures("train").map(\.group)).count == 10)
    }
}
