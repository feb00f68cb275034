import FoveaNN
import Glibc
import Testing

/// The laws of a layer: golden values, and backward is the derivative of forward.
@Suite struct LayerTests {
    @Test func convolutionAgreesWithPyTorch() throws {
        for method in ConvolutionMethod.allCases {
            for threads in [1, 2] { try compareConvolution("convolution", kernel: 3, method, threads: threads) }
        }
    }

    @Test func evenKernelsAgreeWithPyTorch() throws {
        for method in [ConvolutionMethod.naive, .matrix] {
            try compareConvolution("convolution2", kernel: 2, method, threads: 1)
        }
    }

    /// Four channels with bias, of images of 5×6×3.
    private func compareConvolution(
        _ name: String, kernel: Int, _ method: ConvolutionMethod, threads: Int
    ) throws {
        let g = try golden(name)
        let layer = try LayerProbe(
            .convolution(channels: 4, kernel: kernel, bias: true, method: method),
            input: Shape(height: 5, width: 6, channels: 3), maxBatch: 2, threads: threads)
        layer["weight"] = g.floats("weight")
        layer["bias"] = g.floats("bias")
        #expect(distance(layer.forward(g.floats("x")), g.floats("y")) < 1e-5)
        let gradients = layer.backward(g.floats("dy"))
        #expect(distance(gradients.input, g.floats("dx")) < 1e-5)
        #expect(distance(gradients.parameters["weight"]!, g.floats("dweight")) < 1e-5)
        #expect(distance(gradients.parameters["bias"]!, g.floats("dbias")) < 1e-5)
    }

    @Test func batchNormAgreesWithPyTorch() throws {
        let g = try golden("batchnorm")
        for threads in [1, 2] {
            let layer = try LayerProbe(
                .batchNorm(), input: Shape(height: 4, width: 2, channels: 5), maxBatch: 3, threads: threads)
            for name in layer.names { layer[name] = g.floats(name) }
            #expect(distance(layer.forward(g.floats("x"), training: false), g.floats("inference")) < 1e-5)
            #expect(distance(layer.forward(g.floats("x")), g.floats("y")) < 1e-5)
            #expect(distance(layer["mean"], g.floats("newMean")) < 1e-5)
            #expect(distance(layer["variance"], g.floats("newVariance")) < 1e-5)
            let gradients = layer.backward(g.floats("dy"))
            #expect(distance(gradients.input, g.floats("dx")) < 1e-5)
            #expect(distance(gradients.parameters["scale"]!, g.floats("dscale")) < 1e-5)
            #expect(distance(gradients.parameters["shift"]!, g.floats("dshift")) < 1e-5)
        }
    }

    @Test func maxPoolAgreesWithPyTorch() throws {
        let g = try golden("maxpool")
        let layer = try LayerProbe(.maxPool(), input: Shape(height: 4, width: 6, channels: 3), maxBatch: 2)
        #expect(layer.forward(g.floats("x")) == g.floats("y"))
        #expect(layer.backward(g.floats("dy")).input == g.floats("dx"))
    }

    /// Names of `Golden/strided.json` and what they are.
    static let strided: [(String, LayerProbe.Kind)] = [
        ("same", .convolution(channels: 4, kernel: 3, stride: 2)),
        ("same5", .convolution(channels: 4, kernel: 5, stride: 2)),
        ("symmetric", .convolution(channels: 4, kernel: 3, stride: 2, padding: .symmetric)),
        ("symmetric7", .convolution(channels: 4, kernel: 7, stride: 2, padding: .symmetric)),
        ("depthwise", .depthwise(kernel: 3, stride: 2)), ("depthwise5", .depthwise(kernel: 5, stride: 2)),
        ("depthwiseSymmetric", .depthwise(kernel: 3, stride: 2, padding: .symmetric)),
    ]

