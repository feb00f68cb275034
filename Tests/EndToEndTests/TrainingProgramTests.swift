import FoundationEssentials
import FoveaModels
import FoveaSystem
import FoveaTestKit
import Glibc
import SystemPackage
import Testing

/// `fovea-train` as cron and people run it.
extension EndToEnd {
    /// Two classes, thirty images each, and a configuration.
    private struct Ground {
        let folder: TemporaryFolder
        let configuration: FilePath
        var root: FilePath { folder.path }

        init() throws {
            folder = try TemporaryFolder()
            for number in 0..<30 {
                for (label, red) in [("dark", 60), ("light", 190)] {
                    let image = SyntheticImage.blob(
                        width: 16, height: 16, red: red + number, green: red, blue: red, seed: UInt64(number))
                    try folder.write("data/\(label)/\(number).png", image.png)
                }
            }
            configuration = try folder.write(
                "fovea.yaml", Fixture.configuration(folder.path, models: folder.path.appending("none")))
        }

        func arguments(_ name: String, epochs: Int, _ more: [String] = []) -> [String] {
            [
                "train", "--arch", "vanilla", "--data", "\(root)/data", "--name", name, "--set", "channels=8,8,8,8",
                "--set", "hidden=[16]", "--epochs", "\(epochs)", "--threads", "1", "--quiet",
                "--config", configuration.string,
            ] + more
        }

        func train(_ name: String, epochs: Int, _ more: [String] = []) throws -> Programs.Outcome {
            try Programs.run("fovea-train", arguments(name, epochs: epochs, more))
        }

        func weights(_ name: String) throws -> [UInt8] {
            try Files.read(root.pushing(FilePath("var/models/\(name)/1/model.safetensors")))
        }
        func checkpoint(_ name: String) -> FilePath { root.pushing(FilePath("var/training/\(name).checkpoint")) }
    }

