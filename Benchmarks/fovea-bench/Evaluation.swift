import FoundationEssentials
import FoveaControl
import FoveaSystem
import Glibc
import SystemPackage

/// `fovea-train evaluate`, the same images through the same chain without a daemon.
struct Evaluation: Decodable {
    let imagesPerSecond: Double
    let images: Int
    let top1: Double

    /// - Parameter scores: gets a line for each image.
    static func run(
        _ model: BenchModel, _ corpus: Corpus, configuration: FilePath, output: FilePath, scores: FilePath? = nil
    ) throws -> Evaluation {
        let file = try Files.open(output, O_WRONLY | O_CREAT | O_TRUNC)
        defer { try? file.close() }
        var arguments = [
            "evaluate", "\(model.folder)", "--data", "\(corpus.folder)", "--json", "--quiet", "--config",
            "\(configuration)",
        ]
        if let scores { arguments += ["--scores", "\(scores)"] }
        let child = try ChildProcess(
            executable: programDirectory().appending("fovea-train"), arguments: arguments,
            environment: childEnvironment(), output: file)
        let ending = child.wait()
        guard ending == .exited(0) else { throw BenchError("fovea-train evaluate \(ending)") }
        return try JSONDecoder().decode(Evaluation.self, from: Data(try Files.read(output)))
    }

    /// A line of `--scores`.
    private struct Line: Decodable {
        let image: String
        let top: [ResultRecord.Candidate]
    }

    /// The five best labels of each image by its name.
    static func scores(_ file: FilePath) throws -> [String: [ResultRecord.Candidate]] {
        var scores: [String: [ResultRecord.Candidate]] = [:]
        for line in try Files.read(file).split(separator: 0x0A) {
            let line = try JSONDecoder().decode(Line.self, from: Data(line))
            scores[line.image] = line.top
        }
        return scores
    }
}

extension [ResultRecord.Candidate] {
    /// The same labels with the same confidences, to the last bit.
    func isIdentical(to other: Self) -> Bool {
        count == other.count
            && zip(self, other).allSatisfy {
                $0.label == $1.label && $0.confidence.bitPattern == $1.confidence.bitPattern
            }
    }
}
