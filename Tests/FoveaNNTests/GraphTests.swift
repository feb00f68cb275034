import FoveaNN
import FoveaSystem
import Testing

@Suite struct GraphTests {
    /// The graph of each architecture, in both modes of the answer, owns what the network owns, and hangs together.
    @Test(arguments: Architectures.names, [nil, [0, 0, 1, 1, 1]])
    func graphsAreWhole(_ architecture: String, _ superclassOf: [Int]?) throws {
        let definition = NetworkDefinition(architecture: architecture, classes: 5, superclassOf: superclassOf)
        let nodes = try definition.graph()
        #expect(Set(nodes.map(\.name)).count == nodes.count, "names are unique")
        var known: Set<String> = []
        for node in nodes {
            #expect(Set(node.inputs).isSubset(of: known), "\(node.name) takes what comes before it")
            known.insert(node.name)
        }
        let used = Set(nodes.flatMap(\.inputs))
        #expect(nodes.filter { !used.contains($0.name) }.map(\.name) == ["probabilities"], "nothing dangles")
        #expect(nodes.first?.operation == "Placeholder" && nodes.first?.output == definition.input)
        #expect(nodes.last?.output == Shape(height: 1, width: 1, channels: 5))
        #expect(nodes.contains { $0.operation == "HierarchicalLogSoftmax" } == (superclassOf != nil))

        // No memory is needed to know the tensors' names.
        let tensors = nodes.flatMap(\.tensors)
        #expect(Set(tensors.map(\.name)).count == tensors.count)
        #expect(nodes.reduce(0) { $0 + $1.parameters } > 0)
    }

    @Test func aResidualBranchForksAndJoins() throws {
        let definition = NetworkDefinition(
            architecture: "resnet9", input: Shape(height: 32, width: 32, channels: 3), classes: 4,
            settings: .object(["channels": .array([.int(4), .int(8), .int(16), .int(16)])]))
        let nodes = try definition.graph()
        let sum = try #require(nodes.first { $0.name == "layer1/residual/sum" })
        #expect(sum.operation == "Add" && sum.inputs == ["layer1/residual/b/norm_relu", "layer1/pool"])
        #expect(nodes.first { $0.name == "layer1/residual/a/conv" }?.inputs == ["layer1/pool"])
        let network = try Network(definition, maxBatch: 1, mode: .training, threads: 1)
        #expect(nodes.flatMap(\.tensors) == network.tensors)
        #expect(nodes.reduce(0) { $0 + $1.parameters } == network.parameterCount)
    }
}
