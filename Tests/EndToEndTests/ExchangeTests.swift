import FoundationEssentials
import FoveaModels
import FoveaSystem
import FoveaTestKit
import SystemPackage
import Testing

/// `foveactl model export` and `import`, between two machines' worth of folders.
extension EndToEnd {
    private struct Sites {
        let fixture: Fixture
        let folder: TemporaryFolder
        let here: String
        let there: String

        init() throws {
            fixture = try Fixture.shared()
            folder = try TemporaryFolder()
            here = try folder.write(
                "here.yaml", Fixture.configuration(folder.path.appending("here"), models: fixture.models)
            ).string
            there = try folder.write(
                "there.yaml",
                Fixture.configuration(folder.path.appending("there"), models: folder.path.appending("none"))
            ).string
        }

        func export(_ model: String, _ format: String, to name: String, _ more: [String] = []) throws
            -> Programs.Outcome
        {
            try Programs.run(
                "foveactl",
                ["model", "export", model, "--format", format, "--output", path(name), "--config", here] + more)
        }

        func path(_ name: String) -> String { folder.path.appending(name).string }

        func json(_ text: String) throws -> JSONValue {
            try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
        }
    }

    @Test(arguments: ["folder", "tar"]) func aModelMovesToAnotherStore(_ format: String) throws {
        let sites = try Sites()
        let exported = try sites.export("tiny", format, to: "moved", ["--json"])
        #expect(exported.code == 0, "\(exported)")
        let report = try sites.json(exported.output)
        let sha256 = try ModelFolder.verify(sites.fixture.models.pushing("tiny/1")).sha256
        #expect(report["sha256"]?.string == sha256 && report["format"]?.string == format)
        let again = try sites.export("tiny", format, to: "moved")
        #expect(again.code == 73 && again.error.contains("another path"), "\(again)")

        let imported = try Programs.run("foveactl", ["model", "import", sites.path("moved"), "--config", sites.there])
        #expect(imported.code == 0 && imported.output == "tiny@1\n", "\(imported)")
        let folder = sites.folder.path.pushing("there/var/models/tiny/1")
        #expect(try ModelFolder.verify(folder).sha256 == sha256)
        let twice = try Programs.run("foveactl", ["model", "import", sites.path("moved"), "--config", sites.there])
        #expect(twice.code == 73, "\(twice)")
    }

    @Test func exportsToONNX() throws {
        let sites = try Sites()
        let exported = try sites.export("tiny@1", "onnx", to: "tiny.onnx", ["--json"])
        #expect(exported.code == 0, "\(exported)")
        #expect(try sites.json(exported.output)["format"]?.string == "onnx")
        let bytes = try Files.read(sites.folder.path.appending("tiny.onnx"))
        #expect(bytes.contains(Array("[\"blue\",\"green\",\"grey\",\"red\"]".utf8)))
        let again = try sites.export("tiny", "onnx", to: "tiny.onnx")
        #expect(again.code == 73 && again.error.contains("another path"), "\(again)")
        #expect(try Files.read(sites.folder.path.appending("tiny.onnx")) == bytes)
    }

    /// What a model's folder says is not exported before the plugins agree, and never what ONNX cannot say.
    @Test func refusesWhatCannotBeExported() throws {
        let sites = try Sites()
        let model = try ModelFolder.verify(sites.fixture.models.pushing("tiny/1"))
        func write(_ name: String, chain: [StageConfiguration], golden: GoldenSet) throws -> String {
            var configuration = model.configuration
            configuration.chain = chain
            let folder = sites.folder.path.appending(name)
            try Files.makeDirectory(folder)
            try ModelFolder.write(
                folder, configuration: configuration,
                weights: try Files.read(model.folder.appending(ModelFolder.weightsName)), golden: golden)
            return folder.string
        }
        let chain = model.configuration.chain
        let trap = try write("trap", chain: [StageConfiguration(plugin: "trap")] + chain, golden: model.golden)
        let foreign = try sites.export(trap, "onnx", to: "x")
        #expect(foreign.code == 65 && foreign.error.contains("stage 1 of its chain is trap"), "\(foreign)")
        let blunt = try write("blunt", chain: Array(chain.dropFirst()), golden: model.golden)
        let other = try sites.export(blunt, "onnx", to: "x")
        #expect(other.code == 65 && other.error.contains("golden set differs"), "\(other)")
        for format in ["folder", "tar", "onnx"] {
            for name in ["nosuch", sites.path("nosuch")] {
                let missing = try sites.export(name, format, to: "x")
                #expect(missing.code == 66, "\(missing)")
            }
            let nowhere = try sites.export("tiny", format, to: "no/where")
            #expect(nowhere.code == 66 && nowhere.error.contains("make it first"), "\(nowhere)")
        }
        #expect(try Files.list(sites.folder.path).allSatisfy { !$0.string.hasPrefix("x") && !$0.string.hasPrefix(".") })
    }

    @Test func refusesWhatIsNoModel() throws {
        let sites = try Sites()
        func take(_ path: String) throws -> Programs.Outcome {
            try Programs.run("foveactl", ["model", "import", path, "--config", sites.there])
        }
        #expect(try take(sites.path("nothing")).code == 66)
        let text = try sites.folder.write("letter.txt", Array("a letter".utf8)).string
        let letter = try take(text)
        #expect(letter.code == 65 && letter.error.contains("neither a model's folder nor a .tar.zst"), "\(letter)")
        _ = try sites.folder.write("vit/config.json", Array("{}".utf8))
        let foreign = try take(sites.path("vit"))
        #expect(foreign.code == 65 && foreign.error.contains("foveactl train"), "\(foreign)")
    }
}
