import ArgumentParser
import FoveaNN

/// Where a network's time goes.
struct LayersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "layers", abstract: "Prints the milliseconds that each layer of a network takes.")

    @Argument(help: "An architecture.")
    var network: String

    @Option(help: "Images in a batch.")
    var batch = 128

    @Option(help: "Threads; 0 is one per core.")
    var threads = 0

    @Option(help: "Batches that are timed, after one that is not.")
    var rounds = 5

    @Option(help: "Sides of the images. By default those that the network was made for.")
    var side: Int?

    @Flag(help: "Inference instead of training.")
    var inference = false

    func run() throws {
        let workload = try Workload(
            network, training: !inference, batch: batch, threads: threads == 0 ? coreCount : threads, side: side)
        workload.step()
        let clock = LayerClock()
        workload.network.clock = clock
        let start = seconds()
        for _ in 0..<rounds { workload.step() }
        let whole = seconds() - start
        func milliseconds(_ time: Double) -> String { decimals(time * 1000 / Double(rounds), 2) }
        print(pad("layer", 28) + pad("forward", 12, right: true) + pad("backward", 12, right: true) + "   ms")
        for line in clock.lines {
            print(
                pad(line.name, 28) + pad(milliseconds(line.forward), 12, right: true)
                    + pad(milliseconds(line.backward), 12, right: true))
        }
        print(
            pad("all, with what is between", 28) + pad(milliseconds(whole), 12, right: true)
                + "   \(number(Double(batch * rounds) / whole)) images/s")
    }

    private func decimals(_ value: Double, _ places: Int) -> String {
        let scale = [1.0, 10, 100][places]
        let whole = Int((value * scale).rounded())
        let rest = String(whole % Int(scale))
        return "\(whole / Int(scale)).\(String(repeating: "0", count: places - rest.count))\(rest)"
    }
}
