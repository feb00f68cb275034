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

    /// A plugin in C that copies, and does `act` at a batch with a magenta image.
    private func compileTrap(_ act: String, in folder: TemporaryFolder) throws {
        let source = """
            #include "fovea_plugin.h"
            #include <stdlib.h>
            #include <string.h>
            static int kept;
            static fovea_status create(const fovea_create_args *a, fovea_instance **i, fovea_error *e) {
                (void)a; (void)e; *i = (fovea_instance *)&kept; return FOVEA_OK;
            }
            static void destroy(fovea_instance *i) { (void)i; }
            static fovea_status process(fovea_instance *i, fovea_shape s, const void *in, void *out, fovea_error *e) {
                const unsigned char *p = in;
                size_t size = (size_t)s.height * s.width * 3;
                (void)i; (void)e;
                for (int n = 0; n < s.count; n++, p += size)
                    if (p[0] == 255 && p[1] == 0 && p[2] == 255) { \(act) }
                memcpy(out, in, (size_t)s.count * size);
                return FOVEA_OK;
            }
            static const fovea_plugin plugin = {
                .abi_version = FOVEA_ABI_VERSION, .struct_size = sizeof(fovea_plugin), .kind = FOVEA_FILTER,
                .name = "trap", .version = "1", .description = "test", .create = create, .destroy = destroy,
                .process = process};
            FOVEA_EXPORT const fovea_plugin *fovea_plugin_entry(const fovea_host *h) { (void)h; return &plugin; }
            """
        let input = try folder.write("plugins/trap.c", Array(source.utf8))
        let package = FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()
        let child = try ChildProcess(
            executable: "/usr/bin/cc",
            arguments: [
                "-std=gnu11", "-O1", "-fPIC", "-shared", "-fvisibility=hidden", "-I",
                package.pushing("Sources/CFoveaPlugin/include").string, "-o",
                folder.path.pushing("plugins/libfovea-trap.so").string, input.string,
            ], environment: ["PATH=/usr/bin:/bin"])
        guard child.wait() == .exited(0) else { throw TestFailure(description: "the plugin does not compile") }
    }

    /// Lets `trapped@1` serve: `tiny` with the trap before it.
    private func serveTrapped(_ daemon: RunningDaemon) throws {
        try daemon.makeModel(
            "trapped",
            change: {
                var description = try JSONDecoder().decode(
                    [String: JSONValue].self, from: Data($0[ModelFolder.configurationName]!))
                guard case .array(let chain) = description["chain"] else { throw TestFailure(description: "no chain") }
                description["chain"] = .array([.object(["plugin": .string("trap")])] + chain)
                $0[ModelFolder.configurationName] = Array(JSONValue.object(description).text.utf8)
            })
        let swap = try daemon.ctl("model", "swap", "trapped")
        #expect(swap.code == 0, "\(swap.error)")
    }

    /// What the trap is for, as PNG.
    private static var magenta: [UInt8] {
        TestPNG(
            width: 32, height: 32, colorType: .rgb, samples: (0..<32 * 32).flatMap { _ in [255, 0, 255] }
        ).bytes
    }

    /// The model before classifies what its successor crashed on.
    @Test func aModelThatKeepsCrashingIsRolledBackByItself() throws {
        let folder = try TemporaryFolder()
        try compileTrap("abort();", in: folder)
        let daemon = try RunningDaemon(["plugins": "[\(folder.path)/plugins]", "batch": "4"])
        try serveTrapped(daemon)
        let images = daemon.fixture.images.prefix(40)
        try daemon.drop(images.prefix(10))
        try daemon.drop("bad1.png", Self.magenta)
        try daemon.drop(images.dropFirst(10).prefix(10))
        try daemon.drop("bad2.png", Self.magenta)
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
        try daemon.stop()
    }

    /// One image says little about a model.
    @Test func oneImageThatCrashesIsSetAsideAndTheModelServesOn() throws {
        let folder = try TemporaryFolder()
        try compileTrap("abort();", in: folder)
        let daemon = try RunningDaemon(["plugins": "[\(folder.path)/plugins]", "batch": "4"])
        try serveTrapped(daemon)
        try daemon.drop("bad.png", Self.magenta)
        try daemon.drop(daemon.fixture.images.prefix(20))
        try daemon.waitForDocuments(20)
        try eventually("it is set aside") { try daemon.status().queue.spooled == 1 }
        #expect(try daemon.ctl("why", "bad.png").output.contains("has ended a worker alone"))
        #expect(try daemon.status().model?.name == "trapped")
        // The daemon goes: the image is taken up again by the next run.
        try daemon.stop()
        try daemon.start()
        try daemon.drop("more.png", Self.magenta)
        try daemon.waitForDocuments(22)
        #expect(try daemon.failures.isEmpty && daemon.results.count == 22)
        try daemon.stop()
    }

    @Test(arguments: ["abort();", "for (;;) { __asm__ volatile(\"\"); }"])
    func aPluginThatFailsCostsOneImage(_ act: String) throws {
        let folder = try TemporaryFolder()
        try compileTrap(act, in: folder)
        let daemon = try RunningDaemon(
            [
                "plugins": "[\(folder.path)/plugins]", "limits": "{seconds: 1}", "batch": "4", "rollback": "\"off\"",
            ])
        try serveTrapped(daemon)
        let bad = Self.magenta
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
