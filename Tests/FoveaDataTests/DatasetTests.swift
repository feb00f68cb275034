import FoveaData
import FoveaImage
import FoveaSystem
import FoveaTestKit
import SystemPackage
import Testing

struct DatasetTests {
    private func sample(classes: Int = 4, perClass: Int = 10) -> Dataset {
        var images = LabelledImages(height: 6, width: 5)
        for i in 0..<classes * perClass {
            images.append(SyntheticImage.noise(width: 5, height: 6, seed: UInt64(i)), label: UInt16(i % classes))
        }
        let info = DatasetInfo(
            name: "sample", labels: (0..<classes).map { "class \($0)" }, superclasses: ["even", "odd"],
            superclassOf: (0..<classes).map { $0 % 2 }, height: 6, width: 5, source: "made up")
        return Dataset(info: info, splits: ["train": images, "test": images.selecting([1, 2, 3])])
    }

    @Test func isTheSameAfterSaving() throws {
        let folder = try TemporaryFolder()
        let dataset = sample()
        let path = try dataset.save(in: folder.path)
        #expect(path == folder.path.appending("sample"))
        let again = try Dataset.open(path)
        #expect(again.splits == dataset.splits)
        #expect(again.info.labels == dataset.info.labels && again.info.superclassOf == dataset.info.superclassOf)
        #expect(again.info.splits["train"]?.images == 40)
        #expect(try Dataset.open(path, only: ["test"]).splits.keys.sorted() == ["test"])
        #expect(try DataSource.find("sample", datasets: folder.path) == .dataset(path))
        #expect(try DataSource.find(path.string, datasets: "/nowhere") == .dataset(path))
        #expect(try Files.list(folder.path).map(\.string) == ["sample"])
    }

    @Test func aNameTakenIsRefusedUnlessReplaced() throws {
        let folder = try TemporaryFolder()
        try sample().save(in: folder.path)
        let error = #expect(throws: DataError.self) { try sample().save(in: folder.path) }
        #expect(error?.code == .exists)
        let smaller = sample(perClass: 2)
        let path = try smaller.save(in: folder.path, replacing: true)
        #expect(try Dataset.open(path).splits == smaller.splits)
        var bad = sample()
        bad.info.name = "../x"
        #expect(throws: DataError.self) { try bad.save(in: folder.path) }
    }

