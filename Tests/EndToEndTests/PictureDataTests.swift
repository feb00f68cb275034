import FoundationEssentials
import FoveaData
import FoveaImage
import FoveaModels
import FoveaSystem
import FoveaTestKit
import SystemPackage
import Testing

/// Data sets that keep pictures, from the command line to the model.
extension EndToEnd {
    struct PictureDataTests {
        private let folder: TemporaryFolder
        private let configuration: FilePath

        init() throws {
            folder = try TemporaryFolder()
            configuration = try folder.write(
                "fovea.yaml", Fixture.configuration(folder.path, models: folder.path.appending("none")))
        }

        private func run(_ program: String, _ arguments: [String], _ code: Int32 = 0) throws -> Programs.Outcome {
            let outcome = try Programs.run(program, arguments + ["--config", configuration.string])
            #expect(outcome.code == code, "\(arguments): \(outcome)")
            return outcome
        }

        /// Wide pictures: a middle that tells the class, between ends that say nothing.
        private func picture(_ label: Int, _ seed: Int) -> RGBImage {
            let red = label == 0 ? 40 : 210
            let middle = SyntheticImage.blob(
                width: 30, height: 30, red: red, green: 90, blue: 90, seed: UInt64(seed))
            let end = SyntheticImage.noise(width: 30, height: 30, seed: UInt64(seed + 1000))
            var pixels: [UInt8] = []
            for y in 0..<30 {
                for part in [end, middle, end] { pixels += part.pixels[y * 90..<(y + 1) * 90] }
            }
            return RGBImage(width: 90, height: 30, pixels: pixels)
        }

        private func members() -> [(name: String, bytes: [UInt8])] {
            (0..<40).map { ("parts/\($0 % 2 == 0 ? "dark" : "light")/\($0).png", picture($0 % 2, $0).png) }
        }

        private func train(_ name: String, _ more: [String], _ code: Int32 = 0) throws -> Programs.Outcome {
            try run(
                "fovea-train",
                [
                    "train", "--arch", "vanilla", "--name", name, "--set", "channels=8,8,8,8", "--set", "hidden=[16]",
                    "--epochs", "8", "--threads", "1",
                ] + more, code)
        }

        private func model(_ name: String) throws -> ModelConfiguration {
            try ModelFolder.verify(folder.path.pushing(FilePath("var/models/\(name)/1"))).configuration
        }

