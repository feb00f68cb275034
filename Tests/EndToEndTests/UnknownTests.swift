import FoundationEssentials
import FoveaControl
import FoveaModels
import FoveaSystem
import FoveaTestKit
import Glibc
import SystemPackage
import Testing

/// Images that belong to no class, and thresholds by label: from a classifier to the outbox.
extension EndToEnd {
    /// A daemon whose store has `gauge@1`.
    private struct Gauge {
        let plugins: TemporaryFolder
        let daemon: RunningDaemon

        init(
            _ settings: [String: String] = [:], size: String = "sizeof(fovea_plugin)", labels: [String] = Fixture.labels
        ) throws {
            plugins = try TemporaryFolder()
            try GaugePlugin.compile(size: size, in: plugins)
            let own = ["plugins": "[\(plugins.path)/plugins]", "model": "gauge"]
            daemon = try RunningDaemon(own.merging(settings) { $1 }, starting: false)
            try GaugePlugin.make(daemon, labels: labels)
            try daemon.start()
        }

        func drop(_ pictures: [(name: String, label: Int, unknownness: Double)]) throws {
            for picture in pictures {
                try daemon.drop(
                    FilePath(picture.name),
                    GaugePlugin.picture(label: picture.label, unknownness: picture.unknownness))
            }
        }

        /// The results by the images' names below the inbox.
        func results() throws -> [String: RunningDaemon.Published<ResultRecord>] {
            Dictionary(uniqueKeysWithValues: try daemon.results.map { ($0.record.file, $0) })
        }
    }

    @Test func imagesOfNoClassGoToAFolderOfTheirOwn() throws {
        let gauge = try Gauge(["confidence": "{default: 0.5, red: 0.8, grene: 0.9}"])
        let daemon = gauge.daemon
        let pictures: [(name: String, label: Int, unknownness: Double)] = [
            ("blue.png", 0, 0), ("a/edge.png", 1, 1), ("odd.png", 1, 1.01), ("b/odd.png", 0, 2.5), ("red.png", 3, 0.5),
            ("odd red.png", 3, 2),
        ]
        try gauge.drop(pictures)
        try daemon.drop("no.png", Array("no image".utf8))
        try daemon.waitForDocuments(7)

        let results = try gauge.results()
        #expect(
            results.mapValues { "\($0.record.status) \($0.path)" } == [
                "blue.png": "classified blue/blue.png", "a/edge.png": "classified green/a/edge.png",
                "odd.png": "unknown unknown/odd.png", "b/odd.png": "unknown unknown/b/odd.png",
                "red.png": "unsure unsure/red.png", "odd red.png": "unknown unknown/odd red.png",
            ])
        for picture in pictures {
            let result = try #require(results[FilePath(picture.name).escaped])
            let record = result.record
            #expect(result.hasImage && record.label == Fixture.labels[picture.label] && record.confidence == 0.7)
            #expect(record.top.count == 4 && record.top[0] == .init(label: record.label, confidence: 0.7))
            #expect(record.unknown.map { abs(Double($0) - picture.unknownness) < 1e-6 } == true, "\(record)")
        }

