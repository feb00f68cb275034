import FoundationEssentials
import FoveaNN
import FoveaSystem
import Glibc
import Testing

@Suite struct NetworkTests {
    /// Holds a small network against its golden values, loss, gradients, steps, running statistics and probabilities, and
    /// the same weights as they serve, where batch norm and activation are part of the convolution.
    ///
    /// - Parameters:
    ///   - tolerances: of the weights and statistics after the steps, and of the probabilities.
    ///   - step: one step of the optimizer; counts from 0.
    private func compare(
        _ architecture: String, settings: [String: JSONValue], side: Int, steps: Int, smoothing: Float, threads: Int,
        tolerances: (values: Float, probabilities: Float), step: (Network, JSONValue) -> (Int) -> Void
    ) throws {
        let g = try golden(architecture)
        let definition = NetworkDefinition(
            architecture: architecture, input: Shape(height: side, width: side, channels: 3), classes: 5,
            settings: .object(settings))
        let (x, targets) = (g.floats("x"), g.floats("labels").map { Target(Int32($0)) })
        let count = targets.count
        let network = try Network(definition, maxBatch: count, mode: .training, threads: threads)
        let start = g["start"]!.members
        #expect(Set(start.keys) == Set(network.tensors.filter { $0.kind == .parameter }.map(\.name)))
        for (name, values) in start { try network.write(name, values.floats) }
        if g["stem"] != nil { try network.write("stem.conv.weight", g.floats("stem")) }
        let apply = step(network, g)
        for step in 0..<steps {
            let (loss, _) = network.forwardBackward(
                x, targets: targets, count: count, loss: Loss(smoothing: smoothing), step: step, seed: 1)
            #expect(abs(Float(loss) - g.floats("losses")[step]) < 1e-4)
            if step == 0 {
                for (name, values) in g["gradients"]!.members {
                    #expect(distance(network.readGradient(name), values.floats) < 1e-4, "\(name)")
                }
            }
            apply(step)
        }
        for part in ["end", "buffers"] {
            for (name, values) in g[part]!.members {
                #expect(distance(network.read(name), values.floats) < tolerances.values, "\(name)")
            }
        }
        let serving = try Network(definition, maxBatch: count, mode: .inference, threads: 1)
        #expect(serving.tensors == network.tensors)
        for tensor in network.tensors { try serving.write(tensor.name, network.read(tensor.name)) }
        for each in [network, serving] {
            var probabilities = [Float](repeating: 0, count: count * 5)
            each.predict(x, count: count, probabilities: &probabilities)
            #expect(distance(probabilities, g.floats("probabilities")) < tolerances.probabilities)
        }
    }

    /// With clipped AdamW.
    @Test(arguments: [1, 2]) func vanillaAgreesWithPyTorch(threads: Int) throws {
        try compare(
            "vanilla",
            settings: [
                "channels": .array([.int(4), .int(6)]), "kernels": .array([.int(5), .int(3)]),
                "hidden": .array([.int(10)]), "keep": .int(1), "dropBlock": .object(["keep": .int(1)]),
            ], side: 8, steps: 3, smoothing: 0.1, threads: threads, tolerances: (2e-3, 5e-3)
        ) { network, g in
            let adam = Adam(network, weightDecay: 0.05, clip: 0.5)
            return { step in
                #expect(abs(Float(adam.norm()) - g.floats("norms")[step]) < 1e-3)
                adam.apply(learningRate: 0.01 * Double(step + 1))
            }
        }
    }

