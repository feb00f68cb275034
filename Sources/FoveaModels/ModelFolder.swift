import FoveaSystem
import Glibc
import SystemPackage

/// A model whose every file has been read, hashed and found in order.
package struct VerifiedModel: Sendable {
    package let configuration: ModelConfiguration
    /// SHA-256 of `manifest.json`, lower-case hexadecimal.
    package let sha256: String
    package let golden: GoldenSet
    package let folder: FilePath

    package var identifier: ModelIdentifier {
        get throws(ModelError) { try configuration.identifier }
    }
}

/// The files of a model and the checks they must pass.
///
///     config.json  model.safetensors  golden.safetensors  manifest.json  training/ (free, not verified)
package enum ModelFolder {
    package static let configurationName = "config.json"
    package static let weightsName = "model.safetensors"
    package static let goldenName = "golden.safetensors"
    package static let manifestName = "manifest.json"
    package static let trainingName = "training"

    /// Largest file, in bytes.
    package static let weightsLimit = 2 << 30
    package static let goldenLimit = 64 << 20
    package static let textLimit = 4 << 20

    /// Largest size of a file by its name; files in `training/` have `goldenLimit`.
    package static func limit(_ name: String) -> Int {
        switch name {
        case weightsName: weightsLimit
        case goldenName: goldenLimit
        default: textLimit
        }
    }

    /// Checks a model's folder: exactly the expected files, each regular and not a link, of the size and hash that
    /// `manifest.json` gives; configuration, weights and golden set well-formed and in agreement with one another.
    /// Whether the weights fit the network is for the classifier to say, which alone knows networks.
    package static func verify(_ path: FilePath) throws(ModelError) -> VerifiedModel {
        let present = try storing { () throws(SystemError) in try Files.list(path).map(\.string).sorted() }
        func refusal(_ name: String, _ problem: String) -> ModelError {
            ModelError(.damaged, path.appending(name).escaped, problem)
        }
        guard present.contains(manifestName) else {
            throw refusal(manifestName, "is missing: not a model, or one whose writing was interrupted")
        }
        let manifestBytes = try read(path.appending(manifestName), limit: textLimit)
        let manifest: Manifest = try StrictDocument.decode(
            manifestBytes, subject: path.appending(manifestName).escaped)

        let known: Set = [configurationName, weightsName, goldenName]
        if let foreign = manifest.files.keys.sorted().first(where: { !known.contains($0) }) {
            throw refusal(manifestName, "names the unexpected file '\(foreign)'")
        }
        if let foreign = present.first(where: {
            $0 != manifestName && $0 != trainingName && manifest.files[$0] == nil
        }) {
            throw refusal(foreign, "does not belong to the model: it is not in the manifest")
        }

        var contents: [String: [UInt8]] = [:]
        for (name, entry) in manifest.files.sorted(by: { $0.key < $1.key }) {
            guard present.contains(name) else { throw refusal(name, "is missing") }
            let bytes = try read(path.appending(name), limit: limit(name))
            guard bytes.count == entry.bytes else {
                throw refusal(name, "has \(bytes.count) bytes, the manifest says \(entry.bytes)")
            }
            guard hexadecimal(Digest.sha256(bytes)) == entry.sha256 else {
                throw refusal(name, "is damaged: its SHA-256 is not the manifest's")
            }
            contents[name] = bytes
        }
        for name in [configurationName, goldenName] where contents[name] == nil {
            throw refusal(manifestName, "does not name \(name)")
        }

        let configuration = try ModelConfiguration(
            bytes: contents[configurationName]!, subject: path.appending(configurationName).escaped)
        try checkWeights(contents[weightsName], configuration, path)
        let goldenPath = path.appending(goldenName).escaped
        let golden = try GoldenSet(
            file: SafetensorsFile(bytes: contents[goldenName]!, subject: goldenPath), subject: goldenPath)
        guard golden.classes == configuration.labels.count else {
            throw refusal(
                goldenName,
                "has scores for \(golden.classes) classes, the model has \(configuration.labels.count) labels")
        }
        guard golden.height == configuration.input.height, golden.width == configuration.input.width else {
            throw refusal(
                goldenName,
                "has images of \(golden.width)×\(golden.height), the model takes "
                    + "\(configuration.input.width)×\(configuration.input.height)")
        }
        return VerifiedModel(
            configuration: configuration, sha256: hexadecimal(Digest.sha256(manifestBytes)), golden: golden,
            folder: path)
    }

    private static func checkWeights(
        _ bytes: [UInt8]?, _ configuration: ModelConfiguration, _ path: FilePath
    ) throws(ModelError) {
        let subject = path.appending(weightsName).escaped
        guard let bytes else {
            if configuration.usesNetwork { throw ModelError(.damaged, subject, "is missing, classifier-net needs it") }
            return
        }
        let file = try SafetensorsFile(bytes: bytes, subject: subject)
        if let entry = file.entries.first(where: { $0.type != .float32 && $0.type != .float16 }) {
            throw ModelError(
                .damaged, subject, "tensor '\(entry.name)' is \(entry.type.rawValue), weights are F32 or F16")
        }
        if configuration.usesNetwork, file.entries.isEmpty {
            throw ModelError(.damaged, subject, "holds no tensors")
        }
    }

    /// All bytes of a regular file that is not a link, at most `limit` of them.
    package static func read(_ path: FilePath, limit: Int) throws(ModelError) -> [UInt8] {
        do throws(SystemError) {
            return try Files.read(path, limit: limit)
        } catch {
            switch error.errno {
            case .tooManySymbolicLinkLevels: throw ModelError(.damaged, path.escaped, "is a symbolic link")
            case .invalidArgument: throw ModelError(.damaged, path.escaped, "is not a regular file")
            case .fileTooLarge: throw ModelError(.damaged, path.escaped, "is larger than \(limit) bytes")
            case .noSuchFileOrDirectory: throw ModelError(.damaged, path.escaped, "is missing")
            default: throw ModelError(error)
            }
        }
    }

    /// A model's files by name, the manifest among them, without `training/`.
    package static func files(
        configuration: ModelConfiguration, weights: [UInt8]?, golden: GoldenSet
    ) throws(ModelError) -> [String: [UInt8]] {
        var files = [configurationName: configuration.encode(), goldenName: try golden.encode()]
        if let weights { files[weightsName] = weights }
        files[manifestName] = Manifest(files: files.mapValues(Manifest.Entry.init(of:))).encode()
        return files
    }

    /// Writes a model's files into an existing folder, the manifest last, everything synced.
    ///
    /// - Returns: the model's SHA-256.
    @discardableResult
    package static func write(
        _ path: FilePath, configuration: ModelConfiguration, weights: [UInt8]?, golden: GoldenSet,
        training: [String: [UInt8]] = [:]
    ) throws(ModelError) -> String {
        var files = try files(configuration: configuration, weights: weights, golden: golden)
        let manifest = files.removeValue(forKey: manifestName)!
        try storing { () throws(SystemError) in
            if !training.isEmpty {
                try Files.makeDirectory(path.appending(trainingName))
                for (name, bytes) in training {
                    try Files.replace(path.appending(trainingName).appending(name), with: bytes)
                }
            }
            for (name, bytes) in files { try Files.replace(path.appending(name), with: bytes) }
            try Files.replace(path.appending(manifestName), with: manifest)
        }
        return hexadecimal(Digest.sha256(manifest))
    }
}
