import FoveaData
import FoveaImage
import FoveaModels
import FoveaSystem
import FoveaTestKit
import SystemPackage
import Testing

struct ImageFolderTests {
    private func fill(_ folder: TemporaryFolder, _ prefix: String, classes: [String], perClass: Int, seed: UInt64 = 0)
        throws
    {
        for (c, name) in classes.enumerated() {
            for i in 0..<perClass {
                let image = SyntheticImage.noise(width: 16, height: 16, seed: seed + UInt64(c * 100 + i + 1))
                let jpeg = i % 2 == 1
                try folder.write("\(prefix)\(name)/\(i).\(jpeg ? "jpg" : "png")", jpeg ? image.jpeg : image.png)
            }
        }
    }

    @Test func readsClassesAndDividesThem() throws {
        let folder = try TemporaryFolder()
        try fill(folder, "pets/", classes: ["zebra", "ant", "Bee"], perClass: 10)
        let options = ImportOptions(target: ImageTarget(height: 16, width: 16), testFraction: 0.2, seed: 3)
        let data = try DataSource.open(
            folder.path.appending("pets").string, datasets: folder.path.appending("none"), options: options)
        #expect(data.refused.isEmpty)
        #expect(data.dataset.info.labels == ["Bee", "ant", "zebra"])
        #expect(data.dataset.info.name == "pets")
        let (train, test) = (try data.dataset.images("train"), try data.dataset.images("test"))
        #expect(train.count == 24 && test.count == 6)
        #expect(test.labels == [0, 0, 1, 1, 2, 2])
        let set = try ImageFolder.read(folder.path.appending("pets"), options: options).set
        #expect(try set.dataset(as: options.target) == data.dataset)
        // PNGs of the right size come out exactly: class zebra has seeds 1, 3, 5, …
        let zebras = (0..<10).filter { $0 % 2 == 0 }.map {
            SyntheticImage.noise(width: 16, height: 16, seed: UInt64($0 + 1))
        }
        let found = (0..<train.count).map { train.image($0) } + (0..<test.count).map { test.image($0) }
        for zebra in zebras { #expect(found.filter { $0 == zebra }.count >= 1) }
    }

    @Test func aGivenDivisionIsKept() throws {
        let folder = try TemporaryFolder()
        try fill(folder, "train/", classes: ["a", "b"], perClass: 3)
        try fill(folder, "test/", classes: ["b"], perClass: 2, seed: 1000)
        let dataset = try ImageFolder.read(folder.path, options: ImportOptions(name: "given")).set
            .dataset(as: ImageTarget(height: 8, width: 8))
        #expect(dataset.splits["train"]?.labels == [0, 0, 0, 1, 1, 1])
        #expect(dataset.splits["test"]?.labels == [1, 1])
        #expect(dataset.info.height == 8 && dataset.info.name == "given")
    }

    @Test func refusedFilesAreListedAndTheRestGoesOn() throws {
        let folder = try TemporaryFolder()
        try fill(folder, "", classes: ["a", "b"], perClass: 3)
        try folder.write("a/notes.png", Array("text, whatever the name says".utf8))
        try folder.write("a/half.png", SyntheticImage.gradient(width: 30, height: 30).png.dropLast(40))
        try folder.write("a/.DS_Store", [0])
        try folder.write("b/Thumbs.db", [0])
        try folder.write("b/nested/x.png", [0])
        try folder.write("b/nested/deeper/y.png", SyntheticImage.noise(width: 20, height: 20, seed: 7).png)
        try folder.write("lost+found/z.png", SyntheticImage.noise(width: 20, height: 20, seed: 8).png)
        try folder.write("a/#recycle/z.png", SyntheticImage.noise(width: 20, height: 20, seed: 9).png)
        try folder.write("loose.png", SyntheticImage.gradient(width: 3, height: 3).png)
        try folder.write("empty/none.txt", Array("hello".utf8))
        let data = try ImageFolder.read(folder.path, options: ImportOptions(testFraction: 0))
        #expect(data.set.info.labels == ["a", "b"])
        #expect(data.set.splits["train"]?.count == 7 && data.set.splits["test"] == nil)
        #expect(data.set.counts("train") == [3, 4])
        func reason(_ name: String) -> String? {
            data.refused.first { $0.path == folder.path.pushing(FilePath(name)).string }?.reason
        }
        #expect(data.refused.count == 6)
        #expect(reason("a/notes.png")?.contains("plain text") == true)
        #expect(reason("a/half.png")?.contains("ends early") == true)
        #expect(reason("b/nested/x.png")?.contains("not an image") == true)
        #expect(reason("loose.png") == "not inside a class's folder")
        #expect(reason("empty")?.contains("without a single image") == true)
    }

    @Test func nothingLeftIsAnError() throws {
        let folder = try TemporaryFolder()
        try folder.write("a/x.png", Array("text".utf8))
        let error = #expect(throws: DataError.self) { try ImageFolder.read(folder.path) }
        #expect(error?.code == .foreign)
        #expect(error?.description.contains("x.png") == true)
        let empty = try TemporaryFolder()
        #expect(throws: DataError.self) { try ImageFolder.read(empty.path) }
    }

    @Test(arguments: ["failed", "unsure", "unknown"])
    func reservedNamesAreRefused(_ name: String) throws {
        let folder = try TemporaryFolder()
        try fill(folder, "", classes: [name], perClass: 1)
        let error = #expect(throws: DataError.self) { try ImageFolder.read(folder.path) }
        #expect(error?.code == .invalid)
        #expect(error?.description.contains("\(name)' is reserved") == true, "\(String(describing: error))")
        #expect(error?.description.contains("rename the folder") == true)
    }

    @Test func anUnknownNameSaysWhatToDo() throws {
        let error = #expect(throws: DataError.self) { try DataSource.find("cifar100", datasets: "/nowhere") }
        #expect(error?.code == .missing)
        #expect(error?.description.contains("dataset fetch") == true)
    }
}
