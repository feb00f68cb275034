import FoveaModels
import FoveaSystem
import FoveaTestKit
import SystemPackage

/// A model in a folder of its own, a store, and room beside them.
struct Ground {
    let folder: TemporaryFolder
    let model: VerifiedModel
    let store: ModelStore
    var root: FilePath { folder.path }

    /// - Parameter card: a model card that the model brings along.
    init(_ configuration: ModelConfiguration = Self.configuration, card: String? = nil) throws {
        folder = try TemporaryFolder()
        let path = folder.path.appending("model")
        try Files.makeDirectory(path)
        try Sample.write(path, configuration)
        try folder.write("model/training/metrics.jsonl", Array("{}\n".utf8))
        if let card { try folder.write("model/training/README.md", Array(card.utf8)) }
        model = try ModelFolder.verify(path)
        store = ModelStore(bundled: nil, trained: folder.path.appending("store"))
    }

    static var configuration: ModelConfiguration {
        var configuration = Sample.configuration()
        configuration.chain = [
            StageConfiguration(plugin: "normalize", parameters: .object(["mode": .string("signed")])),
            StageConfiguration(plugin: "classifier-net"),
        ]
        return configuration
    }

    /// What the store holds, half-made models too.
    func stored() throws -> [String] { try Files.list(store.trained).map(\.string).sorted() }

    /// The model's files by their names.
    func files() throws -> [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        for name in try Files.list(model.folder).map(\.string) where name != "training" {
            files[name] = try Files.read(model.folder.appending(name))
        }
        files["training/metrics.jsonl"] = try Files.read(model.folder.pushing("training/metrics.jsonl"))
        return files
    }
}
