import FoundationEssentials
import FoveaControl
import FoveaModels
import FoveaSystem
import FoveaTestKit
import Glibc
import SystemPackage
import Testing

/// `foveactl retrain` as people and cron run it, on the fixture's data and models.
extension EndToEnd {
    /// A state folder, corrections, and perhaps a daemon.
    private struct Night {
        let daemon: RunningDaemon
        var root: FilePath { daemon.root }
        var folder: FilePath { daemon.state.appending("retrain") }

        init(_ settings: String = "", plugins: FilePath? = nil, starting: Bool = false) throws {
            daemon = try RunningDaemon(try Self.configuration(settings, plugins), starting: starting)
        }

        /// - Parameter settings: further ones of `retrain`; `data` are the fixture's and `epochs` 30 where they are not
        ///   among them.
        private static func configuration(_ settings: String, _ plugins: FilePath?) throws -> [String: String] {
            let data = try settings.contains("data:") ? "" : "data: ['\(Fixture.shared().root)/data'], "
            let epochs = settings.contains("epochs:") ? "" : "epochs: 30, "
            return [
                "models": try champion.get().string, "plugins": "[\(plugins?.string ?? "")]",
                "retrain": "{\(data)\(epochs)\(settings)}",
            ]
        }

        /// What the next command finds, and a daemon that runs does not.
        func change(plugins: FilePath) throws {
            let changed = try Self.configuration("", plugins)
            try Files.replace(
                daemon.configuration,
                with: Fixture.configuration(root, models: FilePath(changed["models"]!), changed))
        }

        /// A store with a `tiny@1` that has learnt its four colours better than the fixture's.
        static let champion = Result { () throws -> FilePath in
            let root = try Fixture.shared().root
            let store = root.appending("champion")
            // Of no other store, or it would be the second version.
            let configuration = root.appending("champion.yaml")
            try Files.replace(
                configuration, with: Fixture.configuration(root, models: root.appending("none")))
            let outcome = try Programs.run(
                "fovea-train",
                [
                    "train", "--arch", "vanilla", "--data", "\(root)/data", "--name", "tiny", "--no-sharpen",
                    "--set", "channels=8,8,8,8", "--set", "hidden=[16]", "--set", "bnMomentum=0.9", "--set", "keep=1",
                    "--epochs", "16", "--batch", "16", "--learning-rate", "0.003", "--development", "4",
                    "--threads", "1", "--output", store.string, "--config", configuration.string, "--quiet",
                ])
            guard outcome.code == 0 else { throw TestFailure(description: "the champion: \(outcome.error)") }
            return store
        }

        /// Images of a colour, as corrections to a label.
        func correct(_ count: Int, to label: String, _ red: Int, _ green: Int, _ blue: Int, seed: UInt64 = 1) throws {
            var random = SplitMix64(seed: seed)
            func near(_ value: Int) -> Int { value + Int.random(in: -15...15, using: &random) }
            for number in 0..<count {
                let image = SyntheticImage.blob(
                    width: 32, height: 32, red: near(red), green: near(green), blue: near(blue), seed: random.next())
                try daemon.folder.write("fix/\(label)/\(seed)-\(number).png", image.png)
            }
        }

        func arguments(_ more: [String]) -> [String] {
            ["retrain", "--threads", "1", "--config", daemon.configuration.string] + more
        }

        func retrain(_ more: String...) throws -> Programs.Outcome {
            try Programs.run("foveactl", arguments(more))
        }

        var report: JSONValue {
            get throws {
                let bytes = try Files.read(folder.appending("report.json"))
                return try JSONDecoder().decode(JSONValue.self, from: Data(bytes))
            }
        }

        var serving: String? {
            get throws { try ActiveModel.read(daemon.state.appending("active.json"))?.active.identifier.description }
        }

        var models: FilePath { daemon.state.appending("models") }

        func weights(_ model: FilePath) throws -> [UInt8] { try Files.read(model.appending("model.safetensors")) }
    }

