import FoveaData
import FoveaModels
import FoveaNN
import FoveaReport
import FoveaSystem
import FoveaTestKit
import FoveaTraining

/// Reports of trainings that never were.
enum Sample {
    /// Answers to `count` images, the labels in turn: two of three are right; the surer, the later.
    static func outcomes(_ count: Int, classes: Int) -> [Outcome] {
        (0..<count).map { index in
            let label = index % classes
            let answer = index % 3 == 2 ? (label + 1) % classes : label
            let confidence = 0.5 + 0.49 * Float(index) / Float(count)
            var scores = [Float](repeating: (1 - confidence) / Float(max(1, classes - 1)), count: classes)
            scores[answer] = confidence
            return scores.withUnsafeBufferPointer { Outcome(label: label, scores: $0) }
        }
    }

    static func heldOut(_ count: Int, classes: Int, side: Int = 16) -> TrainingRecord.HeldOut {
        var images = LabelledImages(height: side, width: side)
        for index in 0..<count {
            let image = SyntheticImage.gradient(width: side, height: side, seed: UInt64(index + 1))
            images.append(image, label: UInt16(index % classes))
        }
        return .init(.development, images: images, outcomes: outcomes(count, classes: classes))
    }

    static func report(
        labels: [String], groups: Int? = nil, heldOut: TrainingRecord.HeldOut?, epochs: Int = 3,
        seconds: (_ epoch: Int) -> Double = { _ in 2.5 }, description: String = "a sample"
    ) throws -> TrainingRecord {
        let definition = NetworkDefinition(
            architecture: "resnet9", input: Shape(height: 32, width: 32, channels: 3), classes: labels.count,
            settings: .object(["channels": .array([.int(4), .int(4), .int(8), .int(8)])]))
        var settings = TrainingSettings()
        settings.epochs = epochs
        let reports = try (1...epochs).map { epoch in
            let text = """
                {"epoch":\(epoch),"epochs":\(epochs),"loss":\(3.0 / Double(epoch)),"top1":\(1 - 1 / Double(epoch + 1)),
                 \(heldOut == nil ? "" : "\"development\":{\"loss\":1.5,\"top1\":0.625,\"images\":40},")
                 "best":true,"learningRate":0.001,"seconds":\(seconds(epoch)),"imagesPerSecond":100}
                """
            return try StrictJSON.parse(Array(text.utf8), depth: 8).decode(EpochReport.self)
        }
        let measured = JSONValue.object([
            "images": .int(heldOut?.outcomes.count ?? 0), "top1": .number(0.625), "top5": .number(1),
            "loss": .number(1.5), "calibrationError": .number(0.05),
        ])
        var training = Provenance.Training()
        training.data = .init(name: "shades", images: 300, development: 40)
        let configuration = ModelConfiguration(
            name: "sample", version: "7", description: description, labels: labels,
            superclasses: groups.map { (0..<$0).map { "group \($0)" } },
            superclassOf: groups.map { groups in labels.indices.map { $0 % groups } },
            input: .init(height: 32, width: 32),
            chain: [StageConfiguration(plugin: "normalize"), StageConfiguration(plugin: "classifier-net")],
            network: try JSONValue(encoding: definition), weights: .init(dtype: .float16),
            training: try Provenance(training),
            metrics: .object(heldOut == nil ? [:] : ["dev": measured]))
        return TrainingRecord(
            configuration: configuration, settings: settings, images: 300, epochs: reports, keptEpoch: epochs,
            heldOut: heldOut, hashes: ["manifest.json": "ab", "model.safetensors": "cd"], finished: 1_750_000_000)
    }
}
