import FoveaModels
import FoveaSystem
import Glibc
import SystemPackage

/// Writes models as others read them: see HuggingFace.swift for the layout.
package enum ModelExport {
    /// A folder in the Hugging Face layout at `path`, which must be free.
    package static func folder(_ model: VerifiedModel, to path: FilePath) throws(ModelError) {
        let files = try files(of: model)
        try NewPath.make(path) { folder throws(ModelError) in
            try storing { () throws(SystemError) in
                try Files.makeDirectory(folder)
                for (name, bytes) in files {
                    let file = folder.pushing(FilePath(name))
                    try Files.makeDirectories(file.removingLastComponent())
                    try Files.replace(file, with: bytes)
                }
            }
        }
    }

    /// The same as one file: tar, compressed by zstd, with all in a folder NAME-VERSION. A model always gives the same
    /// bytes.
    package static func archive(_ model: VerifiedModel, to path: FilePath) throws(ModelError) {
        let files = try files(of: model)
        let top = "\(model.configuration.name)-\(model.configuration.version)"
        try NewPath.make(path) { file throws(ModelError) in
            let descriptor = try storing { () throws(SystemError) in
                try Files.open(file, O_WRONLY | O_CREAT | O_EXCL)
            }
            defer { try? descriptor.close() }
            try TarWriter.write(files.map { ("\(top)/\($0.path)", $0.bytes) }, to: descriptor, subject: path.escaped)
            try storing { () throws(SystemError) in try Files.sync(descriptor, subject: path.escaped) }
        }
    }

    /// The layout's files, by their paths in it, in order.
    static func files(of model: VerifiedModel) throws(ModelError) -> [(path: String, bytes: [UInt8])] {
        var files = [
            ModelFolder.configurationName: HuggingFace.configuration(model),
            HuggingFace.preprocessing: HuggingFace.preprocessing(model.configuration),
        ]
        for (name, own) in HuggingFace.ours {
            let path = model.folder.appending(own)
            guard try storing({ () throws(SystemError) in try Files.statusIfPresent(path) }) != nil else { continue }
            files[name] = try ModelFolder.read(path, limit: ModelFolder.limit(own))
        }
        let training = model.folder.appending(ModelFolder.trainingName)
        if try storing({ () throws(SystemError) in try Files.statusIfPresent(training) }) != nil {
            for name in try storing({ () throws(SystemError) in try Files.list(training) }) {
                let path = training.appending(name)
                files["\(ModelFolder.trainingName)/\(name.string)"] = try ModelFolder.read(
                    path, limit: ModelFolder.goldenLimit)
            }
        }
        files[HuggingFace.card] = card(files) ?? HuggingFace.card(model)
        return files.map { (path: $0.key, bytes: $0.value) }.sorted { $0.path < $1.path }
    }

    /// The training's card, with links to what lies beside it there.
    private static func card(_ files: [String: [UInt8]]) -> [UInt8]? {
        let folder = "\(ModelFolder.trainingName)/"
        guard let card = files[folder + HuggingFace.card] else { return nil }
        var text = String(decoding: card, as: UTF8.self)
        for path in files.keys where path.hasPrefix(folder) {
            text = text.replacing("](\(path.dropFirst(folder.count)))", with: "](\(path))")
        }
        return Array(text.utf8)
    }
}

/// What an export says of itself as JSON.
package struct ExportReport: Encodable {
    let schema = "fovea.export/1"
    let name: String
    let version: String
    let sha256: String
    /// `folder`, `tar` or `onnx`.
    let format: String
    let output: String

    package init(_ model: VerifiedModel, format: String, output: FilePath) {
        name = model.configuration.name
        version = model.configuration.version
        sha256 = model.sha256
        self.format = format
        self.output = output.escaped
    }
}
