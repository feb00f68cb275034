import ArgumentParser
import FoveaNN
import Glibc

/// Fovea in Benchmarks/peers: prints "ready", and then, for each "go SECONDS" on its standard input, works for about so
/// long and prints images a second, as contestant.py there does.
struct ContestantCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "contestant", abstract: "Measures when it is told to, for Benchmarks/peers.", shouldDisplay: false)

    enum Job: String, ExpressibleByArgument { case train, infer }

    @Argument var job: Job
    @Argument var network: String
    @Argument var batch: Int

    func run() throws {
        let workload = try Workload(network, training: job == .train, batch: batch, threads: coreCount)
        workload.step()
        print("ready")
        fflush(nil)
        while let line = readLine() {
            let words = line.split(separator: " ")
            guard words.count == 2, words[0] == "go", let length = Double(words[1]) else {
                throw ValidationError("'\(line)' is not: go SECONDS")
            }
            var done = 0
            var passed = 0.0
            let start = seconds()
            repeat {
                workload.step()
                done += batch
                passed = seconds() - start
            } while passed < length
            print(Double(done) / passed)
            fflush(nil)
        }
    }
}
