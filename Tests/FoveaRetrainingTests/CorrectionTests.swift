import FoveaControl
import FoveaData
import FoveaHistory
import FoveaModels
import FoveaRetraining
import FoveaSystem
import FoveaTestKit
import Glibc
import Logging
import SystemPackage
import Testing

@Suite struct CorrectionTests {
    private let folder: TemporaryFolder
    private var root: FilePath { folder.path.appending("fix") }

    init() throws {
        folder = try TemporaryFolder()
        try Files.makeDirectory(folder.path.appending("fix"))
    }

    /// An image of one colour, which stands for its content.
    private func put(_ path: String, _ colour: UInt8) throws { try folder.write("fix/\(path)", [colour]) }

    /// Files of one byte are images of that colour, 1 × 1; 255 is damaged.
    private func decode(_ paths: [FilePath]) throws -> [Result<[UInt8], CorrectionFault>] {
        try paths.map { path in
            let colour = try Files.read(root.pushing(path))[0]
            return colour == 255 ? .failure(CorrectionFault("it is cut")) : .success([colour, colour, colour])
        }
    }

    private func set(fewest: Int = 2, history: HistoryReader? = nil) throws -> CorrectionSet {
        try CorrectionSet(
            CorrectionFolder(root), known: ["cat", "dog"], fewest: fewest, history: history, decode: decode)
    }

    @Test func findsImagesByContent() throws {
        try put("cat/a.png", 1)
        try put("cat/b.png", 1)
        try put("dog/holiday/c.png", 2)
        try put("dog/holiday/c.png.json", 3)
        try put("dog/.hidden.png", 4)
        try put("dog/d.png.part", 5)
        let set = try set()
        #expect(set.problems.isEmpty, "\(set.problems)")
        #expect(set.corrections.count == 2 && set.newLabels.isEmpty)
        let cat = try #require(set.corrections.first { $0.label == "cat" })
        #expect(cat.paths == ["cat/a.png", "cat/b.png"], "the same image twice counts once")
        #expect(cat.sha256 == hexadecimal(Digest.sha256([1])))
        #expect(set.corrections.first { $0.label == "dog" }?.paths == ["dog/holiday/c.png"])
        #expect(set.pixels.count == 6)
    }

    @Test func whatIsUnclearIsReportedAndNotGuessed() throws {
        try put("cat/same.png", 1)
        try put("dog/same.png", 1)
        try put("cat/broken.png", 255)
        try put("bird/one.png", 3)
        try put("stray.png", 4)
        try put("failed/x.png", 5)
        symlink("/etc/passwd", root.appending("cat").appending("link.png").string)
        mkfifo(root.appending("cat").appending("pipe").string, 0o600)
        try put("dog/good.png", 6)
        let set = try set()
        #expect(set.corrections.map(\.label) == ["dog"])
        let reasons = Dictionary(uniqueKeysWithValues: set.problems.map { ($0.path, $0.reason) })
        #expect(reasons["cat/same.png"]?.contains("corrected to 2 labels (cat/same.png, dog/same.png)") == true)
        #expect(reasons["cat/broken.png"] == "it is cut")
        #expect(reasons["bird"]?.contains("a new label with 1 image, and retrain.fewest is 2") == true)
        #expect(reasons["stray.png"]?.contains("not inside the folder of a label") == true)
        #expect(reasons["failed"]?.contains("reserved") == true)
        #expect(reasons["cat/link.png"]?.contains("a link") == true)
        #expect(reasons["cat/pipe"]?.contains("no file") == true)
        #expect(set.problems.count == 7)
    }

    /// The same file under two labels, and its picture once more in other bytes.
    @Test func aConflictTakesAllCopiesWithIt() throws {
        try put("cat/same.png", 7)
        try put("dog/same.png", 7)
        try folder.write("fix/cat/resaved.png", [7, 1])
        let set = try set()
        #expect(set.corrections.isEmpty)
        #expect(set.problems.count == 1)
        for name in ["cat/same.png", "dog/same.png", "cat/resaved.png"] {
            #expect(set.problems.first?.reason.contains(name) == true, "\(set.problems)")
        }
    }

    @Test func enoughImagesMakeANewLabel() throws {
        for number in 0..<3 { try put("bird/\(number).png", UInt8(number)) }
        try put("bird/broken.png", 255)
        #expect(try set(fewest: 3).newLabels == ["bird"])
        #expect(try set(fewest: 4).newLabels.isEmpty, "what cannot be read does not count")
    }