        @Test func oneDataSetServesEverySizeAndFraming() throws {
            let archive = try folder.write("parts.zip", TestArchive.zip(members()))
            let imported = try run("foveactl", ["dataset", "import", archive.string, "--name", "parts"])
            #expect(imported.output.contains("pictures as they were"))
            #expect(imported.output.contains("36 images: dark 18, light 18"), "\(imported)")
            let info = try JSONDecoder().decode(
                JSONValue.self, from: Data(run("foveactl", ["dataset", "info", "parts", "--json"]).output.utf8))
            #expect(info["counts"]?["test"]?["dark"] == .int(2) && info["height"] == nil)

            let target = ImageTarget(height: 24, width: 24, framing: .crop(share: 1), resample: .bicubic)
            let trained = try train(
                "cropped", ["--data", "parts", "--size", "24", "--framing", "crop=1", "--resample", "bicubic"])
            #expect(trained.error.contains("36 images to learn from: dark 18, light 18"), "\(trained)")
            #expect(try model("cropped").input.target == target)
            _ = try train("stretched", ["--data", "parts"])
            #expect(try model("stretched").input == .init(height: 32, width: 32))

            // The data set, the archive and the folder it came from say the same of both models.
            let unpacked = folder.path.appending("unpacked")
            for (name, bytes) in members() { try folder.write("unpacked/\(name)", bytes) }
            for (data, images) in [("parts", 4), (archive.string, 40), (unpacked.appending("parts").string, 40)] {
                for name in ["cropped", "stretched"] {
                    let outcome = try run(
                        "fovea-train", ["evaluate", name, "--data", data, "--split", "test", "--json"])
                    let report = try JSONDecoder().decode(JSONValue.self, from: Data(outcome.output.utf8))
                    #expect(report["images"]?.double == Double(images), "\(data) \(outcome)")
                }
            }
            let compared = try run(
                "foveactl",
                ["model", "compare", "cropped", "stretched", "--data", "parts", "--split", "train", "--json"])
            let comparison = try JSONDecoder().decode(JSONValue.self, from: Data(compared.output.utf8))
            #expect(comparison["images"]?.double == 36)

            // What is exported says how a picture becomes the input.
            let exported = folder.path.appending("exported").string
            _ = try run("foveactl", ["model", "export", "cropped", "--format", "folder", "--output", exported])
            let preparation = try JSONDecoder().decode(
                JSONValue.self, from: Data(Files.read(FilePath(exported).appending("preprocessor_config.json"))))
            #expect(preparation["do_center_crop"] == .bool(true) && preparation["resample"] == .int(3))
            #expect(preparation["size"]?["shortest_edge"] == .int(24))

            // The pictures come out as they went in.
            let output = folder.path.appending("out")
            _ = try run("foveactl", ["dataset", "export", "parts", "--split", "test", "--output", output.string])
            let label = output.appending("dark")
            let bytes = try Files.read(label.appending(try #require(try Files.list(label).first)))
            #expect(members().contains { $0.bytes == bytes })
        }

        /// `--resume` after pictures were added says what has changed, not that the network is another one.
        @Test func resumingOnOtherDataSaysWhatDiffers() throws {
            for (name, bytes) in members() { try folder.write(name, bytes) }
            let data = folder.path.appending("parts").string
            let checkpoint = folder.path.appending("c").string
            let arguments = ["--data", data, "--checkpoint", checkpoint]
            let log = try Files.open(try folder.write("log", []), 2)
            defer { try? log.close() }
            let child = try ChildProcess(
                executable: try Programs.path("fovea-train"),
                arguments: [
                    "train", "--arch", "vanilla", "--name", "long", "--set", "channels=8,8,8,8", "--set", "hidden=[16]",
                    "--epochs", "5000", "--threads", "1", "--config", configuration.string,
                ] + arguments, environment: ["PATH=/usr/bin:/bin"], output: log, error: log)
            try eventually("a checkpoint") { try Files.statusIfPresent(FilePath(checkpoint)) != nil }
            child.signal(2)
            #expect(child.wait() == .exited(75))
            let resume = arguments + ["--resume", checkpoint, "--epochs", "5000"]
            try folder.write("parts/light/more.png", picture(1, 77).png)
            let more = try train("long", resume, 65)
            #expect(more.error.contains("images was 36, now 37"), "\(more)")
            for i in 0..<12 { try folder.write("parts/grey/\(i).png", picture(0, 100 + i).png) }
            let other = try train("long", resume, 65)
            #expect(other.error.contains("labels was 2 (dark, light), now 3 (dark, grey, light)"), "\(other)")
        }

        @Test func limitsHoldForDataSetsToo() throws {
            for (name, bytes) in members() { try folder.write(name, bytes) }
            try folder.write("parts/dark/large.png", SyntheticImage.noise(width: 400, height: 300, seed: 1).png)
            let settings = String(decoding: try Files.read(configuration), as: UTF8.self)
            let limited = try folder.write("limited.yaml", Array((settings + "\nlimits: {pixels: 100000}\n").utf8))
            let importing = ["dataset", "import", folder.path.appending("parts").string, "--name"]
            let small = try Programs.run("foveactl", importing + ["small", "--config", limited.string])
            #expect(small.code == 0 && small.error.contains("limits.pixels"), "\(small)")
            let all = try run("foveactl", importing + ["all"])
            #expect(!all.error.contains("left out"), "\(all)")
        }

        /// In a folder that has no configuration, what was looked for is named, and how to name the right one.
        @Test func classifyingElsewhereSaysWhereItLooked() throws {
            let elsewhere = try TemporaryFolder()
            let file = try elsewhere.write("x.png", picture(0, 1).png)
            let outcome = try Programs.run("foveactl", ["classify", "--alone", file.string], in: elsewhere.path)
            #expect(outcome.code == 66, "\(outcome)")
            #expect(
                outcome.error.contains(elsewhere.path.appending("models").string) && outcome.error.contains("--config"))
        }
    }
}