    /// A label that nobody had thought of: the head grows, the daemon swaps, and the next night has nothing to do.
    @Test func correctionsMakeABetterModelThatServes() throws {
        let night = try Night(starting: true)
        let daemon = night.daemon
        // The images went through the inbox first.
        try night.correct(120, to: "yellow", 200, 200, 40)
        let names = try Files.list(night.root.pushing("fix/yellow"))
        for name in names {
            try daemon.drop(
                FilePath(root: nil, components: name), Files.read(night.root.pushing("fix/yellow").appending(name)))
        }
        try daemon.waitForDocuments(120)
        try daemon.folder.write("fix/yellow/broken.png", [1, 2, 3])

        let rehearsal = try night.retrain("--dry-run")
        #expect(rehearsal.code == 0 && rehearsal.output.contains("new labels   yellow"), "\(rehearsal)")
        #expect(rehearsal.output.contains("\ncorrections  yellow \(names.count)\n"), "\(rehearsal)")
        #expect(rehearsal.output.contains("left out     yellow/broken.png"))
        #expect(try Files.statusIfPresent(night.folder) == nil, "a rehearsal writes nothing")

        let outcome = try night.retrain("--quiet")
        #expect(outcome.code == 0, "\(outcome)")
        #expect(outcome.output.hasPrefix("retrain: promoted tiny@2 over tiny@1: +"), "\(outcome.output)")
        #expect(outcome.output.split(separator: "\n").count == 1 && outcome.error.isEmpty, "\(outcome)")
        #expect(try daemon.status().model?.version == "2")
        let report = try night.report
        #expect(report["outcome"]?.string == "promoted")
        #expect(report["newLabels"] == .array([.string("yellow")]))
        let text = String(decoding: try Files.read(night.folder.appending("report.md")), as: UTF8.self)
        #expect(text.contains("`yellow/broken.png`"), "\(text)")
        #expect(text.contains("| held-back corrections |") && text.contains("| the data's images |"), "\(text)")

        let model = try ModelStore(bundled: nil, trained: daemon.state.appending("models")).resolve("tiny@2")
        let verified = try ModelFolder.verify(model.folder)
        #expect(verified.configuration.labels == Fixture.labels + ["yellow"])
        #expect(verified.configuration.base?.identifier.description == "tiny@1")
        // Its figures are of the images that judged it.
        let judged = report["gate"]?["all"]
        #expect(verified.configuration.metrics?["dev"]?["images"] == judged?["images"])
        let accuracies = [verified.configuration.metrics?["dev"]?["top1"], judged?["challenger"]].map {
            $0?.double ?? 0
        }
        #expect(abs(accuracies[0] - accuracies[1]) < 1e-9 && accuracies[0] > 0.5, "\(accuracies)")
        // Each correction with the result that it puts right.
        let lines = try Files.read(model.folder.pushing("training/corrections.jsonl")).split(separator: 0x0A)
        #expect(lines.count == 120)
        for line in lines {
            let correction = try JSONDecoder().decode(JSONValue.self, from: Data(line))
            #expect(correction["label"]?.string == "yellow")
            #expect(correction["digest"]?.string?.wholeMatch(of: /[0-9a-f]{16}/) != nil, "\(correction)")
            #expect(correction["earlier"]?["model"]?.string == "tiny@1", "\(correction)")
        }

        try night.correct(20, to: "../stage/new", 200, 200, 40, seed: 9)
        for name in try Files.list(night.root.pushing("stage/new")) {
            try daemon.drop(
                FilePath(root: nil, components: name), Files.read(night.root.pushing("stage/new").appending(name)))
        }
        try daemon.waitForDocuments(140)
        let fresh = try daemon.results.filter { $0.record.file.hasPrefix("9-") }
        #expect(fresh.count == 20)
        #expect(fresh.count { $0.record.label == "yellow" } > 10, "the champion has no such label")

        let again = try night.retrain("--quiet")
        #expect(again.code == 11 && again.output.isEmpty && again.error.isEmpty, "\(again)")
        try daemon.stop()
    }

    /// Wrong corrections teach nothing that the held-back images confirm.
    @Test func poisonedCorrectionsAreNotPromoted() throws {
        let night = try Night()
        let colours = [(60, 60, 190), (60, 190, 60), (120, 120, 120), (190, 60, 60)]
        for (index, label) in Fixture.labels.enumerated() {
            for (other, colour) in colours.enumerated() where other != index {
                try night.correct(
                    12, to: label, colour.0, colour.1, colour.2, seed: UInt64(10 * index + other))
            }
        }
        let outcome = try night.retrain("--mail")
        #expect(outcome.code == 10, "\(outcome)")
        #expect(outcome.output.hasPrefix("# Retraining of tiny@1") && outcome.error.isEmpty, "\(outcome)")
        #expect(outcome.output.contains("kept tiny@1; the challenger is not promoted: it is"))
        #expect(try night.serving == nil, "nothing has changed")
        #expect(try Files.statusIfPresent(night.daemon.state.appending("models")) == nil)
        // It can be looked at until the next one.
        let challenger = night.folder.pushing("challengers/tiny/2")
        #expect(try ModelFolder.verify(challenger).configuration.version == "2")
        let comparison = try night.daemon.ctl(
            "model", "compare", "tiny@1", challenger.string, "--data", "\(night.daemon.fixture.root)/images")
        #expect(comparison.code == 0 && comparison.output.hasPrefix("tiny@1 and tiny@2 differ on"), "\(comparison)")
        #expect(try night.retrain("--quiet").code == 11)
    }

    /// Wrong in the same way, they confirm each other; the data sets' images do not.
    @Test func correctionsThatAreAllWrongAreNotPromoted() throws {
        let night = try Night()
        try night.correct(120, to: "blue", 190, 60, 60)
        let outcome = try night.retrain("--quiet")
        #expect(outcome.code == 10, "\(outcome)")
        #expect(try night.serving == nil)
    }