    @Test(arguments: strided.indices, [1, 2]) func stridesAgreeWithPyTorch(_ index: Int, threads: Int) throws {
        let (name, kind) = Self.strided[index]
        let g = try #require(golden("strided")[name])
        let layer = try LayerProbe(
            kind, input: Shape(height: 6, width: 7, channels: 3), maxBatch: 2, threads: threads)
        layer["weight"] = g.floats("weight")
        #expect(distance(layer.forward(g.floats("x")), g.floats("y")) < 1e-5)
        let gradients = layer.backward(g.floats("dy"))
        #expect(distance(gradients.input, g.floats("dx")) < 1e-5)
        #expect(distance(gradients.parameters["weight"]!, g.floats("dweight")) < 1e-5)
    }

    @Test func poolsAgreeWithPyTorch() throws {
        let kinds: [(String, LayerProbe.Kind)] = [
            ("maximum", .maxPool(window: 3, padding: .symmetric)), ("mean", .averagePool(window: 3, stride: 2)),
            ("global", .averagePool()),
        ]
        for (name, kind) in kinds {
            let g = try #require(golden("pools")[name])
            let layer = try LayerProbe(kind, input: Shape(height: 6, width: 7, channels: 3), maxBatch: 2)
            #expect(distance(layer.forward(g.floats("x")), g.floats("y")) < 1e-6, "\(name)")
            #expect(distance(layer.backward(g.floats("dy")).input, g.floats("dx")) < 1e-6, "\(name)")
        }
    }

    /// With the statistics frozen, training computes as inference does, and changes neither of them.
    @Test(arguments: [1, 2]) func frozenBatchNormAgreesWithPyTorch(threads: Int) throws {
        let g = try golden("frozennorm")
        let layer = try LayerProbe(
            .batchNorm(activation: .relu6), input: Shape(height: 4, width: 2, channels: 5), maxBatch: 3,
            threads: threads)
        for name in layer.names { layer[name] = g.floats(name) }
        layer.freezesStatistics = true
        #expect(distance(layer.forward(g.floats("x")), g.floats("y")) < 1e-5)
        #expect(layer.forward(g.floats("x")) == layer.forward(g.floats("x"), training: false))
        let gradients = layer.backward(g.floats("dy"))
        #expect(distance(gradients.input, g.floats("dx")) < 1e-5)
        #expect(distance(gradients.parameters["scale"]!, g.floats("dscale")) < 1e-5)
        #expect(distance(gradients.parameters["shift"]!, g.floats("dshift")) < 1e-5)
        #expect(layer["mean"] == g.floats("mean") && layer["variance"] == g.floats("variance"))
    }