    /// From `outbox/unknown/` into the folder of a label, also with its document, as from any other folder.
    @Test func anUnknownImageIsACorrectionAsAny() throws {
        let history = try History(
            state: folder.path, keep: .seconds(86400), log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        history.start()
        history.note([
            HistoryEntry(
                id: "drop1", file: "a.png", state: "unknown", path: "unknown/a.png", label: "cat", confidence: 0.9,
                unknown: 1.5, model: "tiny@1", sha256: hexadecimal(Digest.sha256([1])), bytes: 1, reason: nil,
                received: .now(), published: .now(), timings: nil)
        ])
        history.stop()
        // To the label that was the best one all the same.
        try put("cat/a.png", 1)
        try put("cat/a.png.json", 1)
        let set = try set(history: try HistoryReader(state: folder.path))
        #expect(set.problems.isEmpty && set.corrections.count == 1)
        #expect(set.corrections[0].label == "cat" && set.corrections[0].earlier?.id == "drop1")
    }

    /// The outbox's own names are no labels; where a model has such a label, its folder has another name here as there.
    @Test func theOutboxesOwnFoldersAreNoLabels() throws {
        try put("unknown/a.png", 1)
        try put("unknown.label/b.png", 2)
        try put("unknown.label/c.png", 3)
        let reserved = try set()
        #expect(reserved.corrections.isEmpty && reserved.newLabels.isEmpty)
        let reasons = Dictionary(uniqueKeysWithValues: reserved.problems.map { ($0.path, $0.reason) })
        #expect(reasons["unknown"]?.contains("its folder is unknown.label") == true, "\(reasons)")
        #expect(reasons["unknown.label"]?.contains("stands for the label 'unknown'") == true, "\(reasons)")
        #expect(reasons["unknown.label"]?.contains("rename the folder") == true)
        let old = try CorrectionSet(
            CorrectionFolder(root), known: ["cat", "unknown"], fewest: 2, history: nil, decode: decode)
        #expect(old.corrections.map(\.label) == ["unknown", "unknown"])
        #expect(old.problems.map(\.path) == ["unknown"])
    }

    @Test func anImageIsTiedToItsEarlierResult() throws {
        let history = try History(
            state: folder.path, keep: .seconds(86400), log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        history.start()
        history.note([
            HistoryEntry(
                id: "drop1", file: "in/a.png", state: "classified", path: "dog/a.png", label: "dog", confidence: 0.5,
                model: "tiny@1", sha256: hexadecimal(Digest.sha256([1])), bytes: 1, reason: nil, received: .now(),
                published: .now(), timings: nil)
        ])
        history.stop()
        try put("cat/a.png", 1)
        try put("cat/new.png", 2)
        let set = try set(history: try HistoryReader(state: folder.path))
        let tied = try #require(set.corrections.first { $0.paths == ["cat/a.png"] })
        #expect(tied.earlier?.id == "drop1" && tied.earlier?.label == "dog" && tied.earlier?.model == "tiny@1")
        #expect(set.corrections.first { $0.paths == ["cat/new.png"] }?.earlier == nil)
    }

    @Test func theFingerprintIsOfContentsAndLabels() throws {
        func fingerprint() throws -> String { try CorrectionFolder(root).fingerprint }
        let empty = try fingerprint()
        try put("cat/a.png", 1)
        let one = try fingerprint()
        #expect(one != empty)
        try put("cat/again.png", 1)
        #expect(try fingerprint() == one, "the same image once more is nothing new")
        try Files.rename(root.pushing("cat/again.png"), to: root.pushing("cat/other.png"))
        #expect(try fingerprint() == one)
        try Files.makeDirectories(root.appending("dog"))
        try Files.rename(root.pushing("cat/other.png"), to: root.pushing("dog/a.png"))
        #expect(try fingerprint() != one)
        #expect(try CorrectionFolder(folder.path.appending("nowhere")).fingerprint == empty)
    }

    @Test func whatHasNotChangedIsNotReadAgain() throws {
        try put("cat/a.png", 1)
        // Two seconds old, as far as the cache is told.
        let path = root.pushing("cat/a.png")
        let cacheFile = folder.path.appending("hashes")
        let status = try Files.status(path)
        let line =
            "\(String(repeating: "e", count: 64)) \(status.size) \(status.modified) \(status.changed) \(status.inode)"
        try Files.replace(cacheFile, with: "\(line) cat/a.png\nnonsense\n".utf8)
        #expect(try CorrectionFolder(root, hashes: HashCache(cacheFile)).files[0].sha256.first == "e", "believed")
        try Files.replace(path, with: [2])
        #expect(
            try CorrectionFolder(root, hashes: HashCache(cacheFile)).files[0].sha256
                == hexadecimal(Digest.sha256([2])), "another file")
    }

    // MARK: - With data

    private static let champion = ModelConfiguration(
        name: "tiny", version: "1", description: "", labels: ["cat", "dog"], superclasses: ["pet"],
        superclassOf: [0, 0], input: .init(height: 1, width: 1), chain: [StageConfiguration(plugin: "classifier-net")],
        network: .object([:]))

    /// Twenty images of each of two classes, all different.
    private static func data() -> Dataset {
        var images = LabelledImages(height: 1, width: 1)
        for number in 0..<40 {
            images.pixels += [UInt8(100 + number), 0, 0]
            images.labels.append(UInt16(number % 2))
        }
        let info = DatasetInfo(name: "base", labels: ["dog", "owl"], height: 1, width: 1, source: "")
        return Dataset(info: info, splits: ["train": images])
    }

    /// Colours whose image is, or is not, held back where nobody has met it.
    private static func colours(heldBack: Bool) -> [UInt8] {
        (0..<100).map { UInt8($0) }.filter { colour in
            let image = LabelledImages(height: 1, width: 1, pixels: [colour, colour, colour], labels: [0])
            return (ImageDigests.digest(image, 0) & 255 < 51) == heldBack
        }
    }

    private static func source(
        _ set: Dataset, perClass: Int? = 5, whole: Bool = false
    ) -> RetrainingData.Source {
        .init(set: set, learnt: TrainedSet(name: "base", sha256: "", perClass: perClass, isLearntWhole: whole))
    }

    /// Nothing that judges or develops is learnt.
    private func expectNoLeak(_ data: RetrainingData) throws {
        let images = try data.dataset.images("train")
        let learnt = Set(data.train.map { ImageDigests.digest(images, $0) })
        #expect(data.development.allSatisfy { !learnt.contains(ImageDigests.digest(images, $0)) })
        #expect((0..<data.judged.count).allSatisfy { !learnt.contains(ImageDigests.digest(data.judged, $0)) })
        #expect(data.judged.count == data.origins.count)
    }

    @Test func dataAndCorrectionsBecomeOneSet() throws {
        let (learnt, held) = (Self.colours(heldBack: false), Self.colours(heldBack: true))
        for (number, colour) in learnt.prefix(6).enumerated() { try put("bird/\(number).png", colour) }
        for (number, colour) in held.prefix(3).enumerated() { try put("cat/\(number).png", colour) }
        let data = try RetrainingData(
            champion: Self.champion, digests: nil, sources: [Self.source(Self.data())],
            corrections: try set())
        let info = data.dataset.info
        #expect(info.labels == ["cat", "dog", "owl", "bird"], "the champion's keep their places")
        #expect(info.superclasses == ["pet", "owl", "bird"] && info.superclassOf == [0, 0, 1, 2])
        let images = try data.dataset.images("train")
        #expect(images.count == 49 && data.learntCorrections == 6 && data.judgingCorrections == 3)
        #expect(data.development.count == 2 && data.judged.count == 8 + 3)
        #expect(data.origins.filter { $0 == .corrections }.count == 3)
        // Dogs and owls, as the base's labels, under the model's numbers.
        #expect(Set(images.labels.prefix(40)) == [1, 2])
        #expect(Set(images.labels[40...]) == [0, 3])
        #expect(Set(data.train).count == 30 + 6)
        #expect(
            data.train.count == 30 + 3 * 6,
            "a label that the data lack is seen about as often as the others' fifteen images")
        #expect(data.unjudged == ["bird"])
        try expectNoLeak(data)
    }