    /// The seed's other networks, Page's, and those for photographs, with SGD.
    @Test(arguments: ["depthwise", "resnet", "resnet9", "resnet18", "efficientnet-lite0"]) func agreesWithPyTorch(
        _ name: String
    ) throws {
        let narrow = JSONValue.array([.int(4), .int(6)])
        let settings: [String: [String: JSONValue]] = [
            "depthwise": [
                "channels": narrow, "kernels": .array([.int(5), .int(3)]), "hidden": .array([.int(10)]),
                "keep": .int(1), "dropBlock": .object(["keep": .int(1)]),
            ],
            "resnet": [
                "channels": narrow, "hidden": .array([.int(10)]), "keep": .int(1),
                "dropBlock": .object(["keep": .int(1), "fall": .int(0)]),
            ],
            "resnet9": ["channels": .array([.int(4), .int(5), .int(6), .int(7)])],
            "resnet18": ["stem": .int(4), "channels": narrow, "blocks": .array([.int(1), .int(2)])],
            "efficientnet-lite0": [
                "stem": .int(4), "head": .int(12), "channels": .array([.int(4), .int(6), .int(8)]),
                "blocks": .array([.int(1), .int(2), .int(1)]), "kernels": .array([.int(3), .int(5), .int(3)]),
                "strides": .array([.int(1), .int(2), .int(2)]), "expansions": .array([.int(1), .int(2), .int(3)]),
                "keep": .int(1),
            ],
        ]
        try compare(
            name, settings: settings[name]!,
            side: ["depthwise": 8, "resnet": 7, "resnet9": 32, "resnet18": 18, "efficientnet-lite0": 18][name]!,
            steps: 2,
            smoothing: 0.1, threads: 2, tolerances: (2e-4, 1e-3)
        ) { network, _ in
            let sgd = SGD(network, learningRate: 0.02, momentum: 0.9, weightDecay: 0.01)
            return { _ in sgd.apply(factor: 1) }
        }
    }

    /// With Muon.
    @Test(arguments: [1, 2]) func foveaNetAgreesWithPyTorch(threads: Int) throws {
        try compare(
            "foveanet",
            settings: [
                "stem": .int(8), "widths": .array([.int(6), .int(10)]), "middles": .array([.int(4), .int(8)]),
                "kernels": .array([.int(3), .int(2)]), "scale": .number(0.5),
                "pairs": .array([.array([.int(1), .int(3)]), .array([.int(3), .int(3)])]),
            ], side: 10, steps: 2, smoothing: 0.25, threads: threads, tolerances: (2e-3, 2e-3)
        ) { network, _ in
            let muon = Muon(
                network, learningRate: 0.02, momentum: 0.6,
                rest: .nesterov(learningRate: 0.1, momentum: 0.9, weightDecay: 0.01))
            return { _ in muon.apply(factor: 1) }
        }
    }

    /// Millions of multiplications for an image of the seed's networks, and of Page's.
    @Test(arguments: [("vanilla", 108), ("depthwise", 25), ("resnet", 2076), ("resnet9", 379)])
    func networksHaveTheSizeTheyAreKnownBy(_ name: String, _ millions: Int) throws {
        let definition = NetworkDefinition(architecture: name, classes: 100)
        let network = try Network(definition, maxBatch: 1, mode: .inference, threads: 1)
        #expect(abs(network.multiplications / 1_000_000 - millions) <= 1, "\(network.multiplications)")
    }

    /// With ImageNet's thousand classes: parameters as torchvision and the authors of EfficientNet-Lite count them.
    @Test(arguments: [
        ("resnet18", 224, 11_689_512, 512), ("efficientnet-lite0", 224, 4_652_008, 1280),
        ("efficientnet-lite1", 240, 5_416_680, 1280), ("efficientnet-lite2", 260, 6_092_072, 1280),
    ])
    func networksForPhotographsAreThoseOfTheirPapers(
        _ name: String, _ side: Int, _ parameters: Int, _ features: Int
    ) throws {
        let definition = NetworkDefinition(
            architecture: name, input: Shape(height: side, width: side, channels: 3), classes: 1000)
        let network = try Network(definition, maxBatch: 1, mode: .inference, threads: 1)
        #expect(network.parameterCount == parameters)
        #expect(network.head == "head.linear" && network.featureCount == features)
        if let lite = EfficientNetLite(rawValue: name) { #expect(lite.side == side) }
    }

    @Test func aDefinitionIsKeptWithAllItsSettings() throws {
        let network = try Network(smallVanilla(keep: 0.75), maxBatch: 1, mode: .inference, threads: 1)
        guard case .object(let settings) = network.definition.settings else {
            Issue.record("no settings")
            return
        }
        #expect(
            settings.keys.sorted() == [
                "activation", "bnEpsilon", "bnMomentum", "channels", "dropBlock", "hidden", "keep", "kernels",
                "width",
            ])
        #expect(settings["keep"]?.double == 0.75 && settings["bnMomentum"]?.double == 0.997)
        #expect(try Architectures.resolved(network.definition) == network.definition)
    }

