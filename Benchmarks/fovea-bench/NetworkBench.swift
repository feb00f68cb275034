import FoveaNN
import FoveaSystem

/// The engine by itself: floats in, probabilities out, and steps of training.
///
/// Work is counted as 2 operations for each multiply-and-add of convolutions and matrices, three times that for
/// training (forward, gradient of the inputs, gradient of the weights); everything else in a network counts as nothing.
enum NetworkBench {
    static let networks = ["foveanet", "vanilla", "depthwise", "resnet"]

    static func inference(_ report: Report, _ effort: Effort) throws {
        report.begin("network", "inference, float32")
        for name in networks {
            for batch in [1, 64] {
                for threads in Set([1, coreCount]).sorted() {
                    let workload = try Workload(name, training: false, batch: batch, threads: threads)
                    let rates = effort.rates {
                        workload.step()
                        return batch
                    }
                    let work = 2 * Double(workload.network.multiplications)
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
        for name in networks {
            let batch = 128
            let workload = try Workload(name, training: true, batch: batch, threads: coreCount)
            let rates = effort.rates {
                workload.step()
                return batch
            }
            let work = 6 * Double(workload.network.multiplications)
            report.add(
                Figure(
                    "training", "\(name), \(words(coreCount))", unit: "images/s", rates,
                    also: { "\(number($0 * work / 1e9)) GFLOP/s" }))
        }
    }

    private static func words(_ threads: Int) -> String { threads == 1 ? "1 thread" : "\(threads) threads" }
}