    /// Where chance would hold all of them back.
    @Test func aNewLabelIsLearntFromOneImageAtLeast() throws {
        for (number, colour) in Self.colours(heldBack: true).prefix(4).enumerated() {
            try put("bird/\(number).png", colour)
        }
        let data = try RetrainingData(
            champion: Self.champion, digests: nil, sources: [Self.source(Self.data())], corrections: try set())
        #expect(data.uses.count { $0 == .learnt } == 1 && data.judgingCorrections == 3)
        #expect(!data.untaught.contains("bird") && !data.unjudged.contains("bird"))
        try expectNoLeak(data)
        // Whom the champion has held back stays so.
        let again = try RetrainingData(
            champion: Self.champion, digests: try data.digests(onTopOf: nil), sources: [Self.source(Self.data())],
            corrections: try set())
        #expect(again.uses == data.uses)
    }

    /// The next generation: what was held back stays so, what is new is divided, whatever has become of the data set.
    @Test func whatWasHeldBackStaysHeldBack() throws {
        let first = try RetrainingData(
            champion: Self.champion, digests: nil, sources: [Self.source(Self.data())],
            corrections: CorrectionSet(restoring: [], pixels: [], newLabels: []))
        let known = try first.digests(onTopOf: nil)
        #expect(known.learnt.count == 30 && known.heldBack.count == 10)

        var grown = Self.data()
        grown.info.labels.insert("ant", at: 0)
        var images = LabelledImages(height: 1, width: 1)
        for number in 0..<60 {
            images.pixels += [0, UInt8(number), 1]
            images.labels.append(0)
        }
        let old = try grown.images("train")
        images.pixels += old.pixels
        images.labels += old.labels.map { $0 + 1 }
        grown.splits["train"] = images
        let second = try RetrainingData(
            champion: Self.champion, digests: known, sources: [Self.source(grown, whole: true)],
            corrections: CorrectionSet(restoring: [], pixels: [], newLabels: []))
        try expectNoLeak(second)
        let all = try second.dataset.images("train")
        let judging = Set((0..<second.judged.count).map { ImageDigests.digest(second.judged, $0) })
            .union(second.development.map { ImageDigests.digest(all, $0) })
        #expect(known.heldBack.isSubset(of: judging))
        #expect(known.learnt.isDisjoint(with: judging))
        #expect(judging.count > 10 && judging.count < 30, "some of the new ones, not all: \(judging.count)")
        // And the files of a model bring it back.
        let model = folder.path.appending("model")
        try Files.makeDirectories(model.appending("training"))
        #expect(ImageDigests(model: model) == nil)
        let digests = try second.digests(onTopOf: known)
        for (name, bytes) in digests.files {
            try Files.replace(model.appending("training").appending(name), with: bytes)
        }
        #expect(ImageDigests(model: model) == digests)
        #expect(digests.learnt.isSuperset(of: known.learnt))
    }