    @Test func aBetterChallengerMayWait() throws {
        let night = try Night("protected: [red]")
        try night.correct(120, to: "yellow", 200, 200, 40)
        let outcome = try night.retrain("--no-promote", "--json")
        #expect(outcome.code == 12, "\(outcome)")
        let report = try JSONDecoder().decode(JSONValue.self, from: Data(outcome.output.utf8))
        #expect(report["outcome"]?.string == "better" && report["challenger"]?.string == "tiny@2")
        #expect(try night.serving == "tiny@1", "a bare name would mean the newest version")
        try night.daemon.start()
        #expect(try night.daemon.ctl("model", "swap", "tiny@2").code == 0)
        #expect(try night.retrain("--quiet").code == 11, "the challenger serves, and nothing is new")
        // The one that serves stays.
        let removal = try night.daemon.ctl("model", "remove", "tiny@2")
        #expect(removal.code == 77 && removal.error.contains("active"), "\(removal)")
        try night.daemon.stop()
    }

    /// And the next night goes on from there: with the rates of the first training, and what was held back held back.
    @Test func withoutADaemonTheNextStartServesIt() throws {
        let night = try Night("keep: 1")
        try night.correct(120, to: "yellow", 200, 200, 40)
        #expect(try night.retrain("--quiet").code == 0)
        #expect(try night.serving == "tiny@2")
        try night.correct(120, to: "violet", 200, 40, 200, seed: 2)
        let second = try night.retrain("--quiet")
        #expect(second.code == 0 && second.output.contains("promoted tiny@3 over tiny@2"), "\(second)")
        let store = ModelStore(bundled: try Fixture.shared().root.appending("champion"), trained: night.models)
        func training(_ model: String) throws -> JSONValue {
            try #require(try store.resolve(model).configuration.training).json
        }
        #expect(try training("tiny@3")["settings"] == training("tiny@2")["settings"])
        #expect(try training("tiny@3")["recipe"] == training("tiny@1")["settings"])
        #expect(try store.resolve("tiny@3").configuration.labels == Fixture.labels + ["yellow", "violet"])
        let learnt = try ["tiny@1", "tiny@2", "tiny@3"].map {
            try Files.read(store.resolve($0).folder.pushing("training/learnt.digests")).count
        }
        #expect(learnt[0] < learnt[1] && learnt[1] < learnt[2])
        // Its predecessor is kept, however few versions are.
        #expect(try store.list().map(\.identifier.description) == ["tiny@1", "tiny@2", "tiny@3"])
        let removal = try night.daemon.ctl("model", "remove", "tiny@2")
        #expect(removal.code == 77 && removal.error.contains("rollback"), "\(removal)")

        // Back and forth before anything serves.
        for model in ["tiny@2", "tiny@3"] {
            let back = try night.daemon.ctl("model", "rollback")
            #expect(
                back.code == 0 && (back.output + back.error).contains("\(model) serves from its next start on"),
                "\(back)")
            #expect(try night.serving == model)
        }

