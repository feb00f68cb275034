import FoveaModels
import FoveaSystem
import FoveaTestKit
import Glibc
import SystemPackage
import Testing

@Suite struct ModelFolderTests {
    @Test func acceptsAModelThatIsInOrder() throws {
        let scratch = try Scratch()
        let sha256 = try Sample.write(scratch.path)
        try Files.makeDirectory(scratch.path.appending("training"))
        _ = try scratch.write("training/notes.txt", Array("free".utf8))
        let model = try ModelFolder.verify(scratch.path)
        #expect(model.configuration == Sample.configuration())
        #expect(try model.golden == Sample.golden())
        #expect(model.sha256 == sha256)
        #expect(sha256 == hexadecimal(try Digest.sha256(fileAt: scratch.path.appending("manifest.json"))))
    }

    @Test func aForeignClassifierNeedsNoWeights() throws {
        let scratch = try Scratch()
        var configuration = Sample.configuration()
        configuration.chain = [StageConfiguration(plugin: "normalize"), StageConfiguration(plugin: "example-c")]
        configuration.network = nil
        configuration.weights = nil
        try Sample.write(scratch.path, configuration, weights: nil)
        #expect(try ModelFolder.verify(scratch.path).configuration.network == nil)
    }

    /// Each damage, with the words that its refusal must contain.
    private static let damages: [(String, @Sendable (FilePath) throws -> Void)] = [
        ("manifest.json: is missing", { try Files.unlink($0.appending("manifest.json")) }),
        ("config.json: is missing", { try Files.unlink($0.appending("config.json")) }),
        ("model.safetensors: is missing", { try Files.unlink($0.appending("model.safetensors")) }),
        (
            "golden.safetensors: is damaged",
            {
                let file = $0.appending("golden.safetensors")
                var bytes = try Files.read(file)
                bytes[bytes.count - 1] ^= 1
                try Files.replace(file, with: bytes)
            }
        ),
        (
            "bytes, the manifest says",
            {
                let file = $0.appending("model.safetensors")
                try Files.replace(file, with: try Files.read(file) + [0])
            }
        ),
        ("extra.bin: does not belong", { try Files.replace($0.appending("extra.bin"), with: [1]) }),
        (
            "unexpected file 'extra.bin'",
            {
                try Files.replace($0.appending("extra.bin"), with: [1])
                try Sample.reseal($0)
            }
        ),
        (
            "model.safetensors: is a symbolic link",
            {
                let file = $0.appending("model.safetensors")
                try Files.rename(file, to: $0.appending("training"))
                _ = symlink("training", file.string)
            }
        ),
        (
            "golden.safetensors: is not a regular file",
            {
                try Files.unlink($0.appending("golden.safetensors"))
                _ = mkfifo($0.appending("golden.safetensors").string, 0o600)
            }
        ),
        ("schema", { try Files.replace($0.appending("manifest.json"), with: Array("{}".utf8)) }),
        (
            "does not name golden.safetensors",
            {
                try Files.unlink($0.appending("golden.safetensors"))
                try Sample.reseal($0)
            }
        ),
        (
            "model.safetensors: is missing, classifier-net needs it",
            {
                try Files.unlink($0.appending("model.safetensors"))
                try Sample.reseal($0)
            }
        ),
        (
            "NaN",
            {
                let file = $0.appending("model.safetensors")
                var bytes = try Files.read(file)
                bytes.replaceSubrange(bytes.count - 2..<bytes.count, with: [0, 0x7C])
                try Files.replace(file, with: bytes)
                try Sample.reseal($0)
            }
        ),
        (
            "tensor 'ids' is I64",
            {
                var writer = SafetensorsWriter()
                writer.add("ids", shape: [1], integers: [1])
                try Files.replace($0.appending("model.safetensors"), with: writer.encode())
                try Sample.reseal($0)
            }
        ),
        (
            "scores for 4 classes",
            {
                try Files.replace($0.appending("golden.safetensors"), with: try Sample.golden(classes: 4).encode())
                try Sample.reseal($0)
            }
        ),
        (
            "images of 6×4",
            {
                try Files.replace($0.appending("golden.safetensors"), with: try Sample.golden(width: 6).encode())
                try Sample.reseal($0)
            }
        ),
        (
            "not probabilities",
            {
                var writer = SafetensorsWriter()
                writer.metadata = ["tolerance": "0.001"]
                writer.add("input", shape: [1, 4, 5, 3], bytes: [UInt8](repeating: 0, count: 60))
                try writer.add("scores", shape: [1, 3], floats: [0.5, 0.5, 0.5])
                try Files.replace($0.appending("golden.safetensors"), with: writer.encode())
                try Sample.reseal($0)
            }
        ),
        (
            "config.json: colour: unknown key",
            {
                let file = $0.appending("config.json")
                let text = String(decoding: try Files.read(file), as: UTF8.self)
                try Files.replace(file, with: text.replacing("\"chain\"", with: "\"colour\": 1, \"chain\"").utf8)
                try Sample.reseal($0)
            }
        ),
    ]

    @Test(arguments: damages.indices)
    func refuses(_ index: Int) throws {
        let (expected, damage) = Self.damages[index]
        let scratch = try Scratch()
        try Sample.write(scratch.path)
        try damage(scratch.path)
        let message = refusal { _ = try ModelFolder.verify(scratch.path) }
        #expect(message.hasPrefix("damaged: ") && message.contains(expected), "expected \(expected), got \(message)")
    }

    @Test func capsTheSizeOfAFile() throws {
        let scratch = try Scratch()
        let file = try scratch.write("x", [1, 2, 3])
        #expect(try ModelFolder.read(file, limit: 3) == [1, 2, 3])
        #expect(refusal { _ = try ModelFolder.read(file, limit: 2) }.contains("larger than 2 bytes"))
    }

    @Test func goldenScoresToleratesALittle() throws {
        let golden = try Sample.golden()
        var scores = golden.scores
        #expect(golden.accepts(scores))
        scores[1] += 0.0005
        #expect(golden.accepts(scores))
        scores[1] += 0.001
        #expect(!golden.accepts(scores))
        scores[1] = .nan
        #expect(!golden.accepts(scores))
        #expect(!golden.accepts(Array(golden.scores.dropLast())))
    }

    @Test func activeModelIsReplacedWhole() throws {
        let scratch = try Scratch()
        let path = scratch.path.appending("active.json")
        #expect(try ActiveModel.read(path) == nil)
        let entry = ActiveModel.Entry(try ModelIdentifier(name: "a", version: "1"), sha256: "00")
        let active = ActiveModel(active: entry, previous: nil)
        try active.write(path)
        #expect(try ActiveModel.read(path) == active)
        let next = ActiveModel(
            active: .init(try ModelIdentifier(name: "b", version: "2"), sha256: "11"), previous: entry, since: "then")
        try next.write(path)
        #expect(try ActiveModel.read(path) == next)
        #expect(try Files.list(scratch.path).count == 1)
        _ = try scratch.write("active.json", Array(#"{"schema":"fovea.active/1"}"#.utf8))
        #expect(refusal { _ = try ActiveModel.read(path) }.contains("active: missing"))
    }
}
