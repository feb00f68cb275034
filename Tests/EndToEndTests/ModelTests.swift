import FoundationEssentials
import FoveaControl
import FoveaModels
import FoveaSystem
import FoveaTestKit
import SystemPackage
import Testing

extension EndToEnd {
    @Test func aBadModelIsRefusedAndTheOldOneServes() throws {
        let daemon = try RunningDaemon()
        let weights = ModelFolder.weightsName
        try daemon.makeModel("flipped", afterwards: { $0[weights]![$0[weights]!.count / 2] ^= 1 })
        try daemon.makeModel(
            "wronghash",
            afterwards: {
                let text = String(decoding: $0[ModelFolder.manifestName]!, as: UTF8.self)
                let digest = hexadecimal(Digest.sha256($0[weights]!))
                let other = String(repeating: "0", count: 64)
                $0[ModelFolder.manifestName] = Array(text.split(separator: digest).joined(separator: other).utf8)
            })
        try daemon.makeModel("missing", afterwards: { $0[weights] = nil })
        try daemon.makeModel(
            "notnumbers",
            change: {
                let file = try SafetensorsFile(bytes: $0[weights]!, subject: weights)
                let entry = try #require(file.entries.last)
                for index in 0..<entry.type.size { $0[weights]![entry.range.lowerBound + index] = 0xFF }
            })
        try daemon.makeModel(
            "othergolden",
            change: {
                let name = ModelFolder.goldenName
                let old = try GoldenSet(file: SafetensorsFile(bytes: $0[name]!, subject: name), subject: name)
                let scores = Array(old.scores.reversed())
                $0[name] = try GoldenSet(
                    count: old.count, height: old.height, width: old.width, classes: old.classes, inputs: old.inputs,
                    scores: scores, tolerance: old.tolerance
                ).encode()
            })
        try daemon.makeModel("cut", change: { $0[weights]!.removeLast(8) })
        try daemon.makeModel("sound")

        let images = daemon.fixture.images
        let bad = ["flipped", "wronghash", "missing", "notnumbers", "othergolden", "cut", "nosuchmodel", "../tiny"]
        for (index, name) in bad.enumerated() {
            try daemon.drop(images[(index * 10)..<(index * 10 + 10)])
            let outcome = try daemon.ctl("model", "swap", name, "--json")
            let code: Int32 = name == "nosuchmodel" ? 66 : name == "../tiny" ? 64 : 65
            #expect(outcome.code == code, "\(name): \(outcome.code) \(outcome.output) \(outcome.error)")
            #expect(
                outcome.error.contains("refused") && outcome.error.contains("tiny@1 keeps serving"), "\(outcome.error)")
            let receipt = try JSONDecoder().decode(SwapReceipt.self, from: Data(outcome.output.utf8))
            #expect(receipt.outcome == .refused && receipt.reason?.isEmpty == false && receipt.old?.name == "tiny")
            #expect(try daemon.status().model?.name == "tiny")
        }
        try daemon.waitForDocuments(80)
        try daemon.expectResults(images.prefix(80).map(\.name), of: 80)
        #expect(try daemon.results.allSatisfy { $0.record.model.name == "tiny" })
        // What was refused does not stand in the way of a sound one.
        #expect(try daemon.ctl("model", "swap", "sound").code == 0)
        #expect(try daemon.status().model?.name == "sound")
        try daemon.stop()
    }

    /// From the first step of a swap on, until it is the active one for which there is another reason.
    @Test func whatIsOnItsWayToServeIsNotRemoved() throws {
        let folder = try TemporaryFolder()
        let daemon = try RunningDaemon(["plugins": "[\(folder.path)/plugins]"])
        // Eight images of the golden set take their time.
        try TrapPlugin.compile("extern int usleep(unsigned); usleep(100000);", when: "1", in: folder)
        try TrapPlugin.make(daemon)
        let swap = try ChildProcess(
            executable: try Programs.path("foveactl"),
            arguments: ["model", "swap", "trapped", "--config", daemon.configuration.string],
            environment: ["PATH=/usr/bin:/bin"], output: FileDescriptor(rawValue: 2), error: FileDescriptor(rawValue: 2)
        )
        try eventually("the swap's beginning") { daemon.log.contains("swap to trapped@1 begins") }
        let removal = try daemon.ctl("model", "remove", "trapped@1")
        #expect(removal.code == 75 && removal.error.contains("under way"), "\(removal)")
        #expect(swap.wait() == .exited(0))
        let late = try daemon.ctl("model", "remove", "trapped@1")
        #expect(late.code == 77 && late.error.contains("active"), "\(late)")
        // The way back does not wait for anybody.
        let lock = try #require(
            try ModelStore(bundled: nil, trained: daemon.state.appending("models")).lock())
        #expect(try daemon.ctl("model", "rollback").code == 0)
        lock.release()
        #expect(try daemon.status().model?.name == "tiny")
        try daemon.stop()
    }

    @Test func rollbackGoesBackAndARestartKeepsTheModel() throws {
        let daemon = try RunningDaemon()
        #expect(try daemon.ctl("model", "rollback").code == 66, "there is nothing to go back to")
        #expect(try daemon.ctl("model", "swap", "other@1").code == 0)
        #expect(try daemon.status().model?.name == "other")
        try daemon.stop()
        try daemon.start()
        #expect(try daemon.status().model?.name == "other", "active.json decides")
        #expect(try daemon.ctl("model", "rollback").code == 0)
        #expect(try daemon.status().model?.name == "tiny")
        try daemon.drop(daemon.fixture.images.prefix(5))
        try daemon.waitForDocuments(5)
        #expect(try daemon.results.allSatisfy { $0.record.model.name == "tiny" })
        try daemon.stop()
    }

    /// Who means to replace one model does not replace another that somebody has let serve meanwhile.
    @Test func aSwapMayNameWhatItReplaces() throws {
        let daemon = try RunningDaemon()
        let client = ControlClient(socket: daemon.root.appending("s"))
        func swap(replacing sha256: String) throws -> (status: Int, receipt: SwapReceipt) {
            let answer = try client.request(
                "POST", Routes.swap, body: SwapRequest(model: "other@1", replacing: sha256).json)
            return (answer.status, try ControlClient.decode(answer.body))
        }
        let wrong = try swap(replacing: String(repeating: "0", count: 64))
        #expect(wrong.status == 409 && wrong.receipt.refusal == .overtaken, "\(wrong)")
        #expect(wrong.receipt.reason?.contains("tiny@1 serves now") == true)
        #expect(try daemon.status().model?.name == "tiny")
        let right = try swap(replacing: try #require(try daemon.status().model?.sha256))
        #expect(right.status == 200 && right.receipt.outcome == .switched, "\(right)")
        try daemon.stop()
    }

    @Test func aDaemonWithoutASoundModelSaysSo() throws {
        let daemon = try RunningDaemon(["model": "nothing"], starting: false)
        #expect(try daemon.spawn().wait() == .exited(65))
        #expect(daemon.log.contains("nothing"))
    }

    /// The model before classifies what its successor crashed on.
    @Test func aModelThatKeepsCrashingIsRolledBackByItself() throws {
        let folder = try TemporaryFolder()
        try TrapPlugin.compile("abort();", in: folder)
        let daemon = try RunningDaemon(["plugins": "[\(folder.path)/plugins]", "batch": "4"])
        try TrapPlugin.serve(daemon)
        let images = daemon.fixture.images.prefix(40)
        try daemon.drop(images.prefix(10))
        try daemon.drop("bad1.png", TrapPlugin.bait)
        try daemon.drop(images.dropFirst(10).prefix(10))
        try daemon.drop("bad2.png", TrapPlugin.bait(1))
        try daemon.drop(images.dropFirst(20))
        try daemon.waitForDocuments(42)

        #expect(try daemon.failures.isEmpty)
        let results = try daemon.results
        #expect(results.count == 42 && Set(results.map(\.record.id)).count == 42)
        for result in results where result.record.file.hasPrefix("bad") {
            #expect(result.record.model.name == "tiny", "\(result.record)")
        }
        for result in results where !result.record.file.hasPrefix("bad") {
            #expect(result.record.top == daemon.fixture.expected["tiny"]?[result.record.file])
        }
        let status = try daemon.status()
        #expect(status.model?.name == "tiny")
        #expect(status.lastSwap?.cause?.contains("2 images ended its workers") == true)
        #expect(try daemon.ctl("status").output.contains("by itself"))
        #expect(daemon.log.contains("trapped@1 is rolled back to tiny@1"))
        // What crashed is not what a rollback by hand goes to.
        #expect(try daemon.ctl("model", "rollback").code == 66)
        // In the morning it is told still, after a restart too, and to those who see only the share.
        try daemon.stop()
        try daemon.start()
        #expect(try daemon.status().lastSwap?.cause == status.lastSwap?.cause)
        #expect(try daemon.ctl("status").output.contains("trapped@1 → tiny@1"))
        try eventually("STATUS.txt says so") {
            String(decoding: try Files.read(daemon.outbox.appending("STATUS.txt")), as: UTF8.self)
                .contains("went back by itself from trapped@1: 2 images ended its workers")
        }
        try daemon.stop()
    }

    /// An image that had failed by the time that the model is left is classified by the old one as well.
    @Test func whatFailedBeforeARollbackIsClassifiedAfterIt() throws {
        let folder = try TemporaryFolder()
        try TrapPlugin.compile("abort();", in: folder)
        let daemon = try RunningDaemon(["plugins": "[\(folder.path)/plugins]", "batch": "4", "rollback": "\"off\""])
        try TrapPlugin.serve(daemon)
        try daemon.drop("early.png", TrapPlugin.bait)
        try daemon.drop("text.png", Array("no image".utf8))
        try eventually("both fail") { try daemon.failures.count == 2 }
        #expect(Set(try daemon.failures.map(\.record.reason)) == ["worker-lost", "not-an-image"])
        let early = try #require(try daemon.failures.first { $0.record.file == "early.png" }?.record.id)
        try daemon.stop()

        let text = String(decoding: try Files.read(daemon.configuration), as: UTF8.self)
        try Files.replace(
            daemon.configuration, with: text.replacing("rollback: \"off\"", with: "rollback: auto").utf8)
        try daemon.start()
        try daemon.drop("bad1.png", TrapPlugin.bait)
        try daemon.drop("bad2.png", TrapPlugin.bait(1))
        try eventually("all three have results") { try daemon.results.count == 3 }
        #expect(try daemon.results.allSatisfy { $0.record.model.name == "tiny" })
        #expect(try daemon.failures.map(\.record.file) == ["text.png"])
        try eventually("its history says so") {
            try daemon.ctl("why", early).output.contains("put into the inbox again")
        }
        try daemon.stop()
    }

    /// `tiny` is sound and is never sure: less than half as sure as the model before.
    @Test func aModelWhoseConfidenceCollapsesIsRolledBackByItself() throws {
        let daemon = try RunningDaemon()
        let fixture = daemon.fixture
        let training = try Programs.run(
            "foveactl",
            [
                "train", "--arch", "vanilla", "--data", "\(fixture.root)/data", "--name", "sure", "--epochs", "8",
                "--batch", "16", "--set", "channels=8,8,8,8", "--set", "hidden=[16]", "--set", "bnMomentum=0.9",
                "--temperature", "0.05", "--threads", "1", "--config", daemon.configuration.string, "--quiet",
            ])
        #expect(training.code == 0, "\(training)")
        #expect(try daemon.ctl("model", "swap", "sure").code == 0)
        try daemon.drop(fixture.images)
        try daemon.waitForDocuments(300)
        let first = try daemon.results
        #expect(first.allSatisfy { $0.record.model.name == "sure" })
        let doubtful = try #require(fixture.expected["tiny"]).values.map { Double($0[0].confidence) }
        try #require(first.map { Double($0.record.confidence) }.reduce(0, +) > 2.2 * doubtful.reduce(0, +))

        // What this run of the daemon has not seen itself stands in the history.
        try daemon.stop()
        try daemon.start()
        #expect(try daemon.ctl("model", "swap", "tiny").code == 0)
        try daemon.drop(fixture.images, prefix: "again/")
        try daemon.waitForDocuments(600)
        try eventually("it is rolled back") { try daemon.status().model?.name == "sure" }
        #expect(try daemon.status().lastSwap?.cause?.contains("its confidence collapsed") == true)
        #expect(daemon.log.contains("tiny@1 is rolled back to sure@1"))
        let results = try daemon.results
        #expect(results.count == 600 && Set(results.map(\.record.id)).count == 600)
        #expect(try daemon.failures.isEmpty)
        #expect(results.count { $0.record.model.name == "tiny" } >= 200)
        try daemon.stop()
    }

    /// One image says little about a model.
    @Test func oneImageThatCrashesIsSetAsideAndTheModelServesOn() throws {
        let folder = try TemporaryFolder()
        try TrapPlugin.compile("abort();", in: folder)
        let daemon = try RunningDaemon(["plugins": "[\(folder.path)/plugins]", "batch": "4"])
        try TrapPlugin.serve(daemon)
        try daemon.drop("bad.png", TrapPlugin.bait)
        try daemon.drop(daemon.fixture.images.prefix(20))
        try daemon.waitForDocuments(20)
        try eventually("it is set aside") { try daemon.status().queue.spooled == 1 }
        #expect(try daemon.ctl("why", "bad.png").output.contains("has ended a worker alone"))
        // The same one under another name, and sent by a client again and again, says no more than once.
        try daemon.drop("copy.png", TrapPlugin.bait)
        try eventually("it is set aside too") { try daemon.status().queue.spooled == 2 }
        let file = try folder.write("sent.png", TrapPlugin.bait).string
        for _ in 0..<4 { #expect(try daemon.ctl("classify", file).code != 0) }
        #expect(try daemon.status().model?.name == "trapped")
        // The daemon goes: the images are taken up again by the next run.
        try daemon.stop()
        try daemon.start()
        try daemon.drop("more.png", TrapPlugin.bait(1))
        try daemon.waitForDocuments(23)
        #expect(try daemon.failures.isEmpty && daemon.results.count == 23)
        try daemon.stop()
    }

    @Test(arguments: ["abort();", "for (;;) { __asm__ volatile(\"\"); }"])
    func aPluginThatFailsCostsOneImage(_ act: String) throws {
        let folder = try TemporaryFolder()
        try TrapPlugin.compile(act, in: folder)
        let daemon = try RunningDaemon(
            [
                "plugins": "[\(folder.path)/plugins]", "limits": "{seconds: 1}", "batch": "4", "rollback": "\"off\"",
            ])
        try TrapPlugin.serve(daemon)
        let bad = TrapPlugin.bait
        let images = daemon.fixture.images.prefix(20)
        try daemon.drop(images.prefix(7))
        try daemon.drop("bad.png", bad)
        try daemon.drop(images.dropFirst(7))
        try daemon.waitForDocuments(21)
        let failures = try daemon.failures
        #expect(failures.map(\.record.file) == ["bad.png"] && failures[0].record.reason == "worker-lost")
        let results = try daemon.results
        #expect(Set(results.map(\.record.file)) == Set(images.map(\.name)) && results.count == 20)
        for result in results { #expect(result.record.top == daemon.fixture.expected["tiny"]?[result.record.file]) }

        // Once more: it fails again, with one document, and nothing else is touched.
        let retry = try daemon.ctl("queue", "retry", "--json")
        let answer = try JSONDecoder().decode(QueueAnswer.self, from: Data(retry.output.utf8))
        #expect(answer.images == 1)
        try eventually("it fails again") {
            let again = try daemon.failures
            return again.count == 1 && again[0].record.id != failures[0].record.id
        }
        #expect(try daemon.results.count == 20)
        try daemon.stop()

        // Without a daemon as well: the images around it are classified.
        let paths = [images[0].name, "bad.png", images[1].name].map { "\(folder.path)/\($0)" }
        for (path, bytes) in zip(paths, [images[0].bytes, bad, images[1].bytes]) {
            try folder.write(FilePath(path).lastComponent!.string, bytes)
        }
        let local = try daemon.ctl("classify", paths[0], paths[1], paths[2])
        #expect(local.code == 65 && local.error.contains("bad.png"), "\(local)")
        for image in images.prefix(2) {
            let label = try #require(daemon.fixture.expected["tiny"]?[image.name]?.first?.label)
            #expect(local.output.contains("\(image.name)  \(label)"), "\(local)")
        }
        #expect(!local.output.contains("bad.png"))
    }
}
