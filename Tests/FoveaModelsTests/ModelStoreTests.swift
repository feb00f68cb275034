import FoveaModels
import FoveaSystem
import FoveaTestKit
import Glibc
import SystemPackage
import Testing

@Suite struct ModelStoreTests {
    private let scratch: Scratch
    private let store: ModelStore

    init() throws {
        scratch = try Scratch()
        let bundled = scratch.path.appending("models")
        try Files.makeDirectories(bundled.appending("cifar100").appending("1"))
        try Sample.write(
            bundled.appending("cifar100").appending("1"), Sample.configuration(name: "cifar100", version: "1"))
        store = ModelStore(bundled: bundled, trained: scratch.path.appending("var").appending("models"))
    }

    @discardableResult
    private func add(_ name: String, _ version: String) throws -> ModelStore.Model {
        try store.add(
            configuration: Sample.configuration(name: name, version: version), weights: Sample.weights(),
            golden: Sample.golden(), training: ["metrics.jsonl": Array("{}\n".utf8)])
    }

    private func names() throws -> [String] { try store.list().map { "\($0.identifier)" } }

    @Test func listsBothStoresInOrder() throws {
        #expect(try names() == ["cifar100@1"])
        for version in ["10", "9", "2"] { try add("cifar100", version) }
        try add("birds", "1")
        try Files.makeDirectory(store.trained.appending("birds").appending("7"))
        #expect(try names() == ["birds@1", "cifar100@1", "cifar100@2", "cifar100@9", "cifar100@10"])
        #expect(try store.list().filter(\.isBundled).map { "\($0.identifier)" } == ["cifar100@1"])
        #expect(try store.resolve("cifar100").identifier.version == "10")
        #expect(try store.resolve("cifar100@2").identifier.version == "2")
        #expect(try store.nextVersion(of: "cifar100") == "11")
        #expect(try store.nextVersion(of: "new") == "1")
    }

    @Test func whatIsAddedCanBeVerified() throws {
        let model = try add("birds", "1")
        #expect(try ModelFolder.verify(model.folder).identifier == model.identifier)
        #expect(try Files.read(model.folder.appending("training").appending("metrics.jsonl")) == Array("{}\n".utf8))
        #expect(try Files.list(store.trained).map(\.string) == ["birds"])
    }

    @Test func nothingIsReplaced() throws {
        try add("birds", "1")
        #expect(refusal { try add("birds", "1") }.hasPrefix("exists: birds@1"))
        #expect(refusal { try add("cifar100", "1") }.hasPrefix("exists"))
        #expect(try Files.list(store.trained).map(\.string) == ["birds"])
    }

    @Test func aNameThatIsNotThereIsMetWithHelp() throws {
        try add("birds", "1")
        #expect(refusal { _ = try store.resolve("cifar10") }.contains("did you mean cifar100?"))
        #expect(refusal { _ = try store.resolve("bird") }.contains("did you mean birds?"))
        #expect(refusal { _ = try store.resolve("cifar100@7") }.contains("there are: 1"))
        #expect(refusal { _ = try store.resolve("zzzzzzzz") }.contains("there are: birds, cifar100"))
        #expect(refusal { _ = try store.resolve("a b") }.hasPrefix("invalidName"))
        let empty = ModelStore(bundled: nil, trained: "/nonexistent")
        #expect(refusal { _ = try empty.resolve("a") }.contains("there are none in /nonexistent"))
    }

    @Test func importsACopyOfWhatIsInOrder() throws {
        let source = scratch.path.appending("elsewhere")
        try Files.makeDirectory(source)
        try Sample.write(source, Sample.configuration(name: "guest", version: "3"))
        let model = try store.importFolder(source)
        #expect("\(model.identifier)" == "guest@3")
        #expect(refusal { try store.importFolder(source) }.contains("this very model is in the store already"))
        try Files.removeTree(source)
        try Files.makeDirectory(source)
        var other = Sample.configuration(name: "guest", version: "3")
        other.description = "another one"
        try Sample.write(source, other)
        #expect(refusal { try store.importFolder(source) }.contains("give it a new version"))
        try Files.removeTree(source)
        #expect(try ModelFolder.verify(model.folder).configuration.name == "guest")
    }

    @Test func anImportThatFailsLeavesNothing() throws {
        let source = scratch.path.appending("elsewhere")
        try Files.makeDirectory(source)
        #expect(refusal { try store.importFolder(source) }.contains("not a model's folder"))
        try Sample.write(source)
        try Files.replace(source.appending("config.json"), with: [1])
        #expect(refusal { try store.importFolder(source) }.hasPrefix("damaged"))
        try Files.unlink(source.appending("config.json"))
        _ = symlink("/etc/passwd", source.appending("config.json").string)
        #expect(refusal { try store.importFolder(source) }.contains("symbolic link"))
        #expect(refusal { try store.importFolder(source.appending("manifest.json")) }.contains("not a folder"))
        #expect(try Files.list(store.trained).isEmpty)
        #expect(try names() == ["cifar100@1"])
    }

