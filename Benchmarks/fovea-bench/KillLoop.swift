import FoveaControl
import FoveaNN
import FoveaSystem
import Glibc
import SystemPackage

/// SIGKILL for the daemon at a random moment, again and again: while it starts, takes, classifies, publishes, swaps.
/// Every image has exactly one result in the end, and no worker outlives its daemon.
struct KillLoop {
    let rounds: Int
    let images: Int
    let seed: UInt64

    func run() throws -> [String] {
        try withVictim { daemon, _ in
            var random = SeededGenerator(seed)
            let prepared = try prepareImages(images, daemon)
            var faults: [String] = []
            var next = 0
            for round in 0..<rounds {
                // Every fifth time it may die before it serves.
                var workers: [pid_t] = []
                if round % 5 == 4 {
                    try daemon.launch()
                } else {
                    try daemon.start()
                    workers = try daemon.status().workers.map(\.pid)
                }
                if round % 2 == 1 {
                    // Killed with the daemon, or not: its answer does not matter.
                    let client = daemon.client
                    let model = round % 4 == 1 ? "bench-b" : "bench-a"
                    startThread("swap") {
                        _ = try? client.request("POST", Routes.swap, body: SwapRequest(model: model).json)
                    }
                }
                let last = round == rounds - 1 ? images : next + images / rounds
                // Half of the moments lie inside of the dropping.
                let killInside = random.next() % 2 == 0 ? next + Int(random.next() % UInt64(max(1, last - next))) : -1
                var dead = false
                while next < last {
                    if next == killInside {
                        daemon.kill()
                        dead = true
                    }
                    try daemon.send(prepared[next].name)
                    next += 1
                }
                if !dead {
                    // Long enough for some swaps to be over, some not.
                    usleep(UInt32(random.next() % (round % 2 == 1 ? 2_500_000 : 400_000)))
                    daemon.kill()
                }
                usleep(100_000)
                for pid in workers where isAlive(pid) {
                    faults.append("round \(round): worker \(pid) outlives its daemon")
                }
            }
            try daemon.start()
            try daemon.waitForResults(images, timeout: 300)
            try daemon.stop()
            let sums = Dictionary(uniqueKeysWithValues: prepared.map { ($0.name, $0.sha256) })
            let (results, wrong) = try daemon.audit(sums)
            let models = Set(results.values.map(\.model.name)).sorted().joined(separator: ", ")
            print("kill: \(rounds) kills, \(results.count) results for \(images) images, by \(models)")
            return faults + wrong
        }
    }
}