    @Test func placeIsAskedForBeforeAnythingIsRead() throws {
        let folder = try TemporaryFolder()
        #expect(try Dataset.place(of: "sample", in: folder.path, replacing: false).isThere == false)
        try sample().save(in: folder.path)
        let error = #expect(throws: DataError.self) {
            try Dataset.place(of: "sample", in: folder.path, replacing: false)
        }
        #expect(error?.code == .exists && error?.description.contains("--replace") == true)
        #expect(try Dataset.place(of: "sample", in: folder.path, replacing: true).isThere)
        let bad = #expect(throws: DataError.self) { try Dataset.place(of: "../x", in: folder.path, replacing: true) }
        #expect(bad?.code == .invalid)
    }

    @Test func areListedAndRemoved() throws {
        let folder = try TemporaryFolder()
        #expect(try Dataset.list(folder.path.appending("none")).isEmpty)
        try sample().save(in: folder.path)
        var other = sample(perClass: 2)
        other.info.name = "other"
        let place = try other.save(in: folder.path)
        try Files.replace(place.appending("dataset.json"), with: Array("{".utf8))
        try Files.makeDirectory(folder.path.appending("no-data-set"))
        let list = try Dataset.list(folder.path)
        #expect(list.map(\.name) == ["other", "sample"])
        #expect(throws: DataError.self) { try list[0].info.get() }
        #expect(try list[1].info.get().splits["train"]?.images == 40)
        // Whatever is wrong with it, it can be removed.
        try Dataset.remove("other", from: folder.path)
        #expect(try Files.list(folder.path).map(\.string).sorted() == ["no-data-set", "sample"])
        for (name, code) in [("other", DataError.Code.missing), ("no-data-set", .missing), ("..", .invalid)] {
            let error = #expect(throws: DataError.self) { try Dataset.remove(name, from: folder.path) }
            #expect(error?.code == code)
        }
    }

    @Test func damageIsFound() throws {
        let folder = try TemporaryFolder()
        let path = try sample().save(in: folder.path)
        let file = path.appending("train.images")
        let good = try Files.read(file)
        var bad = good
        bad[100] ^= 1
        try Files.replace(file, with: bad)
        let changed = #expect(throws: DataError.self) { try Dataset.open(path) }
        #expect(changed?.description.contains("split train has changed") == true)
        try Files.replace(file, with: good.dropLast())
        let cut = #expect(throws: DataError.self) { try Dataset.open(path) }
        #expect(cut?.code == .truncated)
        try Files.unlink(file)
        #expect(throws: DataError.self) { try Dataset.open(path) }
        try Files.replace(path.appending("dataset.json"), with: Array("{}".utf8))
        let json = #expect(throws: DataError.self) { try Dataset.open(path) }
        #expect(json?.code == .corrupt)
    }

    @Test func theDevelopmentSplitIsStratifiedAndSeeded() throws {
        let dataset = sample()
        let (train, development) = try dataset.split(development: 3, seed: 7)
        let labels = try dataset.images("train").labels
        #expect(train.count == 28 && development.count == 12)
        #expect(Set(train).union(development) == Set(0..<40))
        for label in 0..<4 { #expect(development.filter { labels[$0] == UInt16(label) }.count == 3) }
        #expect(try dataset.split(development: 3, seed: 7).development == development)
        #expect(try dataset.split(development: 3, seed: 8).development != development)
        // Fixed for good: a model's record of its training names only the seed.
        #expect(try dataset.split(development: 1, seed: 1).development == [3, 10, 21, 32])
        #expect(throws: DataError.self) { try dataset.split(development: 10, seed: 7) }
    }

    @Test func aTenthIsSetAsideWhereNothingElseIsAsked() throws {
        for (perClass, expected) in [(2, 1), (9, 1), (19, 1), (40, 4), (700, 50)] {
            let (train, development) = try sample(classes: 2, perClass: perClass).split(development: nil)
            #expect(development.count == 2 * expected && train.count == 2 * (perClass - expected))
        }
        // A class's only image is trained on.
        let single = try sample(classes: 5, perClass: 1).split(development: nil)
        #expect(single.development.isEmpty && single.train.count == 5)
    }

    @Test func aMissingSplitIsNamedWithThoseThatAre() throws {
        let folder = try TemporaryFolder()
        let path = try sample().save(in: folder.path)
        let error = #expect(throws: DataError.self) { try Dataset.open(path, only: ["dev"]).images("dev") }
        #expect(error?.code == .missing)
        #expect(error?.description.contains("no split dev, only: test, train") == true)
    }

    @Test(arguments: ["", "a/b", ".hidden", "failed", "unsure", "line\nbreak", String(repeating: "ä", count: 51)])
    func badLabelsAreRefused(_ label: String) {
        #expect(throws: DataError.self) { try LabelRules.check(["good", label]) }
    }

    /// One that an older version has made is read, so that its model can be retrained and measured; none is made anew.
    @Test func aStoredLabelThatIsReservedNowIsRead() throws {
        let folder = try TemporaryFolder()
        let path = try sample().save(in: folder.path)
        let description = path.appending("dataset.json")
        let text = String(decoding: try Files.read(description), as: UTF8.self)
        try Files.replace(description, with: text.replacing("\"class 1\"", with: "\"unknown\"").utf8)
        let old = try Dataset.open(path)
        #expect(old.info.labels[1] == "unknown")
        let error = #expect(throws: DataError.self) { try old.save(in: folder.path, replacing: true) }
        #expect(error?.description.contains("rename the folder") == true)
        #expect(throws: DataError.self) { try LabelRules.check(["cat", "unknown"], areNew: true) }
    }

    @Test func goodLabelsAreNot() throws {
        try LabelRules.check(["maple tree", "Große Katze", "日本", String(repeating: "ä", count: 50)])
        #expect(throws: DataError.self) { try LabelRules.check(["twice", "twice"]) }
    }

    @Test func exportsAFolderPerClassThatReadsBackTheSame() throws {
        let folder = try TemporaryFolder()
        let dataset = sample(classes: 3, perClass: 4)
        let images = try dataset.images("train")
        let target = folder.path.appending("out")
        try DatasetExport.write(images, labels: dataset.info.labels, to: target)
        #expect(
            try Files.list(target.appending("class 1")).map(\.string).sorted()
                == ["00001.png", "00004.png", "00007.png", "00010.png"])
        let bytes = try Files.read(target.appending("class 1").appending("00004.png"))
        #expect(try ImageDecoder.decodeFull(bytes) == images.image(4))
        let error = #expect(throws: DataError.self) {
            try DatasetExport.write(images, labels: dataset.info.labels, to: target)
        }
        #expect(error?.code == .exists)
    }
}