    /// By Ctrl-C, which leaves a checkpoint within an epoch, and by SIGKILL, which leaves the last epoch's.
    @Test func aTrainingThatWasStoppedOrKilledEndsWithTheSameWeights() throws {
        let ground = try Ground()
        let epochs = 60
        #expect(try ground.train("whole", epochs: epochs).code == 0)
        #expect(try Files.statusIfPresent(ground.checkpoint("whole")) == nil)
        for (name, signal) in [("stopped", SIGINT), ("killed", SIGKILL)] {
            let file = try ground.folder.write("\(name).log", [])
            let log = try Files.open(file, O_WRONLY | O_APPEND)
            defer { try? log.close() }
            let child = try ChildProcess(
                executable: try Programs.path("fovea-train"), arguments: ground.arguments(name, epochs: epochs),
                environment: ["PATH=/usr/bin:/bin"], output: log, error: log)
            try eventually("the first checkpoint of \(name)") {
                try Files.statusIfPresent(ground.checkpoint(name)) != nil
            }
            child.signal(signal)
            let ending = child.wait()
            let text = String(decoding: try Files.read(file), as: UTF8.self)
            #expect(ending == (signal == SIGINT ? .exited(75) : .killed(signal: signal)), "\(text)")
            if signal == SIGINT { #expect(text.contains("to go on: foveactl train") && text.contains("--resume")) }

            // Nothing tramples on it, neither a new training nor one of other data or settings.
            let again = try ground.train(name, epochs: epochs)
            #expect(again.code == 73 && again.error.contains("unfinished training"), "\(again.error)")
            let resume = ["--resume", ground.checkpoint(name).string]
            let other = try ground.train(name, epochs: epochs, resume + ["--learning-rate", "0.5"])
            #expect(other.code == 65 && other.error.contains("learningRate was"), "\(other.error)")
            let undivided = try ground.train(name, epochs: epochs, resume + ["--development", "0"])
            #expect(undivided.code == 65 && undivided.error.contains("development was"), "\(undivided.error)")

            // As a kill leaves it in the middle of a checkpoint.
            try ground.folder.write("var/training/.\(name).checkpoint.123.tmp", [1, 2, 3])
            let resumed = try ground.train(name, epochs: epochs, resume)
            #expect(resumed.code == 0, "\(resumed.error)")
            #expect(try ground.weights(name) == ground.weights("whole"))
            #expect(try Files.list(ground.root.pushing("var/training")).isEmpty)
        }
    }

    /// Ten times at random moments, with checkpoints in the middle of epochs, and gone on with each time.
    @Test(arguments: [
        ["--averaging", "ema:0.9", "--augment", "flip,crop=2,blur=0.3,cutmix=0.3"],
        [
            "--arch", "foveanet", "--set", "widths=8,8,8", "--set", "middles=8,8,8", "--optimizer", "muon", "--threads",
            "2",
            "--sizes", "14:0.5", "--averaging", "lookahead:5:0.5",
        ],
    ])
    func aTrainingKilledAtRandomMomentsEndsWithTheSameWeights(_ kind: [String]) throws {
        let ground = try Ground()
        func arguments(_ name: String, _ more: [String] = []) -> [String] {
            // Of an option that stands twice the last one counts, but settings of another network do not go.
            var all = ground.arguments(name, epochs: 40)
            if kind.contains("--arch") {
                for setting in ["channels=8,8,8,8", "hidden=[16]"] {
                    let place = all.firstIndex(of: setting)!
                    all.removeSubrange(place - 1...place)
                }
            }
            return all + ["--checkpoint-every", "1ms"] + kind + more
        }
        let begin = monotonicNanoseconds()
        let whole = try Programs.run("fovea-train", arguments("whole"))
        #expect(whole.code == 0, "\(whole)")
        let duration = monotonicNanoseconds() - begin
        var random = SystemRandomNumberGenerator()
        var (kills, resumed) = (0, 0)
        while true {
            let hasCheckpoint = try Files.statusIfPresent(ground.checkpoint("killed")) != nil
            let resume = hasCheckpoint ? ["--resume", ground.checkpoint("killed").string] : []
            let file = try ground.folder.write("killed.log", [])
            let log = try Files.open(file, O_WRONLY | O_APPEND)
            defer { try? log.close() }
            let child = try ChildProcess(
                executable: try Programs.path("fovea-train"), arguments: arguments("killed", resume),
                environment: ["PATH=/usr/bin:/bin"], output: log, error: log)
            if kills < 10 {
                // A tenth of it on the average.
                usleep(UInt32.random(in: 10_000...UInt32(max(20_000, duration / 5000)), using: &random))
                child.signal(SIGKILL)
            }
            let ending = child.wait()
            if ending == .exited(0) { break }
            let text = String(decoding: try Files.read(file), as: UTF8.self)
            try #require(ending == .killed(signal: SIGKILL), "after \(kills) kills: \(text)")
            kills += 1
            resumed += hasCheckpoint ? 1 : 0
        }
        #expect(kills >= 4 && resumed >= 3, "\(kills) kills, \(resumed) of something that had begun before")
        #expect(try ground.weights("killed") == ground.weights("whole"))
    }

    /// What it says before it begins is enough, and not far too much.
    @Test(arguments: [
        [
            "--arch", "vanilla", "--set", "channels=[32,64,64,64]", "--set", "hidden=[4096,4096]", "--batch", "48",
            "--threads", "2",
        ],
        [
            "--arch", "foveanet", "--set", "widths=64,256,768", "--set", "middles=64,192,512", "--batch", "48",
            "--optimizer", "muon", "--averaging", "lookahead:5:0.5", "--augment", "crop=2,cutmix=0.5", "--sizes",
            "14:0.5",
            "--threads", "2",
        ],
        ["--preset", "fast", "--budget", "1s", "--sizes", "14:0.5"],
    ])
    func theAnnouncedMemoryIsWhatItTakes(_ kind: [String]) throws {
        let ground = try Ground()
        let file = try ground.folder.write("memory.log", [])
        let log = try Files.open(file, O_WRONLY | O_APPEND)
        defer { try? log.close() }
        let child = try ChildProcess(
            executable: try Programs.path("fovea-train"),
            arguments: [
                "train", "--data", "\(ground.root)/data", "--name", "memory", "--config", ground.configuration.string,
            ] + kind + (kind.contains("--budget") ? [] : ["--epochs", "1"]), environment: ["PATH=/usr/bin:/bin"],
            output: log, error: log)
        var peak = 0
        while child.endingIfEnded() == nil {
            // proc(5), in kB; gone with the process.
            guard let status = try? Files.open(FilePath("/proc/\(child.pid)/status")) else { continue }
            defer { try? status.close() }
            let lines = try Files.read(status, count: 1 << 16)
            for line in lines.split(separator: 0x0A) where line.starts(with: "VmHWM:".utf8) {
                let digits = line.filter { (0x30...0x39).contains($0) }
                peak = max(peak, 1024 * (Int(String(decoding: digits, as: UTF8.self)) ?? 0))
            }
            usleep(2000)
        }
        let text = String(decoding: try Files.read(file), as: UTF8.self)
        let words = try #require(text.split(separator: "at most ").dropFirst().first).split(separator: " ")
        let unit = try #require(["MiB": 1 << 20, "GiB": 1 << 30][words[1]])
        let announced = try Int((#require(Double(words[0]))) * Double(unit))
        // Programs, libraries and plugins are not counted in it.
        #expect(peak < announced + 100 << 20, "\(peak) of \(announced): \(text)")
        #expect(peak > announced / 2, "\(peak) of \(announced): \(text)")
    }

    /// Lists as JSON and without its brackets.
    @Test func settingsOfTheNetworkMayBeLists() throws {
        let ground = try Ground()
        for (name, hidden) in [("plain", "hidden=16,8"), ("json", "hidden=[16,8]")] {
            let outcome = try ground.train(name, epochs: 1, ["--set", hidden])
            #expect(outcome.code == 0, "\(outcome)")
        }
        #expect(try ground.weights("plain") == ground.weights("json"))
    }

    @Test func aBudgetChoosesTheEpochsAndATargetEndsThem() throws {
        let ground = try Ground()
        var arguments = ground.arguments("budget", epochs: 1).filter { $0 != "--quiet" }
        arguments.removeSubrange(arguments.firstIndex(of: "--epochs")!...arguments.firstIndex(of: "--epochs")! + 1)
        let outcome = try Programs.run("fovea-train", arguments + ["--budget", "2s"])
        #expect(outcome.code == 0 && outcome.error.contains("an epoch takes about"), "\(outcome)")
        let epochs = outcome.error.split(separator: "\n").filter { $0.hasPrefix("epoch ") }.count
        #expect(epochs > 1 && outcome.error.contains("\(epochs) in 2.0 s"), "\(outcome)")
        let both = try Programs.run("fovea-train", arguments + ["--budget", "2s", "--epochs", "3"])
        #expect(both.code == 64 && both.error.contains("give one of them"), "\(both)")
        let unknown = try Programs.run("fovea-train", arguments + ["--target", "75"])
        #expect(unknown.code == 64 && unknown.error.contains("--preset fast"), "\(unknown)")
    }

    /// Seeds side by side, each with a checkpoint of its own.
    @Test func trainingsOfOneNameAtOnceDoNotTouchEachOther() throws {
        let ground = try Ground()
        let trainings = try (0..<3).map { number in
            try ChildProcess(
                executable: try Programs.path("fovea-train"),
                arguments: ground.arguments(
                    "same", epochs: 2,
                    ["--seed", "\(number)", "--checkpoint", "\(ground.root)/checkpoints/\(number)"]),
                environment: ["PATH=/usr/bin:/bin"])
        }
        for training in trainings { #expect(training.wait() == .exited(0)) }
        let models = ground.root.pushing("var/models/same")
        let weights = try (1...3).map { try Files.read(models.appending("\($0)").appending("model.safetensors")) }
        #expect(Set(weights).count == 3)
    }

    /// The architecture may be named as well; accuracies are in percent; processors are those that may be used.
    @Test func optionsMeanWhatTheySay() throws {
        let ground = try Ground()
        func note(_ arguments: [String], by program: FilePath? = nil) throws -> String {
            let outcome = try ChildProcess.run(
                program ?? Programs.path("fovea-train"), arguments, environment: ["PATH=/usr/bin:/bin"], limit: 600)
            return String(decoding: outcome.error, as: UTF8.self)
        }
        let parameters = try [[], ["--arch", "foveanet"]].map { architecture in
            let text = try note(
                [
                    "train", "--preset", "overnight", "--data", "\(ground.root)/data", "--epochs", "1", "--batch", "16",
                    "--sizes", "none", "--name", "wide", "--config", ground.configuration.string,
                ] + architecture)
            try #require(text.contains(" parameters, "), "\(text)")
            return text.split(separator: " parameters, ")[0]
        }
        #expect(parameters[0] == parameters[1])
        let target = try note(["train", "--preset", "fast", "--data", "d", "--target", "0.75"])
        #expect(target.contains("--target is in percent"), "\(target)")
        // A preset's rates are those of its optimizer.
        let sgd = try ground.train("sgd", epochs: 1, ["--preset", "seed-vanilla", "--optimizer", "sgd"])
        #expect(sgd.code == 0, "\(sgd)")
        let model = try ModelFolder.verify(ground.root.pushing("var/models/sgd/1")).configuration
        #expect(model.training?.json["settings"]?["learningRate"]?.double == 0.05)
        #expect(model.training?.json["settings"]?["weightDecay"]?.double == 5e-4)
        #expect(model.training?.json["settings"]?["warmup"]?.double == 0.25, "of few epochs a quarter")
        var bound = ground.arguments("bound", epochs: 1).filter { $0 != "--quiet" }
        bound.removeSubrange(bound.firstIndex(of: "--threads")!..<bound.firstIndex(of: "--threads")! + 2)
        let text = try note(["-c", "0", try Programs.path("fovea-train").string] + bound, by: "/usr/bin/taskset")
        #expect(text.contains("1 threads"), "\(text)")
        // Stacks for so many threads are more than it may have now: EAGAIN, which pthread_create(3) calls a lack of resources.
        let many = try ChildProcess.run(
            "/usr/bin/prlimit",
            ["--as=\(4 << 30)", try Programs.path("fovea-train").string] + bound + [
                "--name", "many", "--threads", "1000",
            ],
            environment: ["PATH=/usr/bin:/bin"], limit: 600)
        let words = String(decoding: many.error, as: UTF8.self)
        #expect(many.ending == .exited(75) && words.contains("thread"), "\(many.ending) \(words)")
    }

    /// A preset for larger images leaves out what these do not have; what was asked for is refused.
    @Test func sizesAreHeldAgainstTheImages() throws {
        let ground = try Ground()
        let imported = try Programs.run(
            "foveactl",
            [
                "dataset", "import", "\(ground.root)/data", "--name", "shades", "--size", "16", "--config",
                ground.configuration.string,
            ])
        #expect(imported.code == 0, "\(imported.error)")
        let fast = [
            "train", "--preset", "fast", "--data", "shades", "--epochs", "1", "--config", ground.configuration.string,
            "--set", "widths=8,8,8", "--set", "middles=8,8,8",
        ]
        let preset = try Programs.run("fovea-train", fast)
        #expect(preset.code == 0 && preset.error.contains("smaller ones are left out"), "\(preset)")
        let asked = try Programs.run("fovea-train", fast + ["--sizes", "12:0.2,20:0.5"])
        #expect(asked.code == 64 && asked.error.contains("16 pixels a side"), "\(asked)")
    }

    /// Each by its name, as it stands in the model.
    @Test func optionsAndPresetsAreRecorded() throws {
        let ground = try Ground()
        func settings(_ name: String, _ options: [String]) throws -> (ModelConfiguration, JSONValue) {
            let outcome = try Programs.run(
                "fovea-train",
                ["train", "--data", "\(ground.root)/data", "--name", name, "--config", ground.configuration.string]
                    + options)
            #expect(outcome.code == 0, "\(outcome)")
            let model = try ModelFolder.verify(ground.root.pushing(FilePath("var/models/\(name)/1"))).configuration
            return (model, try #require(model.training?.json["settings"]))
        }
        for (name, more) in [
            ("seed-vanilla", ["--set", "width=0.1"]), ("seed-depthwise", ["--set", "width=0.1"]),
            ("seed-resnet", ["--set", "width=0.02"]),
        ] {
            let (model, values) = try settings(name, ["--preset", name, "--epochs", "1"] + more)
            #expect(model.network?["architecture"]?.string == String(name.dropFirst(5)))
            #expect(model.network?["settings"]?["width"]?.double == Double(more[1].dropFirst(6)))
            #expect(values["optimizer"]?.string == "adam" && values["augmentation"]?["crop"]?.double == 4)
        }
        let (model, values) = try settings(
            "options",
            [
                "--arch", "resnet9", "--set", "channels=8,8,8,8", "--epochs", "6", "--optimizer", "sgd",
                "--schedule", "one-cycle", "--learning-rate", "0.02", "--momentum", "0.8", "--augment",
                "alternate,crop=1,cutout=3", "--hierarchy", "0", "--averaging", "ema:0.9", "--patience", "5",
                "--label-smoothing", "0.2", "--weight-decay", "0.001", "--clip", "3", "--batch", "20", "--seed", "9",
            ])
        #expect(model.network?["architecture"]?.string == "resnet9")
        let wanted: [String: JSONValue] = [
            "optimizer": .string("sgd"), "schedule": .string("one-cycle"), "learningRate": .number(0.02),
            "momentum": .number(0.8), "hierarchy": .int(0), "averaging": .string("ema:0.9"), "patience": .int(5),
            "labelSmoothing": .number(0.2), "weightDecay": .number(0.001), "clip": .int(3), "batch": .int(20),
            "seed": .int(9), "epochs": .int(6),
        ]
        for (name, value) in wanted {
            #expect(values[name]?.text == value.text, "\(name): \(values[name]?.text ?? "nothing")")
        }
        #expect(values["augmentation"]?["flip"]?.string == "alternating")
        #expect(values["augmentation"]?["crop"]?.double == 1 && values["augmentation"]?["cutout"]?.double == 3)
    }

    /// A part of a training that would be longer.
    @Test func aTargetOrPatienceEndsATraining() throws {
        let ground = try Ground()
        let small = ["--set", "width=0.05", "--sizes", "none", "--threads", "1"]
        let target = try Programs.run(
            "fovea-train",
            [
                "train", "--preset", "fast", "--target", "10", "--data", "\(ground.root)/data", "--name", "target",
                "--config", ground.configuration.string,
            ] + small)
        #expect(target.code == 0 && target.error.contains("target of 10.0% reached"), "\(target)")
        let model = try ModelFolder.verify(ground.root.pushing("var/models/target/1")).configuration
        #expect(model.training?.json["epochs"]?.double == 1 && model.training?.json["settings"]?["epochs"]?.double == 6)
        var patient = ground.arguments("patient", epochs: 500, ["--patience", "3"])
        patient.removeAll { $0 == "--quiet" }
        let patience = try Programs.run("fovea-train", patient)
        #expect(patience.code == 0 && patience.error.contains("no better epoch in 3: stopped early"), "\(patience)")
    }

    /// From data with superclasses, at another size than they have, to an answer in two stages.
    @Test func superclassesAreTrainedWithAndMeasured() throws {
        let ground = try Ground()
        let common = ["--config", ground.configuration.string]
        for (name, bytes) in TestCIFAR.members(
            train: TestCIFAR.records(perClass: 3), test: TestCIFAR.records(perClass: 1, seed: 50))
        {
            try ground.folder.write("cifar/\(name)", bytes)
        }
        let imported = try Programs.run(
            "foveactl", ["dataset", "import", "\(ground.root)/cifar", "--name", "groups", "--size", "16"] + common)
        #expect(imported.code == 0 && imported.output.contains("16 × 16"), "\(imported)")
        for hierarchy in ["softmax", "0.5"] {
            let name = "two-\(hierarchy)"
            let trained = try Programs.run(
                "fovea-train",
                [
                    "train", "--arch", "vanilla", "--set", "width=0.1", "--data", "groups", "--hierarchy", hierarchy,
                    "--epochs", "2", "--name", name, "--threads", "2",
                ] + common)
            #expect(trained.code == 0, "\(trained)")
            let model = try ModelFolder.verify(ground.root.pushing(FilePath("var/models/\(name)/1"))).configuration
            #expect((model.network?["superclassOf"] != nil) == (hierarchy == "softmax"))
            #expect((model.training?.json["settings"]?["hierarchy"]?.double == 0.5) == (hierarchy == "0.5"))
            // The archive itself is taken at the model's size.
            for data in ["groups", "\(ground.root)/cifar"] {
                let outcome = try Programs.run(
                    "fovea-train", ["evaluate", name, "--data", data, "--json", "--scores", "/dev/null"] + common)
                #expect(outcome.code == 0, "\(outcome)")
                let figures = try JSONDecoder().decode(JSONValue.self, from: Data(outcome.output.utf8))
                guard case .object(let groups)? = figures["superclasses"] else {
                    Issue.record("no superclasses")
                    continue
                }
                #expect(groups.count == 20 && groups.values.allSatisfy { $0["images"]?.double == 5 })
            }
        }
    }

    /// Plots need gnuplot, a training does not.
    @Test func aTrainingLeavesAReportAlsoWithoutGnuplot() throws {
        let ground = try Ground()
        func report(_ name: String) throws -> Set<String> {
            Set(try Files.list(ground.root.pushing(FilePath("var/models/\(name)/1/training"))).map(\.string))
        }
        let texts: Set = ["README.md", "metrics.jsonl", "learnt.digests", "heldback.digests"]
        let arguments = ground.arguments("plain", epochs: 2).filter { $0 != "--quiet" }
        let plain = try ChildProcess.run(
            try Programs.path("fovea-train"), arguments, environment: ["PATH=/nonexistent"], limit: 600)
        #expect(plain.ending == .exited(0))
        #expect(String(decoding: plain.error, as: UTF8.self).contains("no plots: gnuplot is not on PATH"))
        let files = try report("plain")
        #expect(files.isSuperset(of: texts) && files.count == texts.count + 1, "\(files)")
        #expect(files.contains { $0.hasPrefix("events.out.tfevents.") })

        guard ChildProcess.find("gnuplot") != nil else { return }
        #expect(try ground.train("drawn", epochs: 2).code == 0)
        let drawn = try report("drawn")
        #expect(
            drawn.count == texts.count + 1 + 12 && drawn.isSuperset(of: ["confusion.svg", "predictions.png"]),
            "\(drawn)")
        // It travels with the model.
        let copy = try Programs.run(
            "foveactl",
            [
                "model", "import", "\(ground.root)/var/models/drawn/1", "--state", "\(ground.root)/other", "--config",
                ground.configuration.string,
            ])
        #expect(copy.code == 0, "\(copy.error)")
        let copied = try Files.list(ground.root.pushing("other/models/drawn/1/training")).map(\.string)
        #expect(Set(copied) == drawn)
    }

    /// Averaging, confusion matrix and blurs of one model.
    @Test func aModelIsMeasuredFromAllSides() throws {
        let ground = try Ground()
        #expect(try ground.train("shades", epochs: 4, ["--tta", "flip"]).code == 0)
        let csv = ground.root.appending("confusion.csv")
        let evaluate = [
            "evaluate", "shades@1", "--data", "\(ground.root)/data", "--config", ground.configuration.string,
        ]
        func figures(_ more: [String]) throws -> JSONValue {
            let outcome = try Programs.run("fovea-train", evaluate + ["--json"] + more)
            #expect(outcome.code == 0, "\(outcome.error)")
            return try JSONDecoder().decode(JSONValue.self, from: Data(outcome.output.utf8))
        }
        let whole = try figures(["--confusion", csv.string, "--blur"])
        #expect(whole["tta"]?.string == "flip", "as the model says")
        let top1 = try #require(whole["top1"]?.double)
        let calibration = try #require(whole["calibrationError"]?.double)
        #expect((0...1).contains(top1) && (0...1).contains(calibration))
        for kind in ["gaussian", "defocus", "motion", "zoom", "glass"] {
            guard case .array(let shares)? = whole["blur"]?["top1"]?[kind] else {
                Issue.record("no \(kind)")
                continue
            }
            #expect(shares.count == 5 && shares.allSatisfy { (0...1).contains($0.double ?? -1) })
        }
        #expect(whole["blur"]?["mean"]?.double != nil)
        /// `$@` in the script is the command.
        func bash(_ script: String) throws -> [UInt8] {
            let outcome = try ChildProcess.run(
                "/bin/bash", ["-c", script, "bash", try Programs.path("fovea-train").string] + evaluate,
                environment: ["PATH=/usr/bin:/bin"], limit: 600)
            #expect(outcome.ending == .exited(0), "\(script)")
            return outcome.output
        }
        let piped = try bash(#"exec 3>&1; "$@" --quiet --confusion >(cat >&3) > /dev/null; wait; sleep 0.2"#)
        #expect(String(decoding: piped, as: UTF8.self).hasPrefix("true,dark,light"))
        // The report comes behind the scores, and not over them.
        for place in ["-", "/dev/stdout"] {
            let both = ground.root.appending("both")
            _ = try bash("exec \"$@\" --scores \(place) > \(both)")
            let text = String(decoding: try Files.read(both), as: UTF8.self)
            #expect(
                text.split(separator: "\n").count { $0.hasPrefix("{\"image\":") } == 60, "\(place): \(text.prefix(300))"
            )
            #expect(text.contains("\nmodel       shades@1\n"), "\(place)")
        }
        // Rows are what the images are, columns what was answered.
        let lines = String(decoding: try Files.read(csv), as: UTF8.self).split(separator: "\r\n")
        #expect(lines.first == "true,dark,light" && lines.count == 3)
        let counts = lines.dropFirst().map { $0.split(separator: ",").dropFirst().compactMap { Int($0) } }
        #expect(counts.map { $0.reduce(0, +) } == [30, 30])
        #expect(abs(Double(counts[0][0] + counts[1][1]) / 60 - top1) < 1e-12)

        for tta in ["none", "shift"] { #expect(try figures(["--tta", tta])["tta"]?.string == tta) }
        let words = try Programs.run("fovea-train", evaluate + ["--blur", "--tta", "shift"])
        #expect(words.output.contains("6 of each image (shift)") && words.output.contains("mean of gaussian, defocus"))
    }

    /// A disk that is full for a while: here its folder is gone.
    @Test func aCheckpointThatCannotBeWrittenDoesNotEndTheTraining() throws {
        let ground = try Ground()
        let (folder, away) = (ground.root.appending("checkpoints"), ground.root.appending("away"))
        let checkpoint = folder.appending("c")
        let file = try ground.folder.write("log", [])
        let log = try Files.open(file, O_WRONLY | O_APPEND)
        defer { try? log.close() }
        let child = try ChildProcess(
            executable: try Programs.path("fovea-train"),
            arguments: ground.arguments("long", epochs: 10_000, ["--checkpoint", checkpoint.string]),
            environment: ["PATH=/usr/bin:/bin"], output: log, error: log)
        try eventually("the first checkpoint") { try Files.statusIfPresent(checkpoint) != nil }
        try Files.rename(folder, to: away)
        try eventually("a word about it") {
            String(decoding: try Files.read(file), as: UTF8.self).contains(
                "the checkpoint is not written, and training goes on")
        }
        try Files.rename(away, to: folder)
        try Files.unlink(checkpoint)
        try eventually("the next checkpoint") { try Files.statusIfPresent(checkpoint) != nil }
        child.signal(SIGINT)
        #expect(child.wait() == .exited(75))
    }

    @Test func onlyOneTrainingHasACheckpoint() throws {
        let ground = try Ground()
        let checkpoint = ground.root.appending("my.checkpoint")
        let first = try ChildProcess(
            executable: try Programs.path("fovea-train"),
            arguments: ground.arguments("first", epochs: 10_000, ["--checkpoint", checkpoint.string]),
            environment: ["PATH=/usr/bin:/bin"], output: FileDescriptor(rawValue: 2), error: FileDescriptor(rawValue: 2)
        )
        try eventually("the first checkpoint") { try Files.statusIfPresent(checkpoint) != nil }
        let second = try ground.train("second", epochs: 1, ["--checkpoint", checkpoint.string])
        first.signal(SIGKILL)
        _ = first.wait()
        #expect(second.code == 75 && second.error.contains("another training"), "\(second.error)")
    }

    @Test func exitCodesTellWhatIsWrong() throws {
        let ground = try Ground()
        func check(_ arguments: [String], _ code: Int32, _ words: String, line: Int = #line) throws {
            let outcome = try Programs.run("fovea-train", arguments + ["--config", ground.configuration.string])
            #expect(outcome.code == code && outcome.error.contains(words), "line \(line): \(outcome)")
        }
        let train = ["train", "--arch", "vanilla", "--data", "\(ground.root)/data"]
        try check(["train", "--arch", "vanilla", "--data", "nothing"], 66, "neither an imported data set")
        try check(["train", "--arch", "other", "--data", "x"], 64, "vanilla")
        try check(train + ["--set", "hidden=x"], 64, "hidden cannot be")
        try check(train + ["--set", "wide=3"], 64, "network 'vanilla' has no setting 'wide'; it has activation")
        try check(train + ["--set", "dropBlock.side=3"], 64, "no setting 'dropBlock.side'; it has dropBlock.block")
        try check(train + ["--set", "bnMomentum=-3"], 64, "a momentum from 0 to 1")
        try check(train + ["--optimizer", "muon", "--clip", "5"], 64, "--clip goes with adam and sgd")
        try check(train + ["--momentum", "0.5"], 64, "--momentum goes with sgd and muon")
        try check(train + ["--muon-momentum", "0.5"], 64, "--muon-momentum goes with muon")
        try check(train + ["--augment", "flip,alternate"], 64, "flip or alternate")
        try check(train + ["--hierarchy", "0.3"], 64, "has no superclasses")
        try check(
            ["train", "--preset", "fast", "--arch", "vanilla", "--data", "x", "--target", "75"], 64,
            "the preset's architecture, foveanet")
        try check(
            train + ["--checkpoint", ground.configuration.string], 73, "there is something that is none")
        try check(train + ["--checkpoint", ground.root.string], 73, "there is something that is none")
        try check(train + ["--set", "hidden=999999999,9"], 64, "weights")
        try check(train + ["--batch", "65536", "--set", "channels=4096,8,8,8"], 64, "the machine has")
        try check(train + ["--seed", "18446744073709551615"], 64, "--seed must be at most")
        try check(train + ["--clip", "inf"], 64, "--clip must be 0")
        try check(train + ["--state", "/proc/nowhere"], 66, "/proc/nowhere")
        try check(train + ["--resume", "\(ground.root)/none"], 66, "none")
        #expect(try Files.list(ground.root.pushing("var/training")).isEmpty, "a lock was left behind")
        try check(train + ["--resume", "\(ground.configuration)"], 65, "not a checkpoint")
        let empty = try ground.folder.write("empty.checkpoint", [])
        try check(train + ["--resume", empty.string, "--checkpoint", empty.string], 65, "not a checkpoint")
        try check(train + ["--learning-rate", "1e30", "--clip", "0", "--warmup", "0"], 65, "no longer a number")
        try check(["evaluate", "nope", "--data", "x"], 66, "nope")
        try check(["evaluate", "../x", "--data", "x"], 66, "x")
    }

    /// The development images can be asked for by name; test images are measured when they are asked for.
    @Test func partsOfTheDataAreMeasuredOnRequest() throws {
        let ground = try Ground()
        let common = ["--config", ground.configuration.string]
        let imported = try Programs.run(
            "foveactl", ["dataset", "import", "\(ground.root)/data", "--name", "shades", "--size", "16"] + common)
        #expect(imported.code == 0, "\(imported.error)")
        var arguments = ground.arguments("shades", epochs: 2)
        arguments[4] = "shades"
        let plain = try Programs.run("fovea-train", arguments.filter { $0 != "--quiet" })
        #expect(plain.code == 0 && plain.output.contains("development: top1"), "\(plain)")
        // Of 60 images 6 are for testing; 128 in a step would be all of them.
        #expect(plain.error.contains("50 images, 4 for development, 2 epochs, batches of 16"), "\(plain)")
        #expect(!plain.output.contains("test: top1"))
        let tested = try Programs.run("fovea-train", arguments + ["--test"])
        #expect(tested.code == 0 && tested.output.contains("test: top1"), "\(tested)")
        for (part, images) in [("dev", 4), ("train", 54), ("test", 6)] {
            let outcome = try Programs.run(
                "fovea-train", ["evaluate", "shades@1", "--data", "shades", "--split", part] + common)
            #expect(outcome.code == 0 && outcome.output.contains("\(images) (\(part))"), "\(outcome)")
        }
        let unknown = try Programs.run(
            "fovea-train", ["evaluate", "shades@1", "--data", "shades", "--split", "validation"] + common)
        #expect(unknown.code == 66 && unknown.error.contains("only: test, train"), "\(unknown)")
        // A folder that is not divided is measured as a whole, and that is what is said.
        let whole = try Programs.run(
            "fovea-train", ["evaluate", "shades@1", "--data", "\(ground.root)/data", "--split", "test"] + common)
        #expect(whole.code == 0 && whole.output.contains("60 (all)"), "\(whole)")
    }
}