        try night.daemon.start()
        #expect(try night.daemon.status().model?.version == "3")
        // What may be on its way to serve is not removed, nor served what may be on its way out.
        let lock = try #require(try store.lock())
        for command in [["remove", "tiny@2"], ["swap", "tiny@2"]] {
            let busy = try night.daemon.ctl("model", command[0], command[1])
            #expect(busy.code == 75 && busy.error.contains("try again"), "\(busy)")
        }
        lock.release()
        #expect(try night.daemon.ctl("model", "rollback").code == 0)
        #expect(try night.daemon.status().model?.version == "2")
        try night.daemon.stop()
    }

    /// Killed again and again, by SIGKILL, wherever it is: the weights are those of one that was left alone.
    @Test func aRetrainingThatIsKilledGoesOnToTheSameWeights() throws {
        let (whole, killed) = (try Night(), try Night())
        for night in [whole, killed] { try night.correct(120, to: "yellow", 200, 200, 40) }
        let begin = monotonicNanoseconds()
        #expect(try whole.retrain("--quiet").code == 0)
        let duration = monotonicNanoseconds() - begin
        var random = SplitMix64(seed: 3)
        // Ten times a twelfth of it on the average, some of which is lost each time: the end is not reached before.
        for number in 1...10 {
            let child = try ChildProcess(
                executable: try Programs.path("foveactl"), arguments: killed.arguments(["--quiet"]),
                environment: ["PATH=/usr/bin:/bin"], output: nil, error: nil)
            usleep(UInt32.random(in: 20_000...UInt32(max(40_000, duration / 6000)), using: &random))
            child.signal(SIGKILL)
            #expect(child.wait() == .killed(signal: SIGKILL), "kill \(number)")
        }
        let last = try killed.retrain()
        #expect(last.code == 0, "\(last)")
        // It did not begin at the beginning.
        #expect(last.error.contains("going on with the retraining of"), "\(last)")
        #expect(!last.error.contains("epoch 1/30"), "\(last)")
        let models = [whole, killed].map { $0.daemon.state.pushing("models/tiny/2") }
        #expect(try whole.weights(models[0]) == killed.weights(models[1]))
        for night in [whole, killed] {
            #expect(try Files.statusIfPresent(night.folder.appending("run")) == nil)
            #expect(try night.serving == "tiny@2")
            #expect(try night.report["outcome"]?.string == "promoted")
            #expect(try Files.list(night.models.appending("tiny")).count == 1, "once")
        }
    }

    /// What a crash of the machine may leave of it.
    @Test(arguments: [true, false]) func aDamagedCheckpointIsBegunAnew(isEmpty: Bool) throws {
        let (whole, damaged) = (try Night(), try Night())
        for night in [whole, damaged] { try night.correct(120, to: "yellow", 200, 200, 40) }
        #expect(try whole.retrain("--quiet").code == 0)
        #expect(try damaged.retrain("--quiet", "--budget", "1ms").code == 75)
        let checkpoint = damaged.folder.pushing("run/checkpoint")
        var bytes = try Files.read(checkpoint)
        bytes[bytes.count / 2] ^= 1
        try Files.replace(checkpoint, with: isEmpty ? [] : bytes)
        let outcome = try damaged.retrain("--budget", "1h")
        #expect(outcome.code == 0, "\(outcome)")
        #expect(outcome.error.contains("the checkpoint cannot be gone on from, and training begins anew"), "\(outcome)")
        let models = [whole, damaged].map { $0.models.pushing("tiny/2") }
        #expect(try whole.weights(models[0]) == damaged.weights(models[1]))
    }

    /// A recipe that cannot work is not tried every night, and the report says what happened.
    @Test func aTrainingThatDivergesIsReportedOnce() throws {
        let night = try Night()
        let tiny = try ModelStore(bundled: nil, trained: Night.champion.get()).resolve("tiny@1").folder
        let verified = try ModelFolder.verify(tiny)
        var model = verified.configuration
        model.version = "2"
        let recipe = JSONValue.object(["settings": .object(["learningRate": .number(1e30)])])
        model.training = model.training.map { Provenance(json: $0.json.merging(recipe)) }
        try ModelStore(bundled: nil, trained: night.models).add(
            configuration: model, weights: night.weights(tiny), golden: verified.golden)
        try night.correct(120, to: "yellow", 200, 200, 40)
        let outcome = try night.retrain("--mail")
        #expect(outcome.code == 65, "\(outcome)")
        #expect(
            outcome.output.contains("kept tiny@2, for the training failed: the loss is no longer a number in epoch 1"),
            "\(outcome)")
        #expect(try night.report["outcome"]?.string == "failed" && night.report["gate"] == .null)
        #expect(try night.retrain("--quiet").code == 11)
        #expect(try Files.list(night.models.appending("tiny")).count == 1)
    }

    /// A challenger that passes the gate and not the daemon's own proof, here since a plugin of the daemon's is broken.
    @Test func whatTheDaemonRefusesDoesNotServe() throws {
        let plugins = try TemporaryFolder()
        try TrapPlugin.compile("", in: plugins)
        let night = try Night(plugins: plugins.path.appending("plugins"), starting: true)
        let daemon = night.daemon
        try TrapPlugin.serve(daemon)
        try Files.rename(plugins.path.appending("plugins"), to: plugins.path.appending("sound"))
        try TrapPlugin.compile("abort();", when: "1", in: plugins)
        try night.change(plugins: plugins.path.appending("sound"))

        try night.correct(120, to: "yellow", 200, 200, 40)
        let outcome = try night.retrain("--quiet")
        #expect(outcome.code == 65, "\(outcome)")
        #expect(
            outcome.output.hasPrefix("retrain: kept trapped@1, though the challenger is better: The daemon refused it"))
        #expect(try night.report["outcome"]?.string == "refused")
        #expect(try Files.list(night.models.appending("trapped")).count == 1, "or its bare name would mean it")
        let challenger = try #require(try night.report["challengerFolder"]?.string)
        #expect(try ModelFolder.verify(FilePath(challenger)).configuration.version == "2")
        #expect(try night.retrain("--quiet").code == 11)

        #expect(try daemon.status().model?.name == "trapped")
        try daemon.drop(daemon.fixture.images.prefix(20))
        try daemon.waitForDocuments(20)
        #expect(try daemon.results.allSatisfy { $0.record.model.name == "trapped" && $0.record.model.version == "1" })
        try daemon.stop()
    }

    @Test func onlyOneRetrainsAtATime() throws {
        let night = try Night()
        try night.correct(120, to: "yellow", 200, 200, 40)
        try Files.makeDirectories(night.folder)
        let lock = try #require(try Files.lock(night.folder.appending("lock")))
        let outcome = try night.retrain("--quiet")
        #expect(outcome.code == 75 && outcome.error.contains("another retraining is running"), "\(outcome)")
        try lock.close()
    }

    /// A budget that ends leaves a checkpoint, and the next call goes on.
    @Test func outOfTimeItGoesOnAtTheNextCall() throws {
        let night = try Night()
        try night.correct(120, to: "yellow", 200, 200, 40)
        let outcome = try night.retrain("--quiet", "--budget", "1ms")
        #expect(outcome.code == 75, "\(outcome)")
        #expect(outcome.error.contains("the next `foveactl retrain` goes on from here"), "\(outcome.error)")
        #expect(try Files.statusIfPresent(night.folder.pushing("run/checkpoint")) != nil)
        // What comes in between is for the next one.
        try night.correct(40, to: "violet", 200, 60, 200)
        let resumed = try night.retrain("--quiet", "--budget", "1h")
        #expect([0, 10].contains(resumed.code), "\(resumed)")
        #expect(try night.report["newLabels"] == .array([.string("yellow")]))
        #expect(try night.retrain("--dry-run").output.contains("violet"))
    }

    /// Where none are configured.
    @Test func theDataThatTheChampionWasTrainedOnAreTaken() throws {
        let night = try Night("data: []")
        try night.correct(120, to: "yellow", 200, 200, 40)
        let missing = try night.retrain("--quiet")
        #expect(missing.code == 66, "\(missing)")
        #expect(missing.error.contains("`foveactl dataset import PATH --name data` takes it in"), "\(missing)")
        let source = try Fixture.shared().root.appending("data")
        #expect(try night.daemon.ctl("dataset", "import", source.string, "--name", "data").code == 0)
        #expect(try night.retrain("--quiet").code == 0)
    }

    /// The daemon classifies throughout, by the champion and then by the challenger, and loses nothing.
    @Test func imagesKeepFlowingWhileItRetrains() throws {
        let night = try Night(starting: true)
        let daemon = night.daemon
        try night.correct(120, to: "yellow", 200, 200, 40)
        let images = daemon.fixture.images
        var dropped = 0
        func drop() throws {
            let image = images[dropped % images.count]
            try daemon.drop(FilePath("flow/\(dropped).png"), image.bytes)
            dropped += 1
            usleep(20_000)
        }
        // It finds the daemon by the option, which goes before what the file says.
        let socket = daemon.root.appending("s")
        let configuration = night.root.appending("elsewhere.yaml")
        let text = String(decoding: try Files.read(daemon.configuration), as: UTF8.self)
        try Files.replace(
            configuration, with: Array(text.replacingOccurrences(of: socket.string, with: "\(socket)-none").utf8))
        let retraining = try ChildProcess(
            executable: try Programs.path("foveactl"),
            arguments: [
                "retrain", "--threads", "1", "--config", configuration.string, "--socket", socket.string, "--quiet",
            ],
            environment: ["PATH=/usr/bin:/bin"])
        var ending: ChildProcess.Ending?
        while ending == nil {
            try drop()
            ending = retraining.endingIfEnded()
        }
        #expect(ending == .exited(0))
        for _ in 0..<20 { try drop() }
        try daemon.waitForDocuments(dropped)
        #expect(try daemon.failures.isEmpty)
        let results = try daemon.results
        #expect(Set(results.map(\.record.file)).count == dropped && results.count == dropped)
        let versions = Dictionary(grouping: results, by: \.record.model.version).mapValues(\.count)
        #expect(Set(versions.keys) == ["1", "2"] && versions["2"] ?? 0 >= 20, "\(versions)")
        try daemon.stop()
    }

    /// A label that only corrections have shown, and they are gone: it would be forgotten, and nothing would show it.
    @Test func whatWouldBeForgottenIsNotTrainedAway() throws {
        let night = try Night()
        try night.correct(120, to: "yellow", 200, 200, 40)
        #expect(try night.retrain("--quiet").code == 0)
        try Files.removeTree(night.root.pushing("fix/yellow"))
        try night.correct(120, to: "violet", 150, 40, 200)
        for arguments in [["--quiet"], ["--dry-run"]] {
            let refused = try Programs.run("foveactl", night.arguments(arguments))
            #expect(refused.code == 65 && refused.error.contains("tiny@2 knows yellow"), "\(refused)")
            #expect(refused.error.contains("corrections/yellow") && refused.error.contains("retrain.forget"))
        }
        #expect(try night.serving == "tiny@2")
        let text = String(decoding: try Files.read(night.daemon.configuration), as: UTF8.self)
        try Files.replace(
            night.daemon.configuration, with: text.replacing("epochs: 30, ", with: "epochs: 30, forget: [yellow]").utf8)
        let rehearsal = try night.retrain("--dry-run")
        #expect(rehearsal.code == 0 && rehearsal.output.contains("no held-back image shows yellow"), "\(rehearsal)")
        let outcome = try night.retrain("--quiet")
        // Trained and judged; whether it is better is not the question here.
        #expect([0, 10].contains(outcome.code), "\(outcome)")
        #expect(try night.report["challengerFolder"] != nil || night.serving == "tiny@3", "\(outcome)")
    }

    @Test func nothingToLearnIsSaidAtOnce() throws {
        let night = try Night()
        let outcome = try night.retrain()
        #expect(
            outcome.code == 11 && outcome.error.contains("nothing new to learn from: tiny@1 serves on"), "\(outcome)")
        try night.correct(3, to: "yellow", 200, 200, 40)
        let few = try night.retrain("--quiet")
        #expect(few.code == 11 && few.error.contains("a new label with 3 images"), "\(few)")
    }

    private static let package = FilePath(#filePath).removingLastComponent().removingLastComponent()
        .removingLastComponent()

    private static let analyze: FilePath = "/usr/bin/systemd-analyze"

    @Test(
        .enabled("where systemd is there to say so") { try Files.statusIfPresent(analyze, followingLinks: true) != nil }
    )
    func systemdUnderstandsItsUnits() throws {
        let folder = try TemporaryFolder()
        let units = try ["service", "timer"].flatMap { ["fovea-retrain.\($0)", "fovea-retrain-unfinished.\($0)"] }.map {
            name in
            let text = String(
                decoding: try Files.read(Self.package.appending("etc").appending("systemd").appending(name)),
                as: UTF8.self)
            return try folder.write(
                name, Array(text.replacing("/usr/local/bin/foveactl", with: Programs.path("foveactl").string).utf8)
            ).string
        }
        let said = try memoryFile("said")
        defer { try? said.close() }
        let child = try ChildProcess(
            executable: Self.analyze, arguments: ["verify"] + units, environment: ["PATH=/usr/bin:/bin"], output: said,
            error: said)
        #expect(child.wait() == .exited(0))
        // A key that it does not know is no error to it, but is said.
        #expect(String(decoding: try Files.read(said, count: Files.status(of: said).size), as: UTF8.self) == "")
    }

    /// sched(7): below everybody in its session, and its session below all others.
    @Test func itTakesOnlyWhatNobodyElseWants() throws {
        let night = try Night("epochs: 100000, budget: 30d")
        try night.correct(120, to: "yellow", 200, 200, 40)
        // As cron: no terminal.
        let child = try ChildProcess(
            executable: "/usr/bin/setsid", arguments: [Programs.path("foveactl").string] + night.arguments(["--quiet"]),
            environment: ["PATH=/usr/bin:/bin"])
        defer {
            child.signal(SIGKILL)
            _ = child.wait()
        }
        try eventually("it trains") { try Files.statusIfPresent(night.folder.pushing("run/checkpoint")) != nil }
        func read(_ name: String) throws -> String {
            let file = try Files.open(FilePath("/proc/\(child.pid)/\(name)"))
            defer { try? file.close() }
            return String(decoding: try Files.read(file, count: 4096), as: UTF8.self)
        }
        let threads = try Files.list(FilePath("/proc/\(child.pid)/task")).map(\.string)
        #expect(!threads.isEmpty)
        for thread in threads {
            // proc(5): the third field follows the name, which is in parentheses.
            let fields = try #require(read("task/\(thread)/stat").split(separator: ")").last).split(separator: " ")
            func field(_ number: Int) -> Int? { Int(fields[number - 3]) }
            #expect(field(41) == 5, "SCHED_IDLE")
            #expect(field(19) == 19, "nice")
            #expect(field(6) == Int(child.pid), "a session of its own")
        }
        if try Files.statusIfPresent("/proc/self/autogroup") != nil {
            #expect(try read("autogroup").contains("nice 19"))
        }
        let disk = try memoryFile("disk")
        defer { try? disk.close() }
        let ionice = try ChildProcess(
            executable: "/usr/bin/ionice", arguments: ["-p", "\(child.pid)"], environment: [], output: disk)
        #expect(ionice.wait() == .exited(0))
        #expect(String(decoding: try Files.read(disk, count: 100), as: UTF8.self).hasPrefix("idle"))
    }

    /// From scratch: a network of the preset's, that owes the champion nothing.
    @Test func fromScratchItBeginsAnew() throws {
        let night = try Night("start: scratch, preset: fast")
        let outcome = try night.retrain("--no-promote")
        #expect(outcome.code == 12 || outcome.code == 10, "\(outcome)")
        #expect(
            !outcome.error.contains("epoch 6/30") && outcome.error.contains("epoch 6/6"),
            "the preset's epochs: \(outcome)")
        let folder = try #require(try night.report["challengerFolder"]?.string)
        let model = try ModelFolder.verify(FilePath(folder)).configuration
        #expect(model.network?["architecture"]?.string == "foveanet" && model.base == nil)
        #expect(model.labels == Fixture.labels && model.version == "2")
        // The same once more, only where it is asked for.
        #expect(try night.retrain("--quiet", "--no-promote").code == 11)
        let forced = try night.retrain("--quiet", "--no-promote", "--force", "--budget", "1ms")
        #expect(forced.code == 75 && forced.error.contains("stopped"), "\(forced)")

        let unknown = try Night("start: scratch, preset: slow")
        let refusal = try unknown.retrain()
        #expect(refusal.code == 78 && refusal.error.contains("retrain.preset 'slow'"), "\(refusal)")
    }

    /// An unfinished one is gone on with, or given up where that is asked for.
    @Test func anUnfinishedOneCanBeGivenUp() throws {
        let night = try Night()
        try night.correct(120, to: "yellow", 200, 200, 40)
        func plan() throws -> String? {
            try JSONDecoder().decode(JSONValue.self, from: Data(try Files.read(night.folder.pushing("run/plan.json"))))[
                "id"]?
                .string
        }
        #expect(try night.retrain("--quiet", "--budget", "1ms").code == 75)
        let first = try #require(try plan())
        #expect(try night.retrain("--quiet", "--budget", "1ms").code == 75)
        #expect(try plan() == first)
        #expect(try night.retrain("--quiet", "--budget", "1ms", "--restart").code == 75)
        #expect(try plan() != first)
        // With the one epoch that seemed to fit.
        let last = try night.retrain("--quiet", "--budget", "1h")
        #expect(last.code == 0 || last.code == 10, "\(last)")
        #expect(try Files.statusIfPresent(night.folder.appending("run")) == nil)
    }

    /// Nothing of it is written, and what the night would stop at is said now.
    @Test func aRehearsalFindsWhatWouldStopTheNight() throws {
        func rehearse(_ settings: String, json: Bool = false) throws -> Programs.Outcome {
            let night = try Night(settings)
            for label in ["yellow", "Red"] {
                try night.correct(12, to: label, 200, 200, 40, seed: label == "Red" ? 3 : 4)
            }
            let outcome = try Programs.run(
                "foveactl", night.arguments(["--dry-run"] + (json ? ["--json"] : [])))
            #expect(try Files.statusIfPresent(night.folder) == nil)
            return outcome
        }
        let preset = try rehearse("start: scratch, preset: slow")
        #expect(preset.code == 78 && preset.error.contains("retrain.preset 'slow'"), "\(preset)")
        let protected = try rehearse("protected: [rad]")
        #expect(protected.code == 78 && protected.error.contains("did you mean 'red'?"), "\(protected)")
        let notes = try rehearse("forget: [blu]")
        #expect(notes.code == 0, "\(notes)")
        #expect(notes.output.contains("retrain.forget: there is no label 'blu', did you mean 'blue'?"), "\(notes)")
        #expect(notes.output.contains("'Red' is a new label beside 'red'"), "\(notes)")
        let json = try rehearse("fewest: 5", json: true)
        let value = try JSONDecoder().decode(JSONValue.self, from: Data(json.output.utf8))
        #expect(json.code == 0 && value["new"] == .bool(true) && value["champion"]?.string == "tiny@1", "\(json)")
        #expect(value["newLabels"] == .array([.string("Red"), .string("yellow")]))
        #expect(value["byLabel"]?["yellow"] == .int(12))
        let budget = try rehearse("budget: 0s")
        #expect(budget.code == 78 && budget.error.contains("a time above 0"), "\(budget)")
    }

    /// A daemon works there and cannot be asked; and when it is gone another model serves.
    @Test func aChallengerWaitsForADaemonThatDoesNotAnswer() throws {
        let night = try Night("protected: [red]")
        try night.correct(120, to: "yellow", 200, 200, 40)
        try Files.makeDirectories(night.daemon.state)
        let lock = try #require(try FolderLock.take(night.daemon.state))
        let outcome = try night.retrain("--quiet")
        #expect(outcome.code == 75 && outcome.error.contains("does not answer"), "\(outcome)")
        let rollback = try night.daemon.ctl("model", "rollback")
        #expect(rollback.code == 69, "\(rollback)")
        // Of another daemon's socket the state folder is not known.
        let elsewhere = try night.daemon.ctl("model", "rollback", "--socket", "/nowhere.sock")
        #expect(elsewhere.code == 69, "\(elsewhere)")
        try lock.close()
        // The next call goes on there.
        let second = try night.retrain("--quiet")
        #expect(second.code == 0 && second.output.contains("promoted tiny@2 over tiny@1"), "\(second)")
        // And one that is unfinished is of no use to another champion.
        try night.correct(40, to: "violet", 200, 60, 200, seed: 2)
        #expect(try night.retrain("--quiet", "--budget", "1ms").code == 75)
        #expect(try night.daemon.ctl("model", "rollback").code == 0)
        let third = try night.retrain("--budget", "1ms")
        #expect(third.code == 75, "\(third)")
        #expect(
            third.error.contains("is given up, tiny@1 serves now instead of tiny@2"), "\(third)")
    }

    /// What nobody needs any more goes after a promotion; what is pinned, or has been the beginning of one that is needed,
    /// stays.
    @Test func oldVersionsAreRemovedAfterAPromotion() throws {
        let night = try Night("keep: 1")
        let champion = try ModelStore(bundled: nil, trained: Night.champion.get()).resolve("tiny@1").folder
        let verified = try ModelFolder.verify(champion)
        let store = ModelStore(bundled: try Night.champion.get(), trained: night.models)
        for version in ["1.1", "1.2", "1.3"] {
            var model = verified.configuration
            model.version = version
            try store.add(configuration: model, weights: night.weights(champion), golden: verified.golden)
        }
        #expect(try night.daemon.ctl("model", "pin", "tiny@1.1").code == 0)
        #expect(try night.daemon.ctl("model", "list").output.contains("trained, pinned"))
        // The newest is what the configuration's bare name means.
        try night.correct(120, to: "yellow", 200, 200, 40)
        let outcome = try night.retrain("--json")
        #expect(outcome.code == 0, "\(outcome)")
        let report = try night.report
        #expect(report["champion"]?.string == "tiny@1.3" && report["challenger"]?.string == "tiny@2")
        #expect(report["removed"] == .array([.string("tiny@1.2")]))
        #expect(try store.list().map(\.identifier.description) == ["tiny@1", "tiny@1.1", "tiny@1.3", "tiny@2"])

        func refusal(_ model: String) throws -> String {
            let outcome = try night.daemon.ctl("model", "remove", model)
            #expect(outcome.code == 77, "\(outcome)")
            return outcome.error
        }
        #expect(try refusal("tiny@2").contains("is the active model"))
        #expect(try refusal("tiny@1.3").contains("is what a rollback would go to"))
        #expect(try refusal("tiny@1.1").contains("is pinned"))
        // A version in between: what serves was trained on one that no rollback goes to.
        try night.daemon.start()
        #expect(try night.daemon.ctl("model", "swap", "tiny@1").code == 0)
        #expect(try night.daemon.ctl("model", "swap", "tiny@2").code == 0)
        try night.daemon.stop()
        #expect(try refusal("tiny@1.3").contains("is what tiny@2 was trained on"))
        #expect(try night.daemon.ctl("model", "unpin", "tiny@1.1").code == 0)
        #expect(try night.daemon.ctl("model", "remove", "tiny@1.1").code == 0)
        #expect(try store.list().map(\.identifier.description) == ["tiny@1", "tiny@1.3", "tiny@2"])
    }

    /// What cron and systemd run, taken from the files that are installed, with what they give a command: next to nothing.
    @Test(arguments: [
        "cron.d/fovea-retrain", "systemd/fovea-retrain.service", "systemd/fovea-retrain-unfinished.service",
    ])
    func cronAndSystemdRunIt(_ file: String) throws {
        let night = try Night()
        try night.correct(120, to: "yellow", 200, 200, 40)
        let text = String(decoding: try Files.read(Self.package.pushing(FilePath("etc/\(file)"))), as: UTF8.self)
        let lines = text.split(separator: "\n").filter { $0.contains("foveactl retrain --") && !$0.hasPrefix("#") }
        let commands: [String] =
            if file.hasPrefix("cron") {
                // crontab(5): when, the user, the command.
                try lines.map {
                    String(try #require($0.wholeMatch(of: /(?:@reboot|\d+ \d+ \* \* \*) fovea (.+)/)).output.1)
                }
            } else {
                lines.map { String($0.split(separator: "=", maxSplits: 1)[1]) }
            }
        let program = try Programs.path("foveactl")
        func run(_ command: String) throws -> (code: ChildProcess.Ending, said: String) {
            let changed = command.replacing("/usr/local/bin/foveactl", with: "foveactl")
                .replacing("/etc/fovea/fovea.yaml", with: night.daemon.configuration.string)
            let outcome = try ChildProcess.run(
                "/bin/sh", ["-c", changed],
                environment: ["PATH=\(program.removingLastComponent()):/usr/bin:/bin"], limit: 600)
            #expect(outcome.error.isEmpty, "cron would mail it")
            return (outcome.ending, String(decoding: outcome.output, as: UTF8.self))
        }
        // After a reboot that has interrupted nothing, nothing is begun.
        for command in commands where command.contains("--unfinished") {
            #expect(try run(command) == (.exited(11), ""))
        }
        let nightly = commands.filter { !$0.contains("--unfinished") }
        #expect(nightly.count == (file.contains("unfinished") ? 0 : 1))
        guard let command = nightly.first else { return }
        let (code, said) = try run(command)
        #expect(code == .exited(0) && said.contains("promoted tiny@2 over tiny@1"), "\(said)")
        if file.hasPrefix("systemd") { #expect(said.split(separator: "\n").count == 1, "one line for the journal") }
    }
}