    @Test func removesOnlyWhatMayGo() throws {
        let model = try add("birds", "1")
        let nothing = ModelProtection(store, active: nil, pinned: PinnedModels())
        let first = ModelProtection(store, active: nil, first: model.identifier, pinned: PinnedModels())
        #expect(refusal { try store.remove(model.identifier, protection: first) }.contains("next start"))
        let bundled = try store.resolve("cifar100").identifier
        #expect(refusal { try store.remove(bundled, protection: nothing) }.contains("read-only"))
        try store.remove(model.identifier, protection: nothing)
        #expect(try names() == ["cifar100@1"])
        #expect(try Files.list(store.trained).isEmpty)
        #expect(refusal { try store.remove(model.identifier, protection: nothing) }.hasPrefix("notFound"))
    }

    @Test func keepsWhatIsNeededAndTheNewest() throws {
        for version in 1...8 { try add("birds", "\(version)") }
        func entry(_ version: String) throws -> ActiveModel.Entry {
            ActiveModel.Entry(try ModelIdentifier(name: "birds", version: version), sha256: "00")
        }
        // birds@9 serves, trained on what birds@2 had learnt; birds@4 served before, birds@1 is somebody's favourite.
        var configuration = Sample.configuration(name: "birds", version: "9")
        configuration.training = Provenance(json: .object(["base": try JSONValue(encoding: entry("2"))]))
        try store.add(configuration: configuration, weights: try Sample.weights(), golden: try Sample.golden())
        var pinned = PinnedModels()
        pinned.models = [try ModelIdentifier(name: "birds", version: "1")]
        let protection = ModelProtection(
            store, active: ActiveModel(active: try entry("9"), previous: try entry("4")), pinned: pinned)
        #expect(protection[try entry("9").identifier]?.contains("active") == true)
        #expect(protection[try entry("4").identifier]?.contains("rollback") == true)
        #expect(protection[try entry("1").identifier]?.contains("pinned") == true)
        #expect(protection[try entry("2").identifier]?.contains("trained on") == true)
        #expect(protection[try entry("3").identifier] == nil)
        let surplus = try store.surplus(of: "birds", keep: 2, protection: protection)
        #expect(surplus.map(\.version) == ["3", "5", "6", "7"])
        #expect(try store.surplus(of: "birds", keep: 20, protection: protection).isEmpty)
        #expect(try store.surplus(of: "cifar100", keep: 1, protection: protection).isEmpty, "bundled ones only")
    }

    /// Each night began with the model of the night before.
    @Test func aLineOfModelsKeepsWhatTheLastOnesBeganWith() throws {
        try add("line", "1")
        func entry(_ version: Int) throws -> ActiveModel.Entry {
            ActiveModel.Entry(try ModelIdentifier(name: "line", version: "\(version)"), sha256: "00")
        }
        for version in 2...8 {
            var configuration = Sample.configuration(name: "line", version: "\(version)")
            configuration.training = Provenance(json: .object(["base": try JSONValue(encoding: entry(version - 1))]))
            try store.add(configuration: configuration, weights: try Sample.weights(), golden: try Sample.golden())
        }
        let protection = ModelProtection(
            store, active: ActiveModel(active: try entry(8), previous: try entry(7)), pinned: PinnedModels())
        // 8 and 7 are needed, 6 is what 7 began with.
        #expect(
            try store.surplus(of: "line", keep: 1, protection: protection).map(\.version) == ["1", "2", "3", "4", "5"])
        #expect(try store.surplus(of: "line", keep: 4, protection: protection).map(\.version) == ["1", "2", "3"])
        // By hand nothing goes that another one began with.
        for version in 1...7 { #expect(try protection[entry(version).identifier] != nil) }
        #expect(try protection[entry(3).identifier] == "is what line@4 was trained on")
        #expect(
            refusal { try store.remove(try! entry(6).identifier, protection: protection, force: true) }.contains(
                "line@7"))
        try store.remove(try entry(3).identifier, protection: protection, force: true)
        #expect(try !names().contains("line@3"))
    }

    @Test func theLockIsOnesOwn() throws {
        #expect(try store.lock() != nil && store.lock() != nil, "there is nothing to remove yet")
        #expect(try Files.statusIfPresent(store.trained) == nil)
        try add("birds", "1")
        let lock = try #require(try store.lock())
        #expect(try store.lock() == nil)
        lock.release()
        lock.release()
        // Whoever forgets to release it gives it back all the same.
        #expect(try store.lock() != nil)
        #expect(try store.lock() != nil)
        #expect(try Files.list(store.trained).map(\.string) == ["birds"])
    }

    @Test func pinsAreKeptInAFile() throws {
        let path = scratch.path.appending("pinned.json")
        #expect(try PinnedModels.read(path).models.isEmpty)
        var pinned = PinnedModels()
        pinned.models = [try ModelIdentifier(name: "birds", version: "2")]
        try pinned.write(path)
        #expect(try PinnedModels.read(path) == pinned)
        try Files.replace(path, with: Array(#"{"schema":"fovea.pinned/1","models":["birds"]}"#.utf8))
        #expect(refusal { _ = try PinnedModels.read(path) }.contains("no version"))
    }

    @Test func halfMadeModelsOfTheDeadAreClearedAway() throws {
        try add("birds", "1")
        // No process has this number: the kernel's largest is 2^22.
        let abandoned = store.trained.appending(".staging-9999999-x")
        let mine = store.trained.appending(".staging-\(getpid())-x")
        for folder in [abandoned, mine] { try Files.makeDirectory(folder) }
        try add("birds", "2")
        #expect(try Files.statusIfPresent(abandoned) == nil)
        #expect(try Files.statusIfPresent(mine) != nil)
        #expect(try names() == ["birds@1", "birds@2", "cifar100@1"])
    }
}