        try eventually("it is counted") { try daemon.status().queue.published == 7 }
        let status = try daemon.status()
        #expect(status.queue.unknown == 3 && status.queue.unsure == 1 && status.queue.failed == 1)
        #expect(status.unknown == .init(tells: true, above: 1))
        let warning = "confidence: 'grene' is not a label of gauge@1, so the value has no effect"
        #expect(status.warnings == [warning] && daemon.log.contains("warning \(warning)"), "\(daemon.log)")
        let screen = try daemon.ctl("status").output
        #expect(
            screen.contains("above the model's own threshold go to unknown/") && screen.contains(warning), "\(screen)")
        #expect(try daemon.ctl("doctor").output.contains(warning))
        try eventually("STATUS.txt says so") {
            let text = try Files.read(daemon.outbox.appending("STATUS.txt"))
            return String(decoding: text, as: UTF8.self).contains("1 failed, 1 unsure, 3 unknown")
        }
        try eventually("the history has it") { try daemon.ctl("why", "unknown/odd.png").code == 0 }
        let why = try daemon.ctl("why", "unknown/odd.png").output
        #expect(why.contains("unknown") && why.contains("unknown-ness 1.01"), "\(why)")

        // The same without folders, with the daemon and without it, and in a measurement.
        let files = try pictures.map { picture in
            try daemon.folder.write(
                "classes/\(Fixture.labels[picture.label])/\(picture.name.replacing("/", with: "-"))",
                GaugePlugin.picture(label: picture.label, unknownness: picture.unknownness))
        }
        let arguments = ["classify", "--json", "--config", daemon.configuration.string] + files.map(\.string)
        for alone in [[], ["--alone"]] {
            let output = try Programs.run("foveactl", arguments + alone).output
            let records = try output.split(separator: "\n").map {
                try JSONDecoder().decode(ResultRecord.self, from: Data($0.utf8))
            }
            #expect(records.count == pictures.count)
            for (picture, record) in zip(pictures, records) {
                let filed = try #require(results[FilePath(picture.name).escaped]).record
                #expect(
                    record.status == filed.status && record.unknown == filed.unknown && record.top == filed.top,
                    "\(alone)")
            }
        }
        let shown = try Programs.run(
            "foveactl", ["classify", "--config", daemon.configuration.string, files[2].string])
        #expect(shown.output.contains("green  70.0 %  unknown 1.01"), "\(shown)")
        let measured = try daemon.ctl("evaluate", "gauge", "--data", "\(daemon.root)/classes", "--json")
        let filed = try JSONDecoder().decode([String: JSONValue].self, from: Data(measured.output.utf8))["filed"]
        #expect(
            filed
                == .object([
                    "classified": .int(2), "right": .int(2), "unsure": .int(1), "unknown": .int(3),
                    "tellsUnknown": .bool(true),
                ]), "\(measured)")
        try daemon.stop()
    }

    @Test func watchMarksThem() throws {
        let gauge = try Gauge(["confidence": "{red: 0.8}"])
        let output = try memoryFile("watch")
        defer { try? output.close() }
        let watch = try ChildProcess(
            executable: try Programs.path("foveactl"),
            arguments: ["watch", "--config", gauge.daemon.configuration.string], environment: ["PATH=/usr/bin:/bin"],
            output: output)
        defer {
            watch.signal(SIGKILL)
            _ = watch.wait()
        }
        // The watch has connected when it tells of one.
        var number = 0
        try eventually("watch tells of images of every kind") {
            number += 1
            try gauge.drop([
                ("u\(number).png", 0, 1.5), ("s\(number).png", 3, 0), ("c\(number).png", 1, 0),
            ])
            usleep(200_000)
            let text = String(decoding: try Files.read(output, count: try Files.status(of: output).size), as: UTF8.self)
            let lines = text.split(separator: "\n")
            return lines.contains { $0.contains("blue") && $0.contains(".png  unknown 1.50") }
                && lines.contains { $0.contains("red") && $0.hasSuffix(".png  unsure") }
                && lines.contains { $0.contains("green") && $0.hasSuffix(".png") }
        }
        try gauge.daemon.stop()
    }

    @Test(arguments: [("off", 0), ("2.5", 1), ("0.5", 3), ("model", 2)])
    func theConfigurationSaysFromWhereOn(_ setting: String, _ unknown: Int) throws {
        let gauge = try Gauge(["unknown": setting])
        let pictures = [0.4, 0.6, 1.1, 2.55].map { (name: "\($0).png", label: 0, unknownness: $0) }
        try gauge.drop(pictures)
        try gauge.daemon.waitForDocuments(4)
        let results = try gauge.results()
        #expect(results.values.count { $0.record.status == .unknown } == unknown)
        #expect(results.values.count { $0.path.starts(with: "unknown") } == unknown)
        #expect(results.values.count { $0.path.starts(with: "blue") } == 4 - unknown)
        #expect(results.values.allSatisfy { $0.record.unknown != nil }, "it is told all the same")
        #expect(
            try gauge.daemon.status().unknown
                == .init(tells: true, above: setting == "off" ? nil : Double(setting) ?? 1))
        try gauge.daemon.stop()
    }

    /// One that was compiled with the header before there was an unknown-ness.
    @Test func anOldPluginServesOn() throws {
        let gauge = try Gauge(["unknown": "2"], size: "offsetof(fovea_plugin, unknownness)")
        try gauge.drop([("odd.png", 2, 2.5)])
        try gauge.daemon.waitForDocuments(1)
        let result = try #require(try gauge.results()["odd.png"])
        #expect(result.path == "grey/odd.png" && result.record.unknown == nil && result.record.status == .classified)
        let text = String(decoding: try Files.read(gauge.daemon.outbox.appending("grey/odd.png.json")), as: UTF8.self)
        #expect(!text.contains("\"unknown\""))
        let status = try gauge.daemon.status()
        #expect(status.unknown == .init(tells: false, above: 2))
        #expect(
            status.warnings == ["unknown: gauge@1 cannot tell which images are unknown, so the value has no effect"])
        try gauge.daemon.stop()
    }

    /// A model from before the outbox had a folder of that name: its images and those of no class are never mixed.
    @Test func aLabelCalledUnknownHasAnotherFolder() throws {
        let gauge = try Gauge(labels: ["blue", "green", "unknown", "red"])
        let daemon = gauge.daemon
        try gauge.drop([("known.png", 2, 0.2), ("odd.png", 2, 2)])
        try daemon.waitForDocuments(2)
        let results = try gauge.results()
        #expect(results["known.png"]?.path == "unknown.label/known.png")
        #expect(results["known.png"]?.record.label == "unknown" && results["known.png"]?.record.status == .classified)
        #expect(results["odd.png"]?.path == "unknown/odd.png" && results["odd.png"]?.record.status == .unknown)

        // No new one is made.
        for label in ["unknown", "cat"] {
            try daemon.folder.write("mine/\(label)/a.png", GaugePlugin.picture(label: 0, unknownness: 0))
        }
        for command in [
            ["dataset", "import", "\(daemon.root)/mine", "--name", "mine"],
            ["train", "--arch", "vanilla", "--data", "\(daemon.root)/mine", "--name", "mine"],
        ] {
            let outcome = try Programs.run("foveactl", command + ["--config", daemon.configuration.string])
            #expect(outcome.code == 64 || outcome.code == 65, "\(outcome)")
            #expect(outcome.error.contains("mine/unknown") && outcome.error.contains("rename the folder"), "\(outcome)")
        }
        try daemon.stop()
    }

    /// From `outbox/unknown/` into the folder of a label, with its document.
    @Test func anUnknownImageCanBeCorrected() throws {
        let gauge = try Gauge()
        let daemon = gauge.daemon
        try gauge.drop([("odd.png", 1, 2)])
        try daemon.waitForDocuments(1)
        try daemon.stop()
        let fix = daemon.root.appending("fix").appending("red")
        try Files.makeDirectories(fix)
        for name in ["odd.png", "odd.png.json"] {
            try Files.rename(daemon.outbox.appending("unknown").appending(name), to: fix.appending(name))
        }
        // For the nets that can learn: the fixture's.
        let text = String(decoding: try Files.read(daemon.configuration), as: UTF8.self)
        let retrain = "retrain: {data: ['\(daemon.fixture.root)/data'], epochs: 1}\n"
        try Files.replace(
            daemon.configuration, with: (text.replacing("model: gauge", with: "model: tiny") + retrain).utf8)
        try Files.unlink(daemon.state.appending("active.json"))
        let rehearsal = try daemon.ctl("retrain", "--dry-run")
        #expect(rehearsal.code == 0 && rehearsal.output.contains("\ncorrections  red 1\n"), "\(rehearsal)")
        #expect(!rehearsal.output.contains("left out"), "\(rehearsal)")
    }
}