    @Test func aCorrectionOfAnImageOfTheDataReplacesItsLabel() throws {
        let data = Self.data()
        let division = try data.split(development: 5)
        let images = try data.images("train")
        // A file whose first byte is the place of an image: one that is trained on, and one that is held back, twice.
        let decode: CorrectionSet.Decoder = { paths in
            try paths.map { path in
                let index = Int(try Files.read(root.pushing(path))[0])
                return .success(Array(images.pixels[index * 3..<index * 3 + 3]))
            }
        }
        try put("cat/a.png", UInt8(division.train[0]))
        try put("cat/b.png", UInt8(division.development[0]))
        try folder.write("fix/cat/c.png", [UInt8(division.development[0]), 0])
        let set = try CorrectionSet(
            CorrectionFolder(root), known: ["cat", "dog", "owl"], fewest: 2, history: nil, decode: decode)
        #expect(set.corrections.count == 2, "one picture, whatever its bytes")
        let all = try RetrainingData(
            champion: Self.champion, digests: nil, sources: [Self.source(data)], corrections: set)
        #expect(all.relabelled == 1)
        #expect(!all.train.contains(division.train[0]))
        #expect(all.problems.count == 1 && ["cat/b.png", "cat/c.png"].contains(all.problems[0].path))
        #expect(all.problems[0].reason.contains("held back"))
        #expect(all.learntCorrections == 1, "an image that the champion has learnt does not judge, whatever its digest")
        try expectNoLeak(all)
    }

