import FoveaControl
import FoveaModels
import FoveaNN
import FoveaSystem
import FoveaTestKit
import FoveaTraining
import Testing

/// What a challenger begins with.
@Suite struct ChampionTests {
    private static let side = 16

    private struct Line {
        let old: Network
        let champion: Champion
        let folder: TemporaryFolder
    }

    /// A champion of four labels with fresh weights.
    private func line(_ architecture: String, _ settings: [String: JSONValue], superclassOf: [Int]? = nil) throws
        -> Line
    {
        let definition = NetworkDefinition(
            architecture: architecture, input: Shape(height: Self.side, width: Self.side, channels: 3), classes: 4,
            settings: .object(settings), superclassOf: superclassOf)
        let old = try Network(definition, maxBatch: 4, mode: .inference, threads: 1)
        old.initialize(seed: 3)
        var writer = SafetensorsWriter()
        for tensor in old.tensors {
            try writer.add(tensor.name, shape: tensor.shape, floats: old.read(tensor.name), as: .float32)
        }
        let model = ModelConfiguration(
            name: "sample", version: "1", description: "fresh", labels: ["a", "b", "c", "d"], superclasses: nil,
            superclassOf: nil, input: .init(height: Self.side, width: Self.side),
            chain: [StageConfiguration(plugin: "normalize"), StageConfiguration(plugin: "classifier-net")],
            network: try JSONValue(encoding: definition), weights: .init(dtype: .float32),
            training: Provenance(json: .object([:])), metrics: .object([:]))
        let folder = try TemporaryFolder()
        let store = ModelStore(bundled: nil, trained: folder.path)
        try store.add(
            configuration: model, weights: writer.encode(),
            golden: GoldenSet(
                count: 1, height: Self.side, width: Self.side, classes: 4,
                inputs: [UInt8](repeating: 7, count: Self.side * Self.side * 3), scores: [0.25, 0.25, 0.25, 0.25]))
        var configuration = Configuration()
        configuration.model = "sample"
        configuration.state = folder.path.appending("state")
        return Line(old: old, champion: try Champion(configuration, store), folder: folder)
    }

    private func images(_ count: Int) -> [Float] {
        var random = SplitMix64(seed: 9)
        return (0..<count * Self.side * Self.side * 3).map { _ in Float.random(in: -1...1, using: &random) }
    }

    private func probabilities(_ network: Network, _ images: [Float]) -> [Float] {
        var result = [Float](repeating: 0, count: 4 * network.classes)
        network.predict(images, count: 4, probabilities: &result)
        return result
    }

    /// One more label: all that was known is known still, bit for bit, and of the old labels the same is said.
    @Test(arguments: [
        ("vanilla", ["channels": "[8,8,8,8]", "hidden": "[16]", "keep": "1"]),
        ("foveanet", ["widths": "[16,16,16]", "middles": "[16,16,16]"]),
    ])
    func theHeadGrowsAndKeepsWhatItKnew(_ architecture: String, _ texts: [String: String]) throws {
        let settings = try texts.mapValues { try StrictJSON.parse(Array($0.utf8), depth: 3) }
        let line = try line(architecture, settings)
        let definition = try line.champion.definition(classes: 5, superclassOf: nil)
        let grown = try Network(definition, maxBatch: 4, mode: .inference, threads: 1)
        grown.initialize(seed: 4)
        let fresh = Dictionary(uniqueKeysWithValues: grown.tensors.map { ($0.name, grown.read($0.name)) })
        let tensors = try line.champion.tensors(for: grown)
        #expect(Set(tensors.keys) == Set(line.old.tensors.map(\.name)))
        var widened = 0
        for tensor in line.old.tensors {
            let (old, new) = (line.old.read(tensor.name), try #require(tensors[tensor.name]))
            if new.count == old.count {
                #expect(new == old, "\(tensor.name)")
                continue
            }
            widened += 1
            for row in 0..<old.count / 4 {
                #expect(Array(new[row * 5..<row * 5 + 4]) == Array(old[row * 4..<row * 4 + 4]), "\(tensor.name)")
                #expect(new[row * 5 + 4] == fresh[tensor.name]?[row * 5 + 4], "the new label's is the new network's")
            }
        }
        #expect(widened > 0)

        for (name, values) in tensors { try grown.write(name, values) }
        let x = images(4)
        let (before, after) = (probabilities(line.old, x), probabilities(grown, x))
        for image in 0..<4 {
            let old = Array(before[image * 4..<image * 4 + 4])
            let new = Array(after[image * 5..<image * 5 + 4])
            let sum = new.reduce(0, +)
            for label in 0..<4 { #expect(abs(new[label] / sum - old[label]) < 1e-5) }
        }
    }

    @Test func anotherNetworksWeightsAreRefused() throws {
        let settings = ["channels": JSONValue.array([8, 8, 8, 8].map(JSONValue.int)), "hidden": .array([.int(16)])]
        let line = try line("vanilla", settings)
        var definition = try line.champion.definition(classes: 5, superclassOf: nil)
        definition.settings = .object([
            "channels": .array([8, 8, 8, 12].map(JSONValue.int)), "hidden": .array([.int(16)]),
        ])
        let other = try Network(definition, maxBatch: 1, mode: .inference, threads: 1)
        #expect(throws: (any Error).self) { try line.champion.tensors(for: other) }
    }
}
