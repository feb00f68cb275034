import FoundationEssentials
import FoveaControl
import FoveaSystem
import FoveaTestKit
import Glibc
import SystemPackage
import Testing

extension EndToEnd {
    private func decode<T: Decodable>(_ type: T.Type, _ text: some StringProtocol) throws -> T {
        try JSONDecoder().decode(type, from: Data(text.utf8))
    }

    @Test func theQueueObeys() throws {
        let daemon = try RunningDaemon()
        let images = daemon.fixture.images
        #expect(try decode(QueueAnswer.self, daemon.ctl("queue", "pause", "--json").output).mode == .paused)
        try daemon.drop(images.prefix(8))
        try eventually("eight wait") { try daemon.status().queue.waiting == 8 }
        let status = try daemon.status()
        #expect(status.mode == .paused && !status.intake.taking && status.intake.reason?.contains("resume") == true)
        #expect(daemon.publishedCount == 0)
        #expect(try Files.list(daemon.inbox).count == 8)
        #expect(try decode(QueueAnswer.self, daemon.ctl("queue", "resume", "--json").output).mode == .running)
        try daemon.waitForDocuments(8)

        // Draining also lets a paused queue go.
        #expect(try daemon.ctl("queue", "pause").code == 0)
        try daemon.drop(images[8..<60])
        try eventually("they wait") { try daemon.status().queue.waiting == 52 }
        let drained = try decode(QueueAnswer.self, daemon.ctl("queue", "drain", "--json").output)
        #expect(drained.verb == .drain && drained.images == 52)
        #expect(daemon.publishedCount == 60)
        try daemon.expectResults(images.prefix(60).map(\.name), of: 60)
        #expect(try decode(QueueAnswer.self, daemon.ctl("queue", "retry", "--json").output).images == 0)
        try daemon.stop()
    }

