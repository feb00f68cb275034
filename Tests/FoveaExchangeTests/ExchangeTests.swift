import FoundationEssentials
import FoveaExchange
import FoveaModels
import FoveaSystem
import FoveaTestKit
import Glibc
import SystemPackage
import Testing

@Suite struct ExchangeTests {
    /// The forms that a model can travel in.
    enum Form: CaseIterable {
        case folder, archive

        func export(_ model: VerifiedModel, to path: FilePath) throws {
            switch self {
            case .folder: try ModelExport.folder(model, to: path)
            case .archive: try ModelExport.archive(model, to: path)
            }
        }
    }

    @Test(arguments: Form.allCases) func aModelComesBackAsTheSameModel(_ form: Form) throws {
        let ground = try Ground()
        let path = ground.root.appending("exported")
        try form.export(ground.model, to: path)
        let model = try ModelImport.take(path, into: ground.store)
        #expect(try ModelFolder.verify(model.folder).sha256 == ground.model.sha256)
        #expect(
            Set(try Files.list(model.folder).map(\.string)) == Set(try Files.list(ground.model.folder).map(\.string)))
        for (name, bytes) in try ground.files() {
            #expect(try Files.read(model.folder.pushing(FilePath(name))) == bytes, "\(name)")
        }
        #expect(try ground.stored() == ["tiny"])
        // A second time there is one already, and nothing is left lying about.
        #expect(refusal { try ModelImport.take(path, into: ground.store) }.hasPrefix("exists: tiny@1"))
        #expect(try ground.stored() == ["tiny"])
    }

    @Test(arguments: Form.allCases) func nothingIsWrittenOver(_ form: Form) throws {
        let ground = try Ground()
        let path = try ground.folder.write("there", [1])
        #expect(refusal { try form.export(ground.model, to: path) }.contains("give another path"))
        #expect(try Files.read(path) == [1])
        #expect(
            refusal { try form.export(ground.model, to: ground.root.pushing("no/where")) }.contains("make it first"))
        #expect(refusal { try form.export(ground.model, to: "/") }.hasPrefix("invalidName"))
        #expect(try Set(Files.list(ground.root).map(\.string)) == ["model", "there"])
    }

    @Test func anArchiveAlwaysHasTheSameBytes() throws {
        let ground = try Ground()
        var archives: [[UInt8]] = []
        for name in ["one", "two"] {
            try ModelExport.archive(ground.model, to: ground.root.appending(name))
            archives.append(try Files.read(ground.root.appending(name)))
        }
        #expect(archives[0] == archives[1])
        #expect(archives[0].starts(with: [0x28, 0xB5, 0x2F, 0xFD]), "zstd")
    }

    @Test func theLayoutTellsWhatOthersNeed() throws {
        let ground = try Ground()
        let folder = ground.root.appending("hub")
        try ModelExport.folder(ground.model, to: folder)
        func json(_ name: String) throws -> JSONValue {
            try JSONDecoder().decode(JSONValue.self, from: Data(Files.read(folder.appending(name))))
        }
        let configuration = try json("config.json")
        #expect(configuration["model_type"]?.string == "fovea")
        #expect(configuration["id2label"]?["2"]?.string == "naïve owl")
        #expect(configuration["label2id"]?["dog"]?.double == 1)
        #expect(configuration["image_size"] == .array([.int(4), .int(5)]))
        #expect(configuration["fovea"]?["sha256"]?.string == ground.model.sha256)
        let preprocessing = try json("preprocessor_config.json")
        #expect(preprocessing["image_mean"] == .array([.number(0.5), .number(0.5), .number(0.5)]))
        #expect(preprocessing["size"] == .object(["height": .int(4), "width": .int(5)]))
        #expect(preprocessing["image_processor_type"]?.string == "ViTImageProcessor")
        #expect(preprocessing["fovea_chain"] == (try JSONValue(encoding: ground.model.configuration.chain)))
        #expect(try Files.read(folder.appending("fovea.json")) == (try ground.files())["config.json"])
        let card = String(decoding: try Files.read(folder.appending("README.md")), as: UTF8.self)
        #expect(card.hasPrefix("---\n") && card.contains("# tiny@1") && card.contains("Right on 50.0 % of test images"))
    }

    /// No class of image processors sharpens, so none is named; a foreign normalizer has no figures.
    @Test func whatTheLayoutCannotSayIsNotSaid() throws {
        func preprocessing(_ configuration: ModelConfiguration) throws -> JSONValue {
            let ground = try Ground(configuration)
            let folder = ground.root.appending("hub")
            try ModelExport.folder(ground.model, to: folder)
            return try JSONDecoder().decode(
                JSONValue.self, from: Data(Files.read(folder.appending("preprocessor_config.json"))))
        }
        var configuration = Ground.configuration
        configuration.chain.insert(StageConfiguration(plugin: "sharpen"), at: 0)
        let sharpened = try preprocessing(configuration)
        #expect(sharpened["image_mean"] != nil && sharpened["image_processor_type"] == nil)
        configuration.chain[1] = StageConfiguration(plugin: "other")
        let foreign = try preprocessing(configuration)
        #expect(foreign["image_mean"] == nil && foreign["do_normalize"] == .bool(false))
    }

    @Test func aModelsOwnCardIsTheFoldersCard() throws {
        let ground = try Ground(card: "# Mine\n")
        let folder = ground.root.appending("hub")
        try ModelExport.folder(ground.model, to: folder)
        #expect(try Files.read(folder.appending("README.md")) == Array("# Mine\n".utf8))
        let model = try ModelImport.take(folder, into: ground.store)
        #expect(try Files.read(model.folder.pushing("training/README.md")) == Array("# Mine\n".utf8))
    }

    /// They lie in `training/`, and the folder's card does not.
    @Test func linksOfTheCardLeadToItsPictures() throws {
        let card = "# Mine\n![Loss](curves.png) ([SVG](curves.svg)) [elsewhere](https://example.org/curves.png)\n"
        let ground = try Ground(card: card)
        for name in ["curves.png", "curves.svg"] {
            try Files.replace(ground.model.folder.pushing(FilePath("training/\(name)")), with: [1])
        }
        let folder = ground.root.appending("hub")
        try ModelExport.folder(ground.model, to: folder)
        let text = String(decoding: try Files.read(folder.appending("README.md")), as: UTF8.self)
        #expect(
            text == card.replacing("](curves", with: "](training/curves"), "\(text)")
        for name in ["curves.png", "curves.svg"] {
            #expect(try Files.statusIfPresent(folder.pushing(FilePath("training/\(name)"))) != nil)
        }
        let model = try ModelImport.take(folder, into: ground.store)
        #expect(try Files.read(model.folder.pushing("training/README.md")) == Array(card.utf8))
    }

    /// What a hub adds to a folder does not get into the model.
    @Test func foreignFilesOfAFolderAreLeftBehind() throws {
        let ground = try Ground()
        let folder = ground.root.appending("hub")
        try ModelExport.folder(ground.model, to: folder)
        try ground.folder.write("hub/.gitattributes", [1])
        try ground.folder.write("hub/.git/HEAD", [1])
        let model = try ModelImport.take(folder, into: ground.store)
        #expect(try ModelFolder.verify(model.folder).sha256 == ground.model.sha256)
    }

    @Test func aModelThatFoveaHasNotMadeIsRefusedWithAdvice() throws {
        let ground = try Ground()
        try ground.folder.write("foreign/config.json", Array("{\"model_type\": \"vit\"}".utf8))
        try ground.folder.write("foreign/model.safetensors", [1])
        let foreign = ground.root.appending("foreign")
        let message = refusal { try ModelImport.take(foreign, into: ground.store) }
        #expect(message.contains("fovea.json, manifest.json, golden.safetensors missing"), "\(message)")
        #expect(message.contains("foveactl train"))
        let empty = ground.root.appending("empty")
        try Files.makeDirectory(empty)
        #expect(refusal { try ModelImport.take(empty, into: ground.store) }.contains("no manifest.json"))
        #expect(try Files.statusIfPresent(ground.store.trained) == nil)
    }

    @Test func aDamagedFolderLeavesNothing() throws {
        let ground = try Ground()
        let folder = ground.root.appending("hub")
        try ModelExport.folder(ground.model, to: folder)
        var bytes = try Files.read(folder.appending("model.safetensors"))
        bytes[bytes.count - 1] ^= 1
        try Files.replace(folder.appending("model.safetensors"), with: bytes)
        #expect(refusal { try ModelImport.take(folder, into: ground.store) }.contains("SHA-256"))
        try Files.unlink(folder.appending("fovea.json"))
        _ = symlink("config.json", folder.appending("fovea.json").string)
        #expect(refusal { try ModelImport.take(folder, into: ground.store) }.contains("symbolic link"))
        #expect(try ground.stored().isEmpty)
    }
}
