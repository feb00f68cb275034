import FoveaControl
import FoveaSystem
import Glibc
import SystemPackage

extension DaemonBench {
    /// What a retraining costs those whose images are classified meanwhile. It stands still (SIGSTOP) in every other round, so that
    /// whatever slows the machine for a while slows both.
    mutating func besideRetraining() throws {
        report.begin(
            "retraining", "\(number(Double(corpus.images.count))) images through the daemon, \(coreCount) workers")
        let configuration = daemon.folder.appending("retrain.yaml")
        let text =
            try Files.read(daemon.configurationFile)
            + Array(
                "retrain: {data: ['\(corpus.folder)'], epochs: 100000, budget: 30d}\n".utf8)
        try Files.replaceUnsynced(configuration, with: text)
        let log = try Files.open(daemon.folder.appending("retrain.log"), O_WRONLY | O_CREAT | O_TRUNC)
        defer { try? log.close() }
        let trainer = try ChildProcess(
            executable: programDirectory().appending("fovea-train"),
            arguments: ["retrain", "--no-promote", "--config", configuration.string],
            environment: childEnvironment(), output: log, error: log)
        defer {
            trainer.signal(SIGKILL)
            _ = trainer.wait()
        }
        // It reads its data, writes its plan and begins to train.
        let deadline = seconds() + 300
        while try Files.statusIfPresent(daemon.state.pushing("retrain/run/plan.json")) == nil {
            guard trainer.endingIfEnded() == nil, seconds() < deadline else {
                let words = String(decoding: try Files.read(daemon.folder.appending("retrain.log")), as: UTF8.self)
                throw BenchError("the retraining did not begin: \(words)")
            }
            usleep(100_000)
        }
        usleep(15_000_000)

        var (alone, beside): ([Double], [Double]) = ([], [])
        var trained: [Double] = []
        for round in 0..<effort.runs {
            trainer.signal(SIGSTOP)
            alone.append(Double(corpus.images.count) / (try send("a\(round)", Array(corpus.images.indices))))
            trainer.signal(SIGCONT)
            let (before, begin) = (try processorSeconds(of: trainer.pid), seconds())
            beside.append(Double(corpus.images.count) / (try send("b\(round)", Array(corpus.images.indices))))
            trained.append((try processorSeconds(of: trainer.pid) - before) / (seconds() - begin) / Double(coreCount))
        }
        report.add(Figure("retraining", "it stands still", unit: "images/s", alone))
        report.add(Figure("retraining", "it runs", unit: "images/s", beside))
        report.add(Figure("retraining", "runs / stands still", unit: "", zip(beside, alone).map { $0 / $1 }))
        report.add(Figure("retraining", "its share of the processors", unit: "", trained))
        _ = try settle("retraining")
    }

    /// User and system time, proc(5) stat.
    private func processorSeconds(of pid: pid_t) throws -> Double {
        let descriptor = try Files.open(FilePath("/proc/\(pid)/stat"))
        defer { try? descriptor.close() }
        let text = String(decoding: try Files.read(descriptor, count: 1024), as: UTF8.self)
        // After the name, which is in parentheses and may hold anything.
        let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else {
            throw BenchError("/proc/\(pid)/stat makes no sense: \(text)")
        }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }
}