    @Test(arguments: ["silu", "gelu", "relu6", "hard-swish"])
    func activationsAgreeWithPyTorch(_ name: String) throws {
        let g = try golden(name)
        let layer = try LayerProbe(
            .activation(try #require(Activation(rawValue: name))), input: Shape(height: 1, width: 1, channels: 41),
            maxBatch: 1)
        #expect(distance(layer.forward(g.floats("x")), g.floats("y")) < 1e-6)
        #expect(distance(layer.backward(g.floats("dy")).input, g.floats("dx")) < 1e-6)
    }

    @Test func globalPoolAgreesWithPyTorch() throws {
        let g = try golden("globalpool")
        let layer = try LayerProbe(.globalPool, input: Shape(height: 3, width: 4, channels: 70), maxBatch: 2)
        #expect(distance(layer.forward(g.floats("x")), g.floats("y")) < 1e-6)
        #expect(distance(layer.backward(g.floats("dy")).input, g.floats("dx")) < 1e-6)
    }

    @Test func superclassesAgreeWithPyTorch() throws {
        let g = try golden("superclasses")
        let layer = try LayerProbe(
            .superclasses(g.floats("groups").map { Int($0) }), input: Shape(height: 1, width: 1, channels: 7),
            maxBatch: 3)
        let y = layer.forward(g.floats("x"))
        #expect(distance(y, g.floats("y")) < 1e-5)
        #expect(distance(layer.backward(g.floats("dy")).input, g.floats("dx")) < 1e-5)
        // They are log-probabilities.
        for n in 0..<3 { #expect(abs(y[n * 7..<(n + 1) * 7].reduce(0) { $0 + exp($1) } - 1) < 1e-5) }
        #expect(throws: ShapeError.self) {
            try LayerProbe(.superclasses([0, 2, 0]), input: Shape(height: 1, width: 1, channels: 3), maxBatch: 1)
        }
    }

    @Test func reluAgreesWithPyTorch() throws {
        let g = try golden("relu")
        let layer = try LayerProbe(.activation(.relu), input: Shape(height: 3, width: 2, channels: 3), maxBatch: 2)
        #expect(layer.forward(g.floats("x")) == g.floats("y"))
        #expect(layer.backward(g.floats("dy")).input == g.floats("dx"))
    }

    @Test func fullyConnectedAgreesWithPyTorch() throws {
        let g = try golden("linear")
        let layer = try LayerProbe(
            .fullyConnected(outputs: 4, bias: true), input: Shape(height: 1, width: 1, channels: 7), maxBatch: 5,
            threads: 2)
        layer["weight"] = g.floats("weight")
        layer["bias"] = g.floats("bias")
        #expect(distance(layer.forward(g.floats("x")), g.floats("y")) < 1e-5)
        #expect(distance(layer.forward(g.floats("x"), training: false), g.floats("y")) < 1e-5)
        let gradients = layer.backward(g.floats("dy"))
        #expect(distance(gradients.input, g.floats("dx")) < 1e-5)
        #expect(distance(gradients.parameters["weight"]!, g.floats("dweight")) < 1e-5)
        #expect(distance(gradients.parameters["bias"]!, g.floats("dbias")) < 1e-5)
    }

    static let kinds: [(LayerProbe.Kind, Shape)] = [
        (.convolution(channels: 3, kernel: 3, bias: true), Shape(height: 4, width: 5, channels: 2)),
        (.convolution(channels: 2, kernel: 5), Shape(height: 4, width: 4, channels: 3)),
        (.convolution(channels: 2, kernel: 3, method: .winograd), Shape(height: 5, width: 4, channels: 2)),
        (.convolution(channels: 2, kernel: 3, method: .winograd), Shape(height: 2, width: 2, channels: 3)),
        (.convolution(channels: 2, kernel: 3, method: .winograd), Shape(height: 3, width: 6, channels: 2)),
        (.convolution(channels: 2, kernel: 5, method: .winograd), Shape(height: 3, width: 4, channels: 2)),
        (.maxPool(), Shape(height: 4, width: 6, channels: 3)),
        (.batchNorm(), Shape(height: 2, width: 3, channels: 3)),
        (.batchNorm(affine: false), Shape(height: 1, width: 1, channels: 4)),
        (.batchNorm(activation: .relu), Shape(height: 2, width: 3, channels: 3)),
        (.batchNorm(activation: .silu), Shape(height: 2, width: 2, channels: 5)),
        (.batchNorm(activation: .gelu), Shape(height: 1, width: 2, channels: 17)),
        (.maxPool(window: 3), Shape(height: 4, width: 5, channels: 2)),
        (.maxPool(window: 3), Shape(height: 1, width: 3, channels: 3)),
        (.depthwise(kernel: 3), Shape(height: 4, width: 5, channels: 3)),
        (.depthwise(kernel: 5), Shape(height: 6, width: 3, channels: 2)),
        (.convolution(channels: 2, kernel: 2, method: .winograd), Shape(height: 5, width: 7, channels: 2)),
        (.convolution(channels: 2, kernel: 5, method: .winograd), Shape(height: 4, width: 8, channels: 2)),
        (.convolution(channels: 3, kernel: 7), Shape(height: 4, width: 3, channels: 2)),
        (.activation(.relu), Shape(height: 3, width: 3, channels: 2)),
        (.fullyConnected(outputs: 4, bias: true), Shape(height: 2, width: 2, channels: 3)),
        (.dropout(keep: 0.6), Shape(height: 1, width: 1, channels: 30)),
        (.dropout(keep: 0.8, block: 3), Shape(height: 6, width: 6, channels: 2)),
        (.convolution(channels: 3, kernel: 2, bias: true), Shape(height: 3, width: 4, channels: 2)),
        (.maxPool(), Shape(height: 5, width: 3, channels: 2)),
        (.activation(.silu), Shape(height: 3, width: 3, channels: 2)),
        (.activation(.gelu), Shape(height: 3, width: 3, channels: 2)),
        (.globalPool, Shape(height: 3, width: 2, channels: 3)),
        (.scale(0.3), Shape(height: 1, width: 1, channels: 5)),
        (.residual(), Shape(height: 3, width: 4, channels: 3)),
        (.residual(keep: 0.7), Shape(height: 3, width: 4, channels: 3)),
        (.downsampling(channels: 4), Shape(height: 5, width: 4, channels: 3)),
        (.convolution(channels: 3, kernel: 3, stride: 2, bias: true), Shape(height: 6, width: 5, channels: 2)),
        (.convolution(channels: 2, kernel: 3, stride: 2, padding: .symmetric), Shape(height: 6, width: 7, channels: 3)),
        (.convolution(channels: 2, kernel: 7, stride: 2, padding: .symmetric), Shape(height: 8, width: 5, channels: 2)),
        (.convolution(channels: 3, kernel: 1, stride: 2), Shape(height: 5, width: 6, channels: 2)),
        (.convolution(channels: 2, kernel: 2, stride: 2), Shape(height: 5, width: 6, channels: 2)),
        (.convolution(channels: 2, kernel: 3, padding: .valid), Shape(height: 5, width: 4, channels: 2)),
        (.depthwise(kernel: 3, stride: 2), Shape(height: 6, width: 7, channels: 3)),
        (.depthwise(kernel: 5, stride: 2), Shape(height: 8, width: 6, channels: 2)),
        (.depthwise(kernel: 3, stride: 2, padding: .symmetric), Shape(height: 6, width: 5, channels: 2)),
        (.maxPool(window: 3, padding: .symmetric), Shape(height: 6, width: 5, channels: 2)),
        (.averagePool(), Shape(height: 3, width: 5, channels: 3)),
        (.averagePool(window: 3, stride: 2), Shape(height: 7, width: 6, channels: 2)),
        (.averagePool(window: 2, stride: 3), Shape(height: 6, width: 5, channels: 2)),
        (.activation(.relu6), Shape(height: 3, width: 3, channels: 2)),
        (.activation(.hardSwish), Shape(height: 3, width: 3, channels: 2)),
        (.batchNorm(activation: .relu6), Shape(height: 2, width: 3, channels: 3)),
        (.batchNorm(activation: .hardSwish), Shape(height: 2, width: 3, channels: 3)),
    ]

    /// Central differences of Σ r·y against backward(r), for inputs and parameters.
    @Test(arguments: kinds.indices) func backwardIsTheDerivative(_ index: Int) throws {
        let (kind, shape) = Self.kinds[index]
        let layer = try LayerProbe(kind, input: shape, maxBatch: 3, threads: 2)
        // Values far from each other and from zero: no kink of ReLU or the maximum lies within a step.
        var order = SeededGenerator(4)
        let n = 3 * shape.count
        var x = (0..<n).map { (Float($0) + 0.5 - Float(n) / 2) * 3 / Float(n) }.shuffled(using: &order)
        for (at, name) in layer.names.enumerated() {
            let noise = random(layer[name].count, seed: UInt64(at + 2), scale: 0.5)
            layer[name] = zip(layer[name], noise).map(+)
        }
        let r = random(3 * layer.output.count, seed: 9)
        func value() -> Double { zip(layer.forward(x), r).reduce(0) { $0 + Double($1.0) * Double($1.1) } }
        _ = value()
        let gradients = layer.backward(r)
        let step: Float = 4e-3
        func check(_ analytic: Float, _ low: Double, _ high: Double, _ what: String) {
            let numeric = Float((high - low) / Double(2 * step))
            #expect(abs(numeric - analytic) < 0.01 * max(1, abs(analytic)), "\(what): \(analytic), numeric \(numeric)")
        }
        for i in x.indices {
            let old = x[i]
            x[i] = old - step
            let low = value()
            x[i] = old + step
            let high = value()
            x[i] = old
            check(gradients.input[i], low, high, "input \(i)")
        }
        for (name, gradient) in gradients.parameters {
            let old = layer[name]
            for i in old.indices {
                var changed = old
                changed[i] = old[i] - step
                layer[name] = changed
                let low = value()
                changed[i] = old[i] + step
                layer[name] = changed
                check(gradient[i], low, value(), "\(name) \(i)")
            }
            layer[name] = old
        }
    }

    /// Every algorithm against its oracle, over odd sizes, in training and inference.
    @Test(arguments: [
        (ConvolutionMethod.matrix, 1), (.matrix, 2), (.matrix, 3), (.matrix, 5), (.matrix, 7), (.winograd, 2),
        (.winograd, 3), (.winograd, 5),
    ])
    func convolutionAgreesWithItsOracle(_ method: ConvolutionMethod, _ kernel: Int) throws {
        // The transformed domain costs a bit or two, and three with the eight points of the wide kernel (Lavin & Gray 2016,
        // section 5; Barabasz et al. 2018).
        let tolerance: Float = method == .matrix ? 1e-5 : kernel == 5 ? 1e-4 : 3e-5
        for (height, width, inputs, outputs, count) in [
            (1, 1, 1, 1, 1), (2, 3, 3, 5, 4), (4, 4, 8, 16, 19), (7, 5, 3, 2, 3), (17, 19, 2, 3, 2), (32, 32, 3, 4, 1),
            (6, 5, 49, 33, 2), (8, 8, 20, 97, 30), (4, 4, 130, 70, 3), (9, 16, 17, 16, 7), (2, 2, 19, 17, 9),
            (3, 3, 30, 50, 7),
            (15, 15, 16, 9, 2), (6, 3, 5, 20, 4), (4, 4, 390, 70, 1), (3, 3, 130, 97, 1),
        ] {
            let shape = Shape(height: height, width: width, channels: inputs)
            if kernel % 2 == 0 && min(height, width) < kernel { continue }
            func make(_ method: ConvolutionMethod, _ mode: Mode) throws -> LayerProbe {
                let layer = try LayerProbe(
                    .convolution(channels: outputs, kernel: kernel, method: method), input: shape, maxBatch: count,
                    mode: mode, threads: method == .naive ? 1 : 2)
                layer["weight"] = random(kernel * kernel * inputs * outputs, seed: 2)
                return layer
            }
            let (naive, fast) = (try make(.naive, .training), try make(method, .training))
            let x = random(count * shape.count, seed: 3)
            let dy = random(count * fast.output.count, seed: 4)
            let y = naive.forward(x)
            #expect(distance(fast.forward(x), y) < tolerance)
            #expect(distance(try make(method, .inference).forward(x, training: false), y) < tolerance)
            let (expected, found) = (naive.backward(dy), fast.backward(dy))
            #expect(distance(fast.forward(x), y) < tolerance, "after a backward pass")
            #expect(distance(found.input, expected.input) < tolerance)
            #expect(distance(found.parameters["weight"]!, expected.parameters["weight"]!) < tolerance)
        }
    }

    /// What is larger than the caches is written past them: a batch again and again gives what it gives alone.
    @Test(arguments: [
        LayerProbe.Kind.batchNorm(), .batchNorm(activation: .silu), .maxPool(), .maxPool(window: 3),
        .convolution(channels: 32, kernel: 3),
    ])
    func largeMapsAreWrittenAsSmallOnes(_ kind: LayerProbe.Kind) throws {
        let shape = Shape(height: 33, width: 32, channels: 32)
        let repeats = 132
        func pass(_ times: Int) throws -> (y: [Float], dx: [Float]) {
            let layer = try LayerProbe(kind, input: shape, maxBatch: 2 * times, threads: 2)
            for (index, name) in layer.names.enumerated() where name == "weight" {
                layer[name] = random(layer[name].count, seed: UInt64(index))
            }
            let (x, dy) = (random(2 * shape.count, seed: 3), random(2 * layer.output.count, seed: 4))
            let y = layer.forward(Array(repeatElement(x, count: times).joined()))
            return (y, layer.backward(Array(repeatElement(dy, count: times).joined())).input)
        }
        let (few, many) = (try pass(1), try pass(repeats))
        #expect(many.dx.count > 4 << 20)
        for (small, large) in [(few.y, many.y), (few.dx, many.dx)] {
            for start in [0, repeats / 2, repeats - 1] {
                let part = Array(large[start * small.count..<(start + 1) * small.count])
                #expect(distance(part, small) < 1e-5)
            }
        }
    }

    /// Stride 2 and every padding against the oracle, over odd and even sides, in training and inference.
    @Test(arguments: [1, 2, 3, 5, 7], Padding.allCases)
    func stridesAgreeWithTheirOracle(_ kernel: Int, _ padding: Padding) throws {
        for (height, width, inputs, outputs, count) in [
            (7, 8, 3, 5, 3), (8, 7, 16, 33, 2), (14, 15, 17, 16, 1), (9, 9, 1, 2, 4), (7, 7, 5, 70, 2),
        ] where kernel % 2 == 1 || padding == .valid {
            let shape = Shape(height: height, width: width, channels: inputs)
            func make(_ method: ConvolutionMethod, _ mode: Mode) throws -> LayerProbe {
                let layer = try LayerProbe(
                    .convolution(channels: outputs, kernel: kernel, stride: 2, padding: padding, method: method),
                    input: shape, maxBatch: count, mode: mode, threads: method == .naive ? 1 : 2)
                layer["weight"] = random(kernel * kernel * inputs * outputs, seed: 2)
                return layer
            }
            let (naive, fast) = (try make(.naive, .training), try make(.matrix, .training))
            let x = random(count * shape.count, seed: 3)
            let dy = random(count * fast.output.count, seed: 4)
            let y = naive.forward(x)
            #expect(distance(fast.forward(x), y) < 1e-5)
            #expect(distance(try make(.matrix, .inference).forward(x, training: false), y) < 1e-5)
            let (expected, found) = (naive.backward(dy), fast.backward(dy))
            #expect(distance(found.input, expected.input) < 1e-5)
            #expect(distance(found.parameters["weight"]!, expected.parameters["weight"]!) < 1e-5)
        }
    }

    /// As TensorFlow and PyTorch lay windows: zeros before the map, and the number of windows.
    @Test func windowsLieAsTheirPaddingSays() {
        #expect(Padding.same.windows(side: 224, kernel: 3, stride: 2) == (0, 112))
        #expect(Padding.same.windows(side: 225, kernel: 3, stride: 2) == (1, 113))
        #expect(Padding.same.windows(side: 14, kernel: 5, stride: 2) == (1, 7))
        #expect(Padding.same.windows(side: 7, kernel: 5, stride: 1) == (2, 7))
        #expect(Padding.symmetric.windows(side: 224, kernel: 7, stride: 2) == (3, 112))
        #expect(Padding.symmetric.windows(side: 112, kernel: 3, stride: 2) == (1, 56))
        #expect(Padding.valid.windows(side: 10, kernel: 3, stride: 2) == (0, 4))
        #expect(Padding.valid.windows(side: 2, kernel: 3, stride: 1) == (0, 0))
    }

    @Test(arguments: [1, 3, 5, 7]) func depthwiseConvolutionAgreesWithItsOracle(_ kernel: Int) throws {
        for (height, width, channels, count) in [
            (1, 1, 1, 1), (4, 4, 16, 3), (7, 5, 3, 2), (9, 16, 17, 5), (2, 3, 70, 4), (16, 16, 64, 2), (5, 33, 31, 1),
        ] {
            let shape = Shape(height: height, width: width, channels: channels)
            for (stride, padding) in [(1, Padding.same), (2, .same), (2, .symmetric)] {
                let layers = try [true, false].map {
                    try LayerProbe(
                        .depthwise(kernel: kernel, stride: stride, padding: padding, naive: $0), input: shape,
                        maxBatch: count, threads: 2)
                }
                let x = random(count * shape.count, seed: 3)
                let dy = random(count * layers[0].output.count, seed: 4)
                for layer in layers { layer["weight"] = random(kernel * kernel * channels, seed: 2) }
                let results = layers.map { ($0.forward(x), $0.backward(dy)) }
                #expect(distance(results[1].0, results[0].0) < 1e-5)
                #expect(distance(results[1].1.input, results[0].1.input) < 1e-5)
                #expect(distance(results[1].1.parameters["weight"]!, results[0].1.parameters["weight"]!) < 1e-5)
            }
        }
    }

    /// Windows of 3×3 against the definition, with borders that count as nothing.
    @Test(arguments: [(4, 4), (5, 7), (1, 1), (2, 3), (8, 6)]) func wideMaximaAreThoseOfTheirWindows(
        _ height: Int, _ width: Int
    ) throws {
        let channels = 19
        let shape = Shape(height: height, width: width, channels: channels)
        let layer = try LayerProbe(.maxPool(window: 3), input: shape, maxBatch: 2)
        let (down, across) = ((height + 1) / 2, (width + 1) / 2)
        #expect(layer.output == Shape(height: down, width: across, channels: channels))
        let x = random(2 * shape.count, seed: 8)
        let y = layer.forward(x)
        let dy = random(y.count, seed: 9)
        let dx = layer.backward(dy).input
        var (expected, gradient) = ([Float](), [Float](repeating: 0, count: x.count))
        for n in 0..<2 {
            for row in 0..<down {
                for column in 0..<across {
                    for c in 0..<channels {
                        // TensorFlow's SAME: of the border, the smaller half comes first.
                        let rows = (2 * row - height % 2)..<(2 * row - height % 2 + 3)
                        let columns = (2 * column - width % 2)..<(2 * column - width % 2 + 3)
                        let places = rows.clamped(to: 0..<height).flatMap { v in
                            columns.clamped(to: 0..<width).map { u in ((n * height + v) * width + u) * channels + c }
                        }
                        let best = places.max { x[$0] < x[$1] }!
                        gradient[best] += dy[expected.count]
                        expected.append(x[best])
                    }
                }
            }
        }
        #expect(y == expected)
        #expect(distance(dx, gradient) < 1e-6)
    }

    @Test func dropoutKeepsItsShareAndItsMean() throws {
        for block in [1, 3] {
            let shape = Shape(height: 16, width: 16, channels: 16)
            let layer = try LayerProbe(.dropout(keep: 0.75, block: block), input: shape, maxBatch: 4)
            let ones = [Float](repeating: 1, count: 4 * shape.count)
            let y = layer.forward(ones)
            let kept = Double(y.filter { $0 != 0 }.count) / Double(y.count)
            // DropBlock's squares overlap and are cut at the border: more stays than the nominal share.
            #expect(block == 1 ? abs(kept - 0.75) < 0.02 : (0.75..<0.85).contains(kept))
            #expect(abs(Double(y.reduce(0, +)) / Double(y.count) - 1) < 0.03)
            #expect(layer.forward(ones) == y, "the same step draws the same mask")
            #expect(layer.forward(ones, step: 3) != y, "another step draws another mask")
            #expect(layer.forward(ones, training: false) == ones)
        }
    }

    @Test func dropBlockClearsSquares() throws {
        let shape = Shape(height: 9, width: 9, channels: 1)
        let layer = try LayerProbe(.dropout(keep: 0.9, block: 3), input: shape, maxBatch: 1)
        let y = layer.forward([Float](repeating: 1, count: 81))
        let cleared = y.indices.filter { y[$0] == 0 }
        #expect(!cleared.isEmpty)
        for at in cleared {
            // Each cleared element lies in some cleared square, cut at the border.
            let found = (0..<81).contains { centre in
                let (cy, cx) = (centre / 9, centre % 9)
                guard abs(cy - at / 9) <= 1, abs(cx - at % 9) <= 1 else { return false }
                return (max(0, cy - 1)...min(8, cy + 1)).allSatisfy { v in
                    (max(0, cx - 1)...min(8, cx + 1)).allSatisfy { u in y[v * 9 + u] == 0 }
                }
            }
            #expect(found)
        }
    }

    @Test func wrongShapesNameTheOperation() {
        let error = #expect(throws: ShapeError.self) {
            try LayerProbe(.maxPool(), input: Shape(height: 1, width: 4, channels: 1), maxBatch: 1)
        }
        #expect(
            error.map { "\($0)" }
                == "probe (2×2 maximum) got 1×4×1 where it needs at least 2×2 pixels and a window of 2 or 3")
        #expect(throws: ShapeError.self) {
            try LayerProbe(
                .convolution(channels: 1, kernel: 6), input: Shape(height: 4, width: 4, channels: 1), maxBatch: 1)
        }
    }
}
