import FoveaNN
import FoveaSystem
import Testing

/// What the graphs are made of; that ONNX Runtime computes the same with them is for Tests/Interchange to show.
@Suite struct ONNXTests {
    private func network(
        _ architecture: String, _ settings: [String: JSONValue] = [:], superclassOf: [Int]? = nil
    ) throws -> Network {
        let network = try Network(
            NetworkDefinition(
                architecture: architecture, input: Shape(height: 32, width: 32, channels: 3), classes: 5,
                settings: .object(settings), superclassOf: superclassOf), maxBatch: 1, mode: .inference, threads: 1)
        network.initialize(seed: 1)
        return network
    }

    private func graph(_ network: Network, views: [AveragedNetwork.View] = [.init()]) -> ONNXGraph {
        var graph = ONNXGraph()
        let pixels = graph.pixels()
        network.describe(pixels, views: views, in: &graph)
        return graph
    }

    private func count(_ operation: String, _ graph: ONNXGraph) -> Int {
        graph.nodes.count { $0.operation == operation }
    }

    @Test(arguments: Architectures.names) func everyTensorIsInTheGraph(_ architecture: String) throws {
        let settings = try #require(
            smallSettings[architecture], "a new architecture needs a line here and in onnx_test.py")
        let network = try network(architecture, settings)
        let graph = graph(network)
        let constants = Dictionary(uniqueKeysWithValues: graph.constants.map { ($0.name, $0) })
        for tensor in network.tensors {
            guard case .floats(let values)? = constants[tensor.name]?.values else {
                Issue.record("\(tensor.name) is missing")
                continue
            }
            #expect(values.sorted() == network.read(tensor.name).sorted(), "\(tensor.name)")
        }
        #expect(graph.nodes.last?.name == "probabilities" && graph.nodes.last?.operation == "Softmax")
        #expect(graph.nodes.first?.inputs == ["images"])
        // Nothing is computed that nobody takes.
        let taken = Set(graph.nodes.flatMap(\.inputs))
        #expect(graph.nodes.dropLast().allSatisfy { taken.contains($0.name) })
        #expect(graph.constants.allSatisfy { taken.contains($0.name) })
    }

    @Test func operatorsAreThoseOfTheDrawing() throws {
        let vanilla = graph(try network("vanilla", try #require(smallSettings["vanilla"])))
        #expect(count("Conv", vanilla) == 2 && count("MaxPool", vanilla) == 2 && count("Gemm", vanilla) == 2)
        #expect(count("BatchNormalization", vanilla) == 6 && count("Relu", vanilla) == 3)
        let depthwise = graph(try network("depthwise", try #require(smallSettings["depthwise"])))
        #expect(count("Conv", depthwise) == 3)
        #expect(depthwise.nodes.contains { $0.attributes.contains { $0.name == "group" && $0.value == .integer(4) } })
        let resnet = graph(try network("resnet18", try #require(smallSettings["resnet18"])))
        #expect(count("Conv", resnet) == 8 && count("Add", resnet) == 3 && count("GlobalAveragePool", resnet) == 1)
        #expect(
            resnet.nodes.contains { $0.attributes.contains { $0.name == "strides" && $0.value == .integers([2, 2]) } })
        let lite = graph(try network("efficientnet-lite0", try #require(smallSettings["efficientnet-lite0"])))
        #expect(count("Conv", lite) == 13 && count("Clip", lite) == 9 && count("Add", lite) == 1)
        // TensorFlow's SAME: an even side has its zero after it.
        #expect(
            lite.nodes.contains { $0.attributes.contains { $0.name == "pads" && $0.value == .integers([0, 0, 1, 1]) } })
        let foveanet = graph(try network("foveanet", try #require(smallSettings["foveanet"])))
        #expect(
            count("Sigmoid", foveanet) == 10 && count("Add", foveanet) == 4 && count("GlobalMaxPool", foveanet) == 1)
    }

    @Test func viewsTemperatureAndSuperclassesAreInTheGraph() throws {
        let network = try network("resnet9", try #require(smallSettings["resnet9"]), superclassOf: [0, 1, 0, 0, 1])
        network.temperature = 2
        let graph = graph(network, views: try #require(AveragedNetwork.View.named("shift")))
        #expect(graph.nodes.first { $0.operation == "Concat" }?.inputs.count == 6)
        #expect(count("Div", graph) == 1 && count("LogSoftmax", graph) == 2 && count("Pad", graph) == 1)
        #expect(graph.nodes.last?.operation == "ReduceSum")
    }

    @Test func axesChangePlaces() {
        let values = (0..<24).map { Float($0) }
        #expect(transposed(values, [2, 3, 4], [0, 1, 2]) == values)
        let swapped = transposed(values, [2, 3, 4], [2, 0, 1])
        #expect(swapped[0..<6] == [0, 4, 8, 12, 16, 20] && swapped[6] == 1)
        #expect(transposed(swapped, [4, 2, 3], [1, 2, 0]) == values)
    }

    /// A filter whose sums may be added in any order is one convolution, another one is added weight by weight.
    @Test func onlyExactFiltersBecomeConvolutions() {
        #expect(ONNXGraph.isExact([0, -0.25, 0, -0.25, 2, -0.25, 0, -0.25, 0]))
        #expect(ONNXGraph.isExact([0]) && ONNXGraph.isExact([-3]))
        #expect(!ONNXGraph.isExact([0.1, 0.8, 0.1]))
        #expect(!ONNXGraph.isExact([0x1p-20, 1]))
        func filter(_ kernel: [Float]) -> ONNXGraph {
            var graph = ONNXGraph()
            let pixels = graph.pixels()
            _ = graph.filtered(
                pixels, kernel: kernel, side: 3, size: Shape(height: 4, width: 1, channels: 3), name: "filter")
            return graph
        }
        #expect(count("Conv", filter([0, 0, 0, 0, 1.5, 0, 0, 0, 0])) == 1)
        let sum = filter([0, 0.1, 0, 0.1, 0.6, 0.1, 0, 0.1, 0])
        #expect(count("Conv", sum) == 0 && count("Slice", sum) == 5 && count("Round", sum) == 1)
    }

    @Test func theFileSaysWhatItIs() throws {
        let network = try network("vanilla", try #require(smallSettings["vanilla"]))
        var model = ONNXModel(name: "tiny", input: network.input, classes: 5, graph: graph(network))
        model.metadata = ["labels": "[]", "sha256": "00"]
        let bytes = model.encode()
        // ir_version 10, then the producer.
        #expect(bytes.starts(with: [0x08, 10, 0x12, 5] + Array("fovea".utf8)))
        for text in ["images", "probabilities", "batch", "sha256", "block1.conv.weight", "BatchNormalization"] {
            #expect(bytes.contains(Array(text.utf8)), "\(text)")
        }
        #expect(bytes.count > model.graph.bytes && bytes.count < model.graph.bytes + 10_000)
    }
}