    /// The same pixels in files of other bytes, under two labels.
    @Test func onePictureUnderTwoLabelsIsAConflict() throws {
        try folder.write("fix/cat/a.png", [7, 1])
        try folder.write("fix/dog/b.png", [7, 2])
        let set = try set()
        #expect(set.corrections.isEmpty)
        #expect(set.problems.count == 1, "\(set.problems)")
        for part in ["2 labels", "cat/a.png", "dog/b.png"] { #expect(set.problems[0].reason.contains(part)) }
    }

    @Test func whatTheChampionHasSeenDoesNotJudge() throws {
        var data = Self.data()
        data.splits["test"] = LabelledImages(height: 1, width: 1, pixels: [7, 7, 7], labels: [0])
        let all = try RetrainingData(
            champion: Self.champion, digests: nil,
            sources: [Self.source(data, perClass: nil, whole: true)],
            corrections: CorrectionSet(restoring: [], pixels: [], newLabels: []))
        #expect(all.train.count == 40 && all.development.isEmpty)
        #expect(all.judged.pixels == [7, 7, 7] && all.judged.labels == [1])
        #expect(all.notes.count == 2 && all.notes[1].hasPrefix("no held-back image shows "), "\(all.notes)")
        #expect(all.untaught == all.dataset.info.labels.filter { !data.info.labels.contains($0) })
    }

    /// A champion that has learnt nearly all of a data set: the test images join the few that are held back.
    @Test func whereLittleIsHeldBackTheTestImagesJudgeAsWell() throws {
        var data = Self.data()
        data.splits["test"] = LabelledImages(height: 1, width: 1, pixels: [7, 7, 7, 8, 8, 8], labels: [0, 1])
        let images = try data.images("train")
        var digests = ImageDigests()
        digests.learn(images, 1..<images.count)
        digests.holdBack(images, 0..<1)
        let all = try RetrainingData(
            champion: Self.champion, digests: digests, sources: [Self.source(data, whole: true)],
            corrections: CorrectionSet(restoring: [], pixels: [], newLabels: []))
        #expect(all.judged.count == 3 && all.origins.allSatisfy { $0 == .data })
        #expect(all.notes.first?.contains("only 1 image is") == true, "\(all.notes)")
    }

    /// What judges in one data set is learnt in none.
    @Test func dataSetsMayShareImages() throws {
        let first = Self.data()
        let images = try first.images("train")
        var second = first
        second.info.labels = ["dog", "owl"]
        var more = images
        more.pixels += images.pixels
        more.labels += images.labels
        second.splits["train"] = more
        second.splits["test"] = images.selecting([0, 1, 2])
        for whole in [true, false] {
            let all = try RetrainingData(
                champion: Self.champion, digests: nil,
                sources: [Self.source(first), Self.source(second, perClass: nil, whole: whole)],
                corrections: CorrectionSet(restoring: [], pixels: [], newLabels: []))
            try expectNoLeak(all)
        }
    }

    /// One bad entry costs itself.
    @Test func whatCannotBeOpenedIsReported() throws {
        try put("cat/a.png", 1)
        symlink("/nonexistent", root.appending("gone").string)
        try folder.write("fix/x", [1])
        let name = FilePath(bytes: Array("\(root)/".utf8) + [0xFF])
        try Files.makeDirectory(name)
        let set = try set()
        #expect(set.corrections.count == 1)
        #expect(Set(set.problems.map(\.path)) == ["gone", "x", "%FF"], "\(set.problems)")
    }

    @Test func whatAModelHasLearntOfADataSet() throws {
        let data = Self.data()
        var champion = Self.champion
        func learnt() throws -> TrainedSet { try TrainedSet(of: data, by: champion) }
        #expect(try learnt().isLearntWhole, "nothing is known of its training")
        champion.training = Provenance(
            json: .object(["data": .object(["name": .string("other"), "development": .int(4)])]))
        #expect(try !learnt().isLearntWhole)
        champion.training = Provenance(
            json: .object(["data": .object(["name": .string("base"), "development": .int(10)])]))
        #expect(try learnt().perClass == 5 && learnt().isLearntWhole == false)
        champion.training = Provenance(
            json: .object(["data": .object(["name": .string("base"), "development": .int(4)])]))
        #expect(try learnt().perClass == nil && learnt().isLearntWhole == false, "a tenth of twenty is two")
        champion.training = Provenance(
            json: .object(["data": .object(["name": .string("base"), "development": .int(0)])]))
        #expect(try learnt().isLearntWhole)
        let same = TrainedSet(
            name: "base", sha256: try data.images("train").sha256, perClass: 3, isLearntWhole: false)
        champion.training = Provenance(json: .object(["sets": .array([try JSONValue(encoding: same)])]))
        #expect(try learnt() == same)
        let set = TrainedSet(name: "base", sha256: "", perClass: 3, isLearntWhole: false)
        champion.training = Provenance(json: .object(["sets": .array([])]))
        #expect(try !learnt().isLearntWhole, "one that it never met")
        champion.training = Provenance(json: .object(["sets": .array([try JSONValue(encoding: set)])]))
        #expect(try learnt().isLearntWhole, "it has met another state of it")
    }
}
