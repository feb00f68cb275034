import FoveaModels
import FoveaSystem
import FoveaTestKit
import SystemPackage
import Testing

/// `train --data FOLDER` without --arch: a head on a backbone.
extension EndToEnd {
    /// A small backbone that tells colours apart, and folders of other colours.
    private struct Studio {
        let folder: TemporaryFolder
        let configuration: FilePath
        var root: FilePath { folder.path }

        init() throws {
            folder = try TemporaryFolder()
            configuration = try folder.write(
                "fovea.yaml",
                Fixture.configuration(folder.path, models: folder.path.appending("none"), ["model": "eye"]))
            try write("colours", ["red": (200, 50, 50), "green": (50, 200, 50), "blue": (50, 50, 200)], count: 24)
            let outcome = try Programs.run(
                "fovea-train",
                [
                    "train", "--arch", "resnet9", "--data", "\(root)/colours", "--name", "eye", "--epochs", "6",
                    "--batch", "16",
                    "--set", "channels=8,8,16,16", "--threads", "1", "--quiet", "--config", configuration.string,
                ])
            guard outcome.code == 0 else { throw TestFailure(description: outcome.error) }
        }

        func write(_ name: String, _ classes: [String: (Int, Int, Int)], count: Int) throws {
            var random = SplitMix64(seed: 3)
            for (label, colour) in classes.sorted(by: { $0.key < $1.key }) {
                for number in 0..<count {
                    func near(_ value: Int) -> Int { value + Int.random(in: -40...40, using: &random) }
                    let image = SyntheticImage.blob(
                        width: 40 + number % 3, height: 36, red: near(colour.0), green: near(colour.1),
                        blue: near(colour.2), seed: random.next())
                    try folder.write("\(name)/\(label)/\(number).png", image.png)
                }
            }
        }

        func train(_ data: String, _ more: [String] = []) throws -> Programs.Outcome {
            try Programs.run(
                "fovea-train",
                ["train", "--data", "\(root)/\(data)", "--threads", "1", "--config", configuration.string] + more)
        }

        func weights(_ model: String) throws -> [UInt8] {
            try Files.read(root.pushing(FilePath("var/models/\(model)/model.safetensors")))
        }
    }

    @Test func aFolderBecomesAModelThatServes() throws {
        let studio = try Studio()
        try studio.write("parts", ["nut": (200, 150, 50), "screw": (120, 50, 180)], count: 12)
        let first = try studio.train("parts", ["--name", "parts"])
        #expect(first.code == 0, "\(first.error)")
        for word in ["right", "of 24 pictures", "nut 12", "screw 12", "foveactl model swap parts@1"] {
            #expect(first.output.contains(word), "\(first.output)")
        }
        // There is no fetched backbone: the message says so, and how to get one.
        #expect(first.error.contains("foveactl model fetch"), "\(first.error)")

        let folder = studio.root.pushing(FilePath("var/models/parts/1"))
        let model = try ModelFolder.verify(folder)
        #expect(model.configuration.labels == ["nut", "screw"])
        #expect(model.configuration.training?.ownClasses?.data.classes == [12, 12])
        #expect(model.configuration.metrics?["dev"]?["images"]?.double == 24)
        let top1 = try #require(model.configuration.metrics?["dev"]?["top1"]?.double)
        #expect(top1 >= 0.9)

        // What serves says what the folds said, and how far a picture is from all that was learnt.
        let answer = try Programs.run(
            "foveactl",
            ["classify", "\(studio.root)/parts/nut/3.png", "--json", "--config", studio.configuration.string])
        #expect(answer.code == 0 && answer.output.contains("eye"), "\(answer.output)\(answer.error)")
        let scores = studio.root.appending("scores.jsonl")
        let evaluation = try Programs.run(
            "fovea-train",
            [
                "evaluate", "parts", "--data", "\(studio.root)/parts", "--scores", scores.string, "--threads", "1",
                "--json",
                "--config", studio.configuration.string,
            ])
        #expect(evaluation.code == 0, "\(evaluation.error)")
        let lines = String(decoding: try Files.read(scores), as: UTF8.self)
        #expect(lines.split(separator: "\n").allSatisfy { $0.contains("\"unknown\":") })
        let export = try Programs.run(
            "foveactl",
            [
                "model", "export", "parts", "--format", "onnx", "--output", "\(studio.root)/parts.onnx", "--config",
                studio.configuration.string,
            ])
        #expect(export.code == 0, "\(export.error)")
        let listed = try Programs.run("foveactl", ["model", "list", "--config", studio.configuration.string])
        #expect(listed.output.contains("of 24 out-of-fold"), "\(listed.output)")
    }

    /// Features are computed once; a cache that is cut off costs time and changes no bit.
    @Test func featuresAreKept() throws {
        let studio = try Studio()
        try studio.write("parts", ["nut": (200, 150, 50), "screw": (120, 50, 180)], count: 6)
        #expect(try studio.train("parts").code == 0)
        let again = try studio.train("parts")
        #expect(again.code == 0 && again.error.contains("12 of them known"), "\(again.error)")
        let cache = studio.root.pushing(FilePath("var/features"))
        let file = cache.appending(try #require(try Files.list(cache).first))
        let bytes = try Files.read(file)
        try Files.replace(file, with: Array(bytes.dropLast(bytes.count / 3)))
        let third = try studio.train("parts")
        #expect(third.code == 0 && third.error.contains("of them known") && !third.error.contains("12 of them known"))
        #expect(try Files.read(file).count == bytes.count)
        #expect(try studio.weights("parts/1") == studio.weights("parts/2"))
        #expect(try studio.weights("parts/1") == studio.weights("parts/3"))
    }

    @Test func whatCannotBeLearntIsRefusedWithItsReason() throws {
        let studio = try Studio()
        try studio.write("one", ["nut": (200, 150, 50)], count: 6)
        let one = try studio.train("one")
        #expect(one.code == 65 && one.error.contains("one class, 'nut'"), "\(one.error)")
        try studio.write("thin", ["nut": (200, 150, 50), "screw": (120, 50, 180)], count: 6)
        try studio.folder.write(
            "thin/bolt/1.png", SyntheticImage.blob(width: 30, height: 30, red: 9, green: 9, blue: 9, seed: 1).png)
        let thin = try studio.train("thin")
        #expect(thin.code == 65 && thin.error.contains("'bolt' (1)"), "\(thin.error)")
        let scratch = try studio.train("thin", ["--epochs", "3"])
        #expect(
            scratch.code == 64 && scratch.error.contains("--epochs decides a training from scratch"), "\(scratch.error)"
        )
        let missing = try studio.train("thin", ["--backbone", "nobody"])
        #expect(missing.code == 66 && missing.error.contains("nobody"), "\(missing.error)")
        let both = try studio.train("thin", ["--arch", "vanilla", "--backbone", "eye"])
        #expect(both.code == 64, "\(both.error)")
    }
}