    @Test func watchTellsEachResultOnce() throws {
        let daemon = try RunningDaemon()
        let output = try memoryFile("watch")
        defer { try? output.close() }
        let watch = try ChildProcess(
            executable: try Programs.path("foveactl"),
            arguments: ["watch", "--json", "--config", daemon.configuration.string],
            environment: ["PATH=/usr/bin:/bin"], output: output)
        defer {
            watch.signal(SIGKILL)
            _ = watch.wait()
        }
        func lines() throws -> [String] {
            let text = String(decoding: try Files.read(output, count: try Files.status(of: output).size), as: UTF8.self)
            return text.split(separator: "\n").map(String.init)
        }
        // It has connected when it tells of one.
        var probes = 0
        try eventually("watch sees a probe") {
            probes += 1
            try daemon.drop(FilePath("probe\(probes).png"), daemon.fixture.images[0].bytes)
            usleep(200_000)
            return try !lines().isEmpty
        }
        try daemon.waitForDocuments(probes)
        try daemon.drop(daemon.fixture.images.prefix(30))
        try daemon.drop("bad.png", [1, 2, 3])
        try daemon.waitForDocuments(probes + 31)
        try eventually("watch tells all") { try lines().count { !$0.contains("\"file\":\"probe") } >= 31 }
        let told = try lines()
        let results = try told.filter { $0.contains("fovea.result/1") }.map { try decode(ResultRecord.self, $0) }
        #expect(results.count + 1 == told.count, "all but bad.png are results")
        #expect(Set(results.map(\.id)).count == results.count)
        #expect(Set(results.map(\.file)).isSuperset(of: daemon.fixture.images.prefix(30).map(\.name)))
        #expect(
            try told.filter { $0.contains("fovea.error/1") }.map { try decode(ErrorRecord.self, $0).file } == [
                "bad.png"
            ])
        try daemon.stop()
        try eventually("watch ends with the daemon") { watch.endingIfEnded() != nil }
    }

    @Test func classifyGivesTheSameThroughTheDaemonAndAlone() throws {
        let daemon = try RunningDaemon()
        let files = [0, 7, 13].map { (index: Int) -> (String, String) in
            let image = daemon.fixture.images[index]
            return (
                image.name,
                daemon.fixture.root.pushing(
                    FilePath("images/\(Fixture.labels[index % 4])/\(image.name)")
                ).string
            )
        }
        func classify(_ more: String...) throws -> [ResultRecord] {
            let outcome = try Programs.run(
                "foveactl",
                ["classify", "--json", "--config", daemon.configuration.string] + more + files.map(\.1))
            #expect(outcome.code == 0, "\(outcome.error)")
            return try outcome.output.split(separator: "\n").map { try decode(ResultRecord.self, $0) }
        }
        let asked = try classify()
        let alone = try classify("--alone")
        #expect(asked.count == 3 && alone.count == 3)
        for (index, file) in files.enumerated() {
            let expected = daemon.fixture.expected["tiny"]?[file.0]
            #expect(asked[index].top == expected && alone[index].top == expected)
            #expect(asked[index].model == alone[index].model && asked[index].chain == alone[index].chain)
            #expect(asked[index].sha256 == alone[index].sha256 && asked[index].width == alone[index].width)
        }
        #expect(daemon.publishedCount == 0, "nothing is filed")
        let text = try daemon.folder.write("text.png", Array("text".utf8)).string
        let refused = try daemon.ctl("classify", text)
        #expect(refused.code == 65 && refused.error.contains("text.png"))
        try daemon.stop()
        // Without a daemon it goes by itself.
        #expect(try classify().map(\.top) == asked.map(\.top))
    }

    /// The configuration chooses how many views are averaged; the golden set still proves the model as it is, and what the
    /// daemon says is what `evaluate --tta` says, with and without a daemon.
    @Test func averagingIsChosenWhereAModelServes() throws {
        let daemon = try RunningDaemon(["tta": "shift"])
        let images = daemon.fixture.images.prefix(20)
        try daemon.drop(images)
        try daemon.waitForDocuments(images.count)
        let scores = daemon.folder.path.appending("shift.jsonl")
        let outcome = try Programs.run(
            "fovea-train",
            [
                "evaluate", "tiny", "--data", "\(daemon.fixture.root)/images", "--scores", scores.string, "--tta",
                "shift",
                "--config", daemon.configuration.string, "--json",
            ])
        #expect(outcome.code == 0, "\(outcome.error)")
        let expected = try Fixture.read(scores)
        let records = try daemon.results.map(\.record)
        #expect(records.count == images.count)
        for record in records {
            let name = FilePath(record.file).lastComponent!.string
            #expect(record.top == expected[name] && record.top != daemon.fixture.expected["tiny"]?[name])
            #expect("\(record.chain)".contains("shift"), "\(record.chain)")
        }
        try daemon.stop()
        let file = try daemon.folder.write("alone.png", images[0].bytes)
        let alone = try daemon.ctl("classify", "--json", file.string)
        let record = try JSONDecoder().decode(ResultRecord.self, from: Data(alone.output.utf8))
        #expect(record.top == expected[images[0].name])
    }

    @Test func belowTheThresholdIsUnsure() throws {
        let daemon = try RunningDaemon(["confidence": "1.0"])
        try daemon.drop(daemon.fixture.images.prefix(6), prefix: "a/")
        try daemon.waitForDocuments(6)
        for result in try daemon.results {
            let isUnsure = result.record.confidence < 1
            #expect(result.record.status == (isUnsure ? .unsure : .classified))
            #expect(result.path.components.first == (isUnsure ? "unsure" : FilePath.Component(result.record.label)!))
        }
        let unsure = try daemon.results.count { $0.record.status == .unsure }
        #expect(unsure > 0)
        try eventually("it is counted") { try daemon.status().queue.unsure == unsure }
        try daemon.stop()
    }

    @Test func everyJSONParses() throws {
        let daemon = try RunningDaemon()
        let image = daemon.fixture.images[0]
        try daemon.drop(FilePath(image.name), image.bytes)
        try daemon.waitForDocuments(1)
        try eventually("the history has it") { try daemon.ctl("why", image.name).code == 0 }
        let file = daemon.fixture.root.pushing(FilePath("images/blue/\(image.name)")).string
        let commands: [[String]] = [
            ["status"], ["why", image.name], ["classify", file], ["model", "list"], ["model", "show"],
            ["model", "show", "other"], ["model", "swap", "other"], ["model", "swap", "none"], ["model", "rollback"],
            ["queue", "pause"], ["queue", "resume"], ["queue", "drain"], ["queue", "retry"], ["plugin", "list"],
            ["doctor"], ["evaluate", "tiny", "--data", "\(daemon.fixture.root)/images"],
        ]
        for command in commands {
            let outcome = try Programs.run(
                "foveactl", command + ["--json", "--config", daemon.configuration.string])
            #expect(throws: Never.self, "\(command): \(outcome.output) \(outcome.error)") {
                _ = try decode(JSONValue.self, outcome.output)
            }
        }
        try daemon.stop()
    }

    /// Whoever stands in the wrong folder is told which one that is, and that nothing was found there.
    @Test func aFolderWithoutConfigurationIsNamed() throws {
        guard try Files.statusIfPresent("/etc/fovea/fovea.yaml") == nil else { return }
        let folder = try TemporaryFolder()
        let place = try Files.resolve(folder.path)
        let note = "There is neither etc/fovea.yaml nor /etc/fovea/fovea.yaml: using the defaults in \(place.string)."
        func run(_ arguments: String...) throws -> Programs.Outcome {
            try Programs.run("foveactl", arguments, in: folder.path)
        }
        let status = try run("status")
        #expect(status.code == 69 && status.error.hasPrefix(note), "\(status)")
        #expect(status.error.contains("No daemon answers at \(place.string)/var/run/fovead.sock"), "\(status)")
        for arguments in [["classify", "x.png"], ["evaluate", "x", "--data", "x"], ["retrain"], ["model", "show"]] {
            let outcome = try Programs.run("foveactl", arguments, in: folder.path)
            #expect(outcome.error.components(separatedBy: note).count == 2, "said once: \(outcome)")
        }
        #expect(try run("model", "show").error.contains("there are none in \(place.string)/models"))
        #expect(try !run("model", "list", "--quiet").error.contains(note))
        #expect(try !run("model", "list", "--state", "x").error.contains(note))
        #expect(try !run("status", "--socket", "x").error.contains(note))
        #expect(try Files.list(folder.path).isEmpty, "looking leaves nothing")
    }

    /// fovea-train speaks as the command that people have typed.
    @Test func trainingSpeaksAsFoveactl() throws {
        for (verb, usage) in [
            ("train", "foveactl train"), ("retrain", "foveactl retrain"), ("evaluate", "foveactl evaluate"),
        ] {
            let help = try Programs.run("foveactl", [verb, "--help"])
            #expect(help.code == 0 && help.output.contains("USAGE: \(usage) "), "\(help)")
        }
        #expect(
            try Programs.run("foveactl", ["model", "compare", "--help"]).output.contains(
                "USAGE: foveactl model compare "))
        #expect(try Programs.run("fovea-train", ["train", "--help"]).output.contains("USAGE: fovea-train train "))
        let wrong = try Programs.run("foveactl", ["evaluate", "./none", "--data", "none"])
        #expect(wrong.error.contains("foveactl evaluate: ./none: there is no such folder"), "\(wrong)")
    }
}