    @Test(arguments: Architectures.names) func widthIsAFactorOfAllWidths(_ architecture: String) throws {
        func parameters(_ width: Double) throws -> Int {
            let settings = smallSettings[architecture]!.merging(["width": .number(width)]) { $1 }
            return try Network(
                NetworkDefinition(architecture: architecture, classes: 10, settings: .object(settings)), maxBatch: 1,
                mode: .inference, threads: 1
            ).parameterCount
        }
        let (half, whole, double) = (try parameters(0.5), try parameters(1), try parameters(2))
        #expect(half < whole && double > 2 * whole && double < 4 * whole)
        #expect(throws: ShapeError.self) { try parameters(0) }
    }

    @Test(arguments: [0, -64, Int.max], [1.0, 0.5, 1000]) func numbersOfChannelsAreChecked(
        _ channels: Int, _ width: Double
    ) {
        let settings: [String: [String: JSONValue]] = [
            "vanilla": ["channels": .array([.int(channels), .int(6)])],
            "depthwise": ["hidden": .array([.int(channels)])],
            "resnet": ["hidden": .array([.int(channels)])],
            "resnet9": ["channels": .array([.int(4), .int(channels), .int(4), .int(4)])],
            "foveanet": ["middles": .array([.int(4), .int(channels), .int(4)])],
            "resnet18": ["channels": .array([.int(4), .int(channels)])],
            "efficientnet-lite0": ["channels": .array([.int(8), .int(channels), .int(8)])],
        ]
        for (architecture, own) in settings {
            let all = smallSettings[architecture]!.merging(own) { $1 }.merging(["width": .number(width)]) { $1 }
            #expect(throws: (any Error).self, "\(architecture)") {
                try Network(
                    NetworkDefinition(architecture: architecture, classes: 10, settings: .object(all)), maxBatch: 1,
                    mode: .inference, threads: 1)
            }
        }
    }

    @Test(arguments: [(-3.0, 1e-5), (2, 1e-5), (0.9, 0), (0.9, -1)])
    func batchNormsSettingsAreChecked(_ momentum: Double, _ epsilon: Double) {
        for architecture in Architectures.names {
            let settings = smallSettings[architecture]!.merging([
                "bnMomentum": .number(momentum), "bnEpsilon": .number(epsilon),
            ]) { $1 }
            let error = #expect(throws: ShapeError.self) {
                try Network(
                    NetworkDefinition(architecture: architecture, classes: 10, settings: .object(settings)),
                    maxBatch: 1, mode: .training, threads: 1)
            }
            #expect(error?.description.contains("batch norm") == true)
        }
    }

    @Test(arguments: [
        ("hidden", JSONValue.int(512), "hidden cannot be 512, it must be a list"),
        ("keep", .string("x"), "keep cannot be \"x\", it must be a number"),
        ("channels", .array([.string("a")]), "channels cannot be \"a\", it must be a whole number"),
        ("colour", .int(1), "has no setting 'colour'"),
        ("activation", .string("swish"), "activation cannot be \"swish\", it must be one of relu, silu, gelu"),
        ("activation", .int(5), "activation cannot be 5, it must be a word"),
        ("dropBlock", .object(["size": .int(1)]), "has no setting 'dropBlock.size'"),
    ])
    func aWrongSettingIsNamed(_ name: String, _ value: JSONValue, _ words: String) {
        let definition = NetworkDefinition(architecture: "vanilla", classes: 4, settings: .object([name: value]))
        let error = #expect(throws: NetworkDefinitionError.self) {
            try Network(definition, maxBatch: 1, mode: .inference, threads: 1)
        }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }

    /// As a file from elsewhere may have them.
    @Test(arguments: [[-2, -2, 0, 1], [0, 1, 2, .max], [0, 1_000_000_000, 1, 2], [0, 0, 2, 2], [0, 1]])
    func superclassesThatAreNoneAreRefused(_ superclassOf: [Int]) {
        var definition = smallVanilla()
        definition.superclassOf = superclassOf
        let error = #expect(throws: ShapeError.self) {
            try Network(definition, maxBatch: 1, mode: .inference, threads: 1)
        }
        #expect(error?.description.contains("numbered from 0 without gaps") == true)
    }

    @Test func whatNoMachineHoldsIsRefusedBeforeItIsAllocated() {
        func definition(_ name: String, _ value: JSONValue) -> NetworkDefinition {
            NetworkDefinition(architecture: "vanilla", classes: 4, settings: .object([name: value]))
        }
        for (name, value) in [
            ("hidden", JSONValue.array([.int(1 << 20), .int(1 << 20)])), ("hidden", .array([.int(1 << 62)])),
            ("kernels", .array([.int((1 << 40) + 1), .int(3), .int(3), .int(3)])),
        ] {
            #expect(throws: ShapeError.self) {
                try Network(definition(name, value), maxBatch: 1, mode: .inference, threads: 1)
            }
        }
        let error = #expect(throws: NetworkDefinitionError.self) {
            try Network(
                NetworkDefinition(architecture: "vanilla", classes: 4), maxBatch: 1 << 24, mode: .training, threads: 1)
        }
        #expect(error?.description.contains("the machine has") == true)
    }

    /// Both ways of convolution, residual pairs, and layers as wide as nothing divides them.
    static let forServing = [
        NetworkDefinition(
            architecture: "vanilla", classes: 10,
            settings: .object([
                "channels": .array([.int(16), .int(32), .int(48), .int(64)]),
                "hidden": .array([.int(128), .int(65)]),
            ])),
        NetworkDefinition(
            architecture: "foveanet", classes: 10,
            settings: .object([
                "widths": .array([.int(17), .int(32), .int(40)]), "middles": .array([.int(16), .int(20), .int(24)]),
            ])),
        NetworkDefinition(
            architecture: "depthwise", classes: 10,
            settings: .object([
                "channels": .array([.int(16), .int(20), .int(33), .int(40)]), "hidden": .array([.int(40)]),
            ])),
        NetworkDefinition(
            architecture: "resnet", classes: 10,
            settings: .object([
                "channels": .array([.int(16), .int(20), .int(33), .int(40)]), "hidden": .array([.int(40)]),
            ]), superclassOf: [0, 0, 1, 1, 1, 2, 2, 3, 3, 3]),
        NetworkDefinition(
            architecture: "resnet9", classes: 10,
            settings: .object(["channels": .array([.int(16), .int(20), .int(33), .int(40)])])),
        // So many filters in maps of one tile that an image alone goes another way: `ck_wino_single`.
        NetworkDefinition(
            architecture: "foveanet", classes: 10,
            settings: .object([
                "widths": .array([.int(16), .int(24), .int(130)]), "middles": .array([.int(16), .int(20), .int(100)]),
            ])),
        NetworkDefinition(
            architecture: "resnet9", classes: 10,
            settings: .object(["channels": .array([.int(8), .int(16), .int(20), .int(100)])])),
        // Stride 2, shortcuts, depthwise filters with what follows them, channels that nothing divides.
        NetworkDefinition(
            architecture: "resnet18", classes: 10,
            settings: .object([
                "stem": .int(17), "channels": .array([.int(17), .int(24), .int(40)]),
                "blocks": .array([.int(2), .int(1), .int(2)]),
            ])),
        NetworkDefinition(
            architecture: "efficientnet-lite0", classes: 10,
            settings: .object([
                "stem": .int(12), "head": .int(70), "channels": .array([.int(9), .int(16), .int(20), .int(33)]),
                "blocks": .array([.int(1), .int(2), .int(2), .int(1)]),
                "kernels": .array([.int(3), .int(3), .int(5), .int(5)]),
                "strides": .array([.int(1), .int(2), .int(2), .int(1)]),
                "expansions": .array([.int(1), .int(3), .int(4), .int(6)]),
            ])),
    ]

    /// The invariant of serving: an image's scores have the same bits in any batch, at any place.
    @Test(arguments: forServing, [1, 2])
    func scoresDoNotDependOnTheBatch(_ definition: NetworkDefinition, threads: Int) throws {
        let network = try Network(definition, maxBatch: 32, mode: .inference, threads: threads)
        network.initialize(seed: 3)
        // Running statistics that are not those of the start.
        for tensor in network.tensors where tensor.kind == .buffer && tensor.shape.count == 1 {
            let noise = random(tensor.count, seed: 6, scale: 0.1)
            try network.write(tensor.name, noise.map { tensor.name.hasSuffix("mean") ? $0 : 1 + $0 })
        }
        if let stem = network.tensors.first(where: { $0.name == "stem.conv.weight" }) {
            try network.write(stem.name, random(stem.count, seed: 4))
        }
        let size = 3072
        let images = random(40 * size, seed: 8)
        var alone = [Float](repeating: 0, count: 400)
        for n in 0..<40 {
            images.withUnsafeBufferPointer { x in
                alone.withUnsafeMutableBufferPointer {
                    network.predict(x.baseAddress! + n * size, count: 1, probabilities: $0.baseAddress! + n * 10)
                }
            }
        }
        #expect(Set(alone.map(\.bitPattern)).count > 300, "the scores say something")
        var batch = [Float](repeating: 0, count: 400)
        for count in 1...40 {
            // Rotated, so that each image visits each place.
            let order = (0..<count).map { ($0 + count * 7) % 40 }
            let shuffled = order.flatMap { images[($0 * size)..<(($0 + 1) * size)] }
            network.predict(shuffled, count: count, probabilities: &batch)
            for (place, image) in order.enumerated() {
                #expect(
                    batch[(place * 10)..<(place * 10 + 10)].elementsEqual(alone[(image * 10)..<(image * 10 + 10)]),
                    "image \(image) at place \(place) of \(count)")
            }
        }
        // One image, every place of a full batch.
        for place in 0..<40 {
            var moved = images
            moved.replaceSubrange((place * size)..<((place + 1) * size), with: images[0..<size])
            network.predict(moved, count: 40, probabilities: &batch)
            #expect(batch[(place * 10)..<(place * 10 + 10)].elementsEqual(alone[0..<10]), "place \(place)")
        }
    }

    /// Features times the head's matrix are the logits, whatever the batch.
    @Test(arguments: Architectures.names) func featuresEnterTheHead(_ architecture: String) throws {
        let definition = NetworkDefinition(
            architecture: architecture, classes: 4, settings: .object(smallSettings[architecture]!))
        let network = try Network(definition, maxBatch: 5, mode: .inference, threads: 2)
        network.initialize(seed: 3)
        for tensor in network.tensors where tensor.kind == .buffer && tensor.shape.count == 4 {
            try network.write(tensor.name, random(tensor.count, seed: 4))
        }
        let head = try #require(network.head)
        let (count, size) = (7, network.featureCount)
        let matrix = network.read("\(head).weight")
        #expect(matrix.count == size * 4)
        let images = random(count * 3072, seed: 8)
        var features = [Float](repeating: .nan, count: count * size)
        network.features(images, count: count, into: &features)
        #expect(Set(features.map(\.bitPattern)).count > 4, "they say something")
        var alone = [Float](repeating: .nan, count: size)
        for n in 0..<count {
            network.features(Array(images[n * 3072..<(n + 1) * 3072]), count: 1, into: &alone)
            #expect(alone.elementsEqual(features[n * size..<(n + 1) * size]), "image \(n)")
        }
        // What comes after the head: its bias; foveanet's factor; the seed's batch norm as it begins.
        let factor: Float = architecture == "foveanet" ? 1.25 / 9 : 1
        let bias = network.tensors.contains { $0.name == "\(head).bias" } ? network.read("\(head).bias") : [0, 0, 0, 0]
        var expected: [Float] = []
        for n in 0..<count {
            var logits = bias
            for (i, feature) in features[n * size..<(n + 1) * size].enumerated() {
                for c in 0..<4 { logits[c] += feature * matrix[i * 4 + c] * factor }
            }
            let powers = logits.map { exp($0 - logits.max()!) }
            expected += powers.map { $0 / powers.reduce(0, +) }
        }
        var probabilities = [Float](repeating: 0, count: count * 4)
        network.predict(images, count: count, probabilities: &probabilities)
        #expect(distance(probabilities, expected) < 1e-4)
    }

    @Test func tensorsAreReadAndWritten() throws {
        let network = try Network(smallVanilla(), maxBatch: 1, mode: .inference, threads: 1)
        let copy = try Network(smallVanilla(), maxBatch: 1, mode: .inference, threads: 1)
        network.initialize(seed: 4)
        #expect(network.parameterCount == network.tensors.filter { $0.kind == .parameter }.reduce(0) { $0 + $1.count })
        #expect(network.bytes > network.parameterCount * 4)
        for tensor in network.tensors { try copy.write(tensor.name, network.read(tensor.name)) }
        let x = random(192)
        var (a, b) = ([Float](repeating: 0, count: 4), [Float](repeating: 1, count: 4))
        network.predict(x, count: 1, probabilities: &a)
        copy.predict(x, count: 1, probabilities: &b)
        #expect(a == b)
        #expect(abs(a.reduce(0, +) - 1) < 1e-5)
        #expect(throws: ShapeError.self) { try network.write("logits.linear.weight", [1]) }
        #expect(throws: ShapeError.self) { try network.write("nobody", [1]) }
        let limit = (6 / Float(9 * 3 + 9 * 8)).squareRoot()
        let filters = network.read("block1.conv.weight")
        #expect(filters.allSatisfy { abs($0) <= limit } && filters.contains { abs($0) > 0.9 * limit })
    }

    @Test func definitionsAreStrict() throws {
        func decode(_ text: String) throws -> NetworkDefinition {
            try JSONDecoder().decode(NetworkDefinition.self, from: Data(text.utf8))
        }
        let good = try decode(
            #"{"architecture":"vanilla","input":{"height":32,"width":32,"channels":3},"classes":100,"settings":{"hidden":[8]}}"#
        )
        let again = try JSONDecoder().decode(NetworkDefinition.self, from: JSONEncoder().encode(good))
        #expect(again == good)
        #expect(try Network(good, maxBatch: 1, mode: .inference, threads: 1).tensors.count == 44)
        #expect(throws: NetworkDefinitionError.self) {
            try decode(#"{"architecture":"vanilla","input":{"height":1,"width":1,"channels":3},"classes":1,"x":1}"#)
        }
        for settings: JSONValue in [
            .object(["colour": .int(1)]), .object(["dropBlock": .object(["size": .int(2)])]), .int(3),
        ] {
            let wrong = NetworkDefinition(architecture: "vanilla", classes: 10, settings: settings)
            #expect(throws: NetworkDefinitionError.self) {
                try Network(wrong, maxBatch: 1, mode: .inference, threads: 1)
            }
        }
        #expect(throws: NetworkDefinitionError.self) {
            try Network(
                NetworkDefinition(architecture: "nobody", classes: 10), maxBatch: 1, mode: .inference, threads: 1)
        }
    }

    /// As it begins, foveanet's convolutions hand on what they are given, in the first channels where they have more of them.
    @Test func diracFiltersHandOnTheirInput() throws {
        let definition = NetworkDefinition(
            architecture: "foveanet", input: Shape(height: 32, width: 32, channels: 3), classes: 4)
        let network = try Network(definition, maxBatch: 1, mode: .training, threads: 1)
        network.initialize(seed: 2)
        var kernels: Set<Int> = []
        for tensor in network.tensors where tensor.name.hasSuffix(".conv.weight") && !tensor.name.hasPrefix("stem") {
            let (kernel, inputs, outputs) = (tensor.shape[0], tensor.shape[2], tensor.shape[3])
            kernels.insert(kernel)
            let layer = try LayerProbe(
                .convolution(channels: outputs, kernel: kernel), input: Shape(height: 7, width: 6, channels: inputs),
                maxBatch: 1)
            layer["weight"] = network.read(tensor.name)
            let x = random(7 * 6 * inputs)
            let y = layer.forward(x)
            let (rows, columns) = kernel % 2 == 1 ? (7, 6) : (8 - kernel, 7 - kernel)
            // An even kernel's centre is the later one of its middle two.
            let shift = kernel % 2 == 1 ? 0 : kernel / 2
            let kept = min(inputs, outputs)
            for row in 0..<rows {
                for column in 0..<columns {
                    let given = ((row + shift) * 6 + column + shift) * inputs
                    let got = (row * columns + column) * outputs
                    #expect(
                        distance(Array(y[got..<got + kept]), Array(x[given..<given + kept])) < 1e-4, "\(tensor.name)")
                }
            }
        }
        #expect(kernels == [1, 2, 3])
    }
}
