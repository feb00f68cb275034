import FoveaData
import FoveaModels
import FoveaTestKit
import SystemPackage
import Testing

struct CIFARTests {
    private let train = TestCIFAR.records(perClass: 3)
    private let test = TestCIFAR.records(perClass: 1, seed: 50)

    private func failure(_ path: FilePath) -> DataError? {
        #expect(throws: DataError.self) { try CIFARArchive.read(path) }
    }

    @Test(arguments: [false, true])
    func readsAnArchive(packed: Bool) throws {
        let folder = try TemporaryFolder()
        let tar = TestArchive.tar(TestCIFAR.members(train: train, test: test))
        let path = try folder.write("c.tar.gz", packed ? TestArchive.gzip(tar) : tar)
        #expect(try DataSource.find(path.string, datasets: "/nowhere") == .archive(path))
        let dataset = try CIFARArchive.read(path)
        #expect(dataset.info.labels == TestCIFAR.fineNames)
        #expect(dataset.info.superclasses == TestCIFAR.coarseNames)
        #expect(dataset.info.superclassOf == (0..<100).map { $0 / 5 })
        let images = try dataset.images("train")
        #expect(images.count == 300 && dataset.splits["test"]?.count == 100)
        #expect(images.labels == (0..<300).map { UInt16($0 % 100) })
        #expect(images.image(0).pixels == TestCIFAR.picture(label: 0, seed: 0))
        #expect(images.image(257).pixels == TestCIFAR.picture(label: 57, seed: 2))
    }

    @Test func imagesAreResizedOnRequest() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("c.tar", TestArchive.tar(TestCIFAR.members(train: train, test: test)))
        let set = try DataSource.archive(path).load(ImportOptions(target: ImageTarget(height: 24, width: 24))).dataset
        #expect(set.info.height == 24 && set.info.width == 24)
        for (split, count) in [("train", 300), ("test", 100)] {
            let images = try set.images(split)
            #expect(images.count == count && images.imageBytes == 24 * 24 * 3)
            #expect(images.pixels.count == count * images.imageBytes)
        }
        let whole = try CIFARArchive.read(path).images("train")
        #expect(try set.images("train").image(7) == whole.image(7).resized(width: 24, height: 24))
        #expect(try set.images("train").labels == whole.labels)
    }

    @Test func readsAFolderWithOneOfTheFiles() throws {
        let folder = try TemporaryFolder()
        for (name, bytes) in TestCIFAR.members(train: nil, test: test) { try folder.write(name, bytes) }
        let found = try DataSource.find(folder.path.string, datasets: folder.path.appending("none"))
        #expect(found == .cifarFolder(folder.path.appending("cifar-100-binary")))
        let dataset = try found.load().dataset
        #expect(dataset.splits.keys.sorted() == ["test"])
        let error = #expect(throws: DataError.self) { try dataset.images("train") }
        #expect(error?.description.contains("only: test") == true)
    }

    @Test func partOfTheLabelsClaimsNoSuperclasses() throws {
        let folder = try TemporaryFolder()
        let few = TestCIFAR.records(labels: 3..<6, perClass: 2)
        let path = try folder.write("c.tar", TestArchive.tar(TestCIFAR.members(train: few, test: nil)))
        let dataset = try CIFARArchive.read(path)
        #expect(dataset.info.superclassOf == nil && dataset.info.superclasses == nil)
        #expect(dataset.splits["train"]?.labels == [3, 4, 5, 3, 4, 5])
    }

    @Test func aCutOffRecordIsNamedByItsByte() throws {
        let folder = try TemporaryFolder()
        let cut = Array(train.dropLast(100))
        let path = try folder.write("c.tar", TestArchive.tar(TestCIFAR.members(train: cut, test: nil)))
        let error = failure(path)
        #expect(error?.code == .truncated)
        #expect(error?.description.contains("train.bin") == true)
        #expect(error?.description.contains("byte \(299 * 3074) has 2974 of 3074") == true)
    }

    @Test func aLabelOutOfRangeIsNamedByItsByte() throws {
        for (offset, text) in [(0, "coarse label 200 at byte 614800"), (1, "fine label 200 at byte 614801")] {
            let folder = try TemporaryFolder()
            var bad = train
            bad[200 * 3074 + offset] = 200
            let path = try folder.write("c.tar", TestArchive.tar(TestCIFAR.members(train: bad, test: nil)))
            #expect(failure(path)?.description.contains(text) == true)
        }
    }

    @Test func aChangingSuperclassIsRefused() throws {
        let folder = try TemporaryFolder()
        var bad = train
        bad[150 * 3074] ^= 1
        let path = try folder.write("c.tar", TestArchive.tar(TestCIFAR.members(train: bad, test: nil)))
        #expect(failure(path)?.description.contains("fine label 50 at byte \(150 * 3074 + 1)") == true)
    }

    @Test func nameFilesMustBeThereAndComplete() throws {
        let folder = try TemporaryFolder()
        let members = TestCIFAR.members(train: train, test: nil)
        let without = try folder.write("a.tar", TestArchive.tar(members.filter { !$0.name.contains("fine") }))
        #expect(failure(without)?.description.contains("fine_label_names.txt with its 100 names is missing") == true)
        let short = members.map { $0.name.contains("coarse") ? ($0.name, Array("a\nb\n".utf8)) : $0 }
        let path = try folder.write("b.tar", TestArchive.tar(short))
        #expect(failure(path)?.description.contains("2 names, 20 are wanted") == true)
        let reserved = members.map { member in
            member.name.contains("fine")
                ? (member.name, Array((["unsure"] + TestCIFAR.fineNames.dropFirst()).joined(separator: "\n").utf8))
                : member
        }
        #expect(failure(try folder.write("c.tar", TestArchive.tar(reserved)))?.code == .invalid)
    }

    @Test func cutOffAndForeignArchivesAreRefused() throws {
        let folder = try TemporaryFolder()
        let whole = TestArchive.gzip(TestArchive.tar(TestCIFAR.members(train: train, test: test)))
        for eighth in 1..<8 {
            let path = try folder.write("\(eighth).tar.gz", whole.prefix(whole.count * eighth / 8))
            #expect(failure(path) != nil)
        }
        #expect(failure(try folder.write("text", Array("no archive at all, only text".utf8))) != nil)
        #expect(failure(try folder.write("other.tar", TestArchive.tar([("a.txt", [1])])))?.code == .foreign)
        #expect(failure(folder.path.appending("nothing"))?.code == .missing)
        let empty = try folder.write("empty.tar", TestArchive.tar(TestCIFAR.members(train: [], test: nil)))
        #expect(failure(empty)?.code == .truncated)
    }
}
