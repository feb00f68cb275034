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
                    let workload = try Workload(definition, training: false, batch: batch, threads: threads)
                    let rates = effort.rates {
                        workload.step()
                        return batch
                    }
                    let work = 2 * Double(multiplications(workload.network))
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
            let workload = try Workload(definition, training: true, batch: batch, threads: coreCount)
            let rates = effort.rates {
                workload.step()
                return batch
            }
            let work = 6 * Double(multiplications(workload.network))
            report.add(
                Figure(
                    "training", "\(name), \(words(coreCount))", unit: "images/s", rates,
                    also: { "\(number($0 * work / 1e9)) GFLOP/s" }))
        }
    }

    private static func words(_ threads: Int) -> String { threads == 1 ? "1 thread" : "\(threads) threads" }

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
