import FoveaModels
import FoveaSystem
import SystemPackage

/// A small model that is in order; tests damage one thing at a time.
package enum Sample {
    package static func configuration(name: String = "tiny", version: String = "1") -> ModelConfiguration {
        ModelConfiguration(
            name: name, version: version, description: "for tests", labels: ["cat", "dog", "naïve owl"],
            superclasses: ["mammals", "birds"], superclassOf: [0, 0, 1], input: .init(height: 4, width: 5),
            chain: [
                StageConfiguration(plugin: "sharpen", parameters: .object(["amount": .number(0.5)])),
                StageConfiguration(plugin: "normalize"), StageConfiguration(plugin: "classifier-net"),
            ],
            network: .object(["architecture": .string("vanilla")]), weights: .init(dtype: .float16),
            training: Provenance(json: .object(["seed": .int(7)])),
            metrics: .object(["test": .object(["top1": .number(0.5)])]))
    }

    package static func golden(height: Int = 4, width: Int = 5, classes: Int = 3) throws -> GoldenSet {
        try GoldenSet(
            count: 2, height: height, width: width, classes: classes,
            inputs: (0..<2 * height * width * 3).map { UInt8(truncatingIfNeeded: $0) },
            scores: (0..<2 * classes).map { _ in 1 / Float(classes) })
    }

    package static func weights() throws -> [UInt8] {
        var writer = SafetensorsWriter()
        try writer.add("layer.weight", shape: [2, 2], floats: [1, -2, 0.5, 0], as: .float16)
        try writer.add("layer.bias", shape: [2], floats: [0.1, 0.2])
        return writer.encode()
    }

    /// Writes the model into `folder`, which must exist.
    @discardableResult
    package static func write(
        _ folder: FilePath, _ configuration: ModelConfiguration = configuration(), weights: [UInt8]? = try! weights()
    ) throws -> String {
        try ModelFolder.write(folder, configuration: configuration, weights: weights, golden: golden())
    }

    /// Writes a manifest for whatever files are in `folder`, so that only what they hold can be wrong.
    package static func reseal(_ folder: FilePath) throws {
        var entries: [String: Manifest.Entry] = [:]
        for name in try Files.list(folder).map(\.string) where name != "manifest.json" && name != "training" {
            entries[name] = Manifest.Entry(of: try Files.read(folder.appending(name)))
        }
        try Files.replace(folder.appending("manifest.json"), with: Manifest(files: entries).encode())
    }
}

/// The message of the `ModelError` that `body` throws, with its code in front; empty where it throws none.
package func refusal(_ body: () throws -> Void) -> String {
    do {
        try body()
        return ""
    } catch let error as ModelError {
        return "\(error.code.rawValue): \(error)"
    } catch {
        return "not a ModelError: \(error)"
    }
}
