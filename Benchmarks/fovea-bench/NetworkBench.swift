import FoveaNN
import FoveaSystem

/// The engine by itself: floats in, probabilities out, and steps of training.
///
/// Work is counted as 2 operations for each multiply-and-add of convolutions and matrices, three times that for
/// training (forward, gradient of the inputs, gradient of the weights); everything else in a network counts as nothing.
enum NetworkBench {
    static let networks: [(name: String, definition: NetworkDefinition)] = [
        (
            "vanilla 512,512",
            NetworkDefinition(
                architecture: "vanilla", classes: 100, settings: .object(["hidden": .array([.int(512), .int(512)])]))
        ),
        ("vanilla 2048,2048", NetworkDefinition(architecture: "vanilla", classes: 100)),
    ]

    static func inference(_ report: Report, _ effort: Effort) throws {
        report.begin("network", "inference, float32")
        for (name, definition) in networks {
            for batch in [1, 64] {
                for threads in Set([1, coreCount]).sorted() {
                    let network = try Network(definition, maxBatch: batch, mode: .inference, threads: threads)
                    network.initialize(seed: 1)
                    let images = noise(batch * network.input.count)
                    var scores = [Float](repeating: 0, count: batch * network.classes)
                    let rates = effort.rates {
                        network.predict(images, count: batch, probabilities: &scores)
                        return batch
                    }
                    let work = 2 * Double(multiplications(network))
                    report.add(
                        Figure(
                            "network", "\(name), batch \(batch), \(words(threads))", unit: "images/s", rates,
                            also: { "\(number($0 * work / 1e9)) GFLOP/s" }))
                }
            }
        }
    }

    static func training(_ report: Report, _ effort: Effort) throws {
        report.begin("training", "forward, backward and Adam, batch 128, float32")
        for (name, definition) in networks {
            let batch = 128
            let network = try Network(definition, maxBatch: batch, mode: .training, threads: coreCount)
            network.initialize(seed: 1)
            let optimizer = Adam(network, weightDecay: 0.05, clip: 100)
            let images = noise(batch * network.input.count)
            let labels = (0..<batch).map { Int32($0 % network.classes) }
            var step = 0
            let rates = effort.rates {
                _ = network.forwardBackward(images, labels: labels, count: batch, smoothing: 0.1, step: step, seed: 1)
                optimizer.apply(learningRate: 1e-4)
                step += 1
                return batch
            }
            let work = 6 * Double(multiplications(network))
            report.add(
                Figure(
                    "training", "\(name), \(words(coreCount))", unit: "images/s", rates,
                    also: { "\(number($0 * work / 1e9)) GFLOP/s" }))
        }
    }

    private static func words(_ threads: Int) -> String { threads == 1 ? "1 thread" : "\(threads) threads" }

    private static func noise(_ count: Int) -> [Float] {
        var random = SeededGenerator(7)
        return (0..<count).map { _ in random.uniform() * 2 - 1 }
    }

    /// Multiply-and-adds for one image. A filter (k × k × in × out) is applied at each pixel; each block of *vanilla*
    /// ends with a pool that halves the sides.
    private static func multiplications(_ network: Network) -> Int {
        var (height, width) = (network.input.height, network.input.width)
        var sum = 0
        for tensor in network.tensors {
            switch tensor.shape.count {
            case 4:
                sum += tensor.count * height * width
                (height, width) = (height / 2, width / 2)
            case 2: sum += tensor.count
            default: break
            }
        }
        return sum
    }
}
