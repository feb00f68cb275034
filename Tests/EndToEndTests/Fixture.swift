import FoundationEssentials
import FoveaControl
import FoveaModels
import FoveaSystem
import FoveaTestKit
import Glibc
import SystemPackage

/// What all tests share, made once: two tiny models trained by fovea-train, images, and what each model says of each
/// image according to fovea-train.
struct Fixture: Sendable {
    static let labels = ["blue", "green", "grey", "red"]

    /// An image, and the name under which it is dropped.
    struct Image: Sendable {
        let name: String
        let bytes: [UInt8]
    }

    let root: FilePath
    let images: [Image]
    /// By model and image, the best labels.
    let expected: [String: [String: [ResultRecord.Candidate]]]
    /// The store with `tiny@1` and `other@1`.
    var models: FilePath { root.appending("models") }

    static func shared() throws -> Fixture { try result.get() }

    private static let result = Result { try Fixture() }

    private init() throws {
        let folder = try TemporaryFolder()
        root = folder.path
        removedAtExit = folder
        atexit { removedAtExit = nil }

        var random = SplitMix64(seed: 5)
        let colours = [(60, 60, 190), (60, 190, 60), (120, 120, 120), (190, 60, 60)]
        func image(_ label: Int, width: Int = 32, height: Int = 32) -> [UInt8] {
            let (red, green, blue) = colours[label]
            func near(_ value: Int) -> Int { value + Int.random(in: -60...60, using: &random) }
            return SyntheticImage.blob(
                width: width, height: height, red: near(red), green: near(green), blue: near(blue),
                seed: random.next()
            ).png
        }
        for (index, label) in Self.labels.enumerated() {
            for number in 0..<24 { try folder.write("data/train/\(label)/\(number).png", image(index)) }
            for number in 0..<4 { try folder.write("data/test/\(label)/\(number).png", image(index)) }
        }
        var images: [Image] = []
        for number in 0..<300 {
            let (label, side) = (number % 4, number % 7 == 0)
            let bytes = image(label, width: side ? 45 : 32, height: side ? 37 : 32)
            images.append(Image(name: "i\(number).png", bytes: bytes))
            try folder.write("images/\(Self.labels[label])/i\(number).png", bytes)
        }
        self.images = images

        let configuration = try folder.write("train.yaml", Self.configuration(root, models: root.appending("models")))
        for (name, seed) in [("tiny", "1"), ("other", "2")] {
            let outcome = try Programs.run(
                "fovea-train",
                [
                    "train", "--arch", "vanilla", "--data", "\(root)/data", "--name", name, "--seed", seed,
                    "--set", "channels=8,8,8,8", "--set", "hidden=[16]", "--set", "bnMomentum=0.9", "--epochs", "8",
                    "--batch", "16", "--learning-rate", "0.003", "--development", "4", "--threads", "1",
                    "--output", "\(root)/models", "--config", configuration.string, "--quiet",
                ])
            guard outcome.code == 0 else { throw TestFailure(description: "training \(name): \(outcome.error)") }
        }
        var expected: [String: [String: [ResultRecord.Candidate]]] = [:]
        for name in ["tiny", "other"] {
            let file = root.appending("\(name).jsonl")
            // Through foveactl, which becomes fovea-train.
            let outcome = try Programs.run(
                "foveactl",
                [
                    "evaluate", name, "--data", "\(root)/images", "--scores", file.string, "--threads", "1",
                    "--config", configuration.string, "--json",
                ])
            guard outcome.code == 0 else { throw TestFailure(description: "evaluating \(name): \(outcome.error)") }
            expected[name] = try Self.read(file)
        }
        self.expected = expected
    }

    /// What `evaluate --scores` wrote, by the images' file names.
    static func read(_ file: FilePath) throws -> [String: [ResultRecord.Candidate]] {
        struct Line: Decodable {
            let image: String
            let top: [ResultRecord.Candidate]
        }
        var scores: [String: [ResultRecord.Candidate]] = [:]
        for text in try Files.read(file).split(separator: 0x0A) {
            let line = try JSONDecoder().decode(Line.self, from: Data(text))
            scores[FilePath(line.image).lastComponent!.string] = line.top
        }
        return scores
    }

    /// A configuration below `root`, with further lines.
    static func configuration(_ root: FilePath, models: FilePath, _ settings: [String: String] = [:]) -> [UInt8] {
        var values = [
            "inbox": "\(root)/in", "outbox": "\(root)/out", "corrections": "\(root)/fix", "state": "\(root)/var",
            "models": "\(models)", "socket": "\(root)/s", "model": "tiny", "http": "off", "min-free": "1MiB",
            "settle": "300ms", "workers": "2", "plugins": "[]",
        ]
        values.merge(settings) { $1 }
        return Array(values.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)\n" }.joined().utf8)
    }
}

/// Kept until the process ends.
nonisolated(unsafe) private var removedAtExit: TemporaryFolder?
