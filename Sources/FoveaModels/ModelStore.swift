// The model store: two folders of the form NAME/VERSION/.
//
//     bundled   models/            read-only, comes with Fovea
//     trained   <state>/models/    what training and `model import` add
//
// A model is made in a folder `.staging-…` beside its place, synced, and renamed: under its name there is a whole model
// or none. What is there never changes; it can only be removed. Where both folders have the same NAME@VERSION, the
// bundled one counts.

import FoveaSystem
import Glibc
import SystemPackage

/// Finds, adds and removes models.
package struct ModelStore: Sendable {
    /// A model's place; nothing in it has been verified.
    package struct Model: Sendable, Equatable {
        package let identifier: ModelIdentifier
        package let folder: FilePath
        package let isBundled: Bool
    }

    /// The read-only folder, if there is one.
    package let bundled: FilePath?
    /// The folder for new models; made when the first one is added.
    package let trained: FilePath

    package init(bundled: FilePath?, trained: FilePath) {
        self.bundled = bundled
        self.trained = trained
    }

    // MARK: - Finding

    /// All models by name and from the oldest version to the newest. A folder without a manifest is not listed.
    package func list() throws(ModelError) -> [Model] {
        var models: [ModelIdentifier: Model] = [:]
        for model in try Self.models(in: trained, isBundled: false) { models[model.identifier] = model }
        if let bundled {
            for model in try Self.models(in: bundled, isBundled: true) { models[model.identifier] = model }
        }
        return models.values.sorted { $0.identifier < $1.identifier }
    }

    private static func models(in root: FilePath, isBundled: Bool) throws(ModelError) -> [Model] {
        func folders(_ path: FilePath) throws(ModelError) -> [String] {
            do throws(SystemError) {
                return try Files.list(path).map(\.string).filter(ModelIdentifier.isValid)
            } catch {
                if error.errno == .noSuchFileOrDirectory || error.errno == .notDirectory { return [] }
                throw ModelError(error)
            }
        }
        var models: [Model] = []
        for name in try folders(root) {
            for version in try folders(root.appending(name)) {
                let folder = root.appending(name).appending(version)
                let manifest = folder.appending(ModelFolder.manifestName)
                guard (try? Files.statusIfPresent(manifest)) != nil else { continue }
                models.append(
                    Model(
                        identifier: try ModelIdentifier(name: name, version: version), folder: folder,
                        isBundled: isBundled))
            }
        }
        return models
    }

    /// The model that `reference` (NAME or NAME@VERSION) names.
    ///
    /// - Throws: `.notFound` with what there is instead, `.invalidName`.
    package func resolve(_ reference: String) throws(ModelError) -> Model {
        try resolve(ModelReference(reference))
    }

    /// See `resolve(_:)` of a text.
    package func resolve(_ reference: ModelReference) throws(ModelError) -> Model {
        let models = try list()
        let versions = models.filter { $0.identifier.name == reference.name }
        if let version = reference.version {
            if let model = versions.first(where: { $0.identifier.version == version }) { return model }
        } else if let newest = versions.last {
            return newest
        }
        throw ModelError(.notFound, "\(reference)", Self.hint(reference, versions, models, roots: roots))
    }

    private var roots: String { ([bundled, trained].compactMap { $0?.escaped }).joined(separator: " and ") }

    private static func hint(
        _ reference: ModelReference, _ versions: [Model], _ models: [Model], roots: String
    ) -> String {
        if !versions.isEmpty {
            let known = versions.map(\.identifier.version).joined(separator: ", ")
            return "no such version; there are: \(known)"
        }
        if models.isEmpty { return "no such model; there are none in \(roots)" }
        let names = Set(models.map(\.identifier.name)).sorted()
        let near = names.filter { name in
            name.contains(reference.name) || reference.name.contains(name)
                || distance(Array(name.utf8), Array(reference.name.utf8)) <= max(2, name.utf8.count / 4)
        }
        if !near.isEmpty { return "no such model; did you mean \(near.joined(separator: " or "))?" }
        return "no such model; there are: \(names.joined(separator: ", "))"
    }

    /// Levenshtein's distance.
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var row = Array(0...right.count)
        for (i, a) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, b) in right.enumerated() {
                let replaced = diagonal + (a == b ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(replaced, row[j] + 1, row[j + 1] + 1)
            }
        }
        return row[right.count]
    }

    /// The next whole number above all versions of `name` that are whole numbers.
    package func nextVersion(of name: String) throws(ModelError) -> String {
        let numbers = try list().filter { $0.identifier.name == name }.compactMap { Int($0.identifier.version) }
        return String((numbers.max() ?? 0) + 1)
    }

    // MARK: - Adding

    /// Writes a new model under the name and version in its configuration.
    ///
    /// - Parameters:
    ///   - weights: the bytes of model.safetensors.
    ///   - training: files for the folder `training/`.
    /// - Throws: `.exists` where there is one already.
    @discardableResult
    package func add(
        configuration: ModelConfiguration, weights: [UInt8]?, golden: GoldenSet, training: [String: [UInt8]] = [:]
    ) throws(ModelError) -> Model {
        let identifier = try configuration.identifier
        return try stage(identifier) { staging throws(ModelError) in
            try ModelFolder.write(
                staging, configuration: configuration, weights: weights, golden: golden, training: training)
            _ = try ModelFolder.verify(staging)
            return identifier
        }
    }

    /// Copies a model's folder from elsewhere. The copy is verified, not the original, which may change meanwhile.
    ///
    /// - Parameter names: see `ModelFolder.copy`.
    @discardableResult
    package func importFolder(_ source: FilePath, names: [String: String]? = nil) throws(ModelError) -> Model {
        try add { staging throws(ModelError) in try ModelFolder.copy(source, to: staging, names: names) }
    }

    /// Takes a model whose files `fill` puts into an empty folder; what is in order there moves to its place, anything
    /// else is removed.
    @discardableResult
    package func add(filledBy fill: (FilePath) throws(ModelError) -> Void) throws(ModelError) -> Model {
        try stage(nil) { staging throws(ModelError) in
            try fill(staging)
            return try ModelFolder.verify(staging).identifier
        }
    }

    /// Lets `fill` fill a new folder and moves that to the place of the model that `fill` returns.
    private func stage(
        _ early: ModelIdentifier?, fill: (FilePath) throws(ModelError) -> ModelIdentifier
    ) throws(ModelError) -> Model {
        if let early { try refuseExisting(early) }
        try storing { () throws(SystemError) in try Files.makeDirectories(trained) }
        removeAbandoned()
        let unique = UInt64.random(in: .min ... .max)
        let staging = trained.appending("\(Self.stagingPrefix)\(getpid())-\(String(unique, radix: 36))")
        try storing { () throws(SystemError) in try Files.makeDirectory(staging) }
        do throws(ModelError) {
            let identifier = try fill(staging)
            try refuseExisting(identifier, as: staging)
            let parent = trained.appending(identifier.name)
            let place = parent.appending(identifier.version)
            do throws(SystemError) {
                try Files.syncDirectory(staging)
                try Files.makeDirectories(parent)
                try Files.renameNoReplace(staging, to: place)
                try Files.syncDirectory(parent)
                try Files.syncDirectory(trained)
            } catch {
                throw error.errno == .fileExists ? Self.exists(identifier) : ModelError(error)
            }
            return Model(identifier: identifier, folder: place, isBundled: false)
        } catch {
            try? Files.removeTree(staging)
            throw error
        }
    }

    private static let stagingPrefix = ".staging-"

    /// - Parameter folder: what was to become the model; where it is the one that is there, nothing is amiss, and the error
    ///   says so.
    private func refuseExisting(_ identifier: ModelIdentifier, as folder: FilePath? = nil) throws(ModelError) {
        guard let model = try list().first(where: { $0.identifier == identifier }) else { return }
        func manifest(_ folder: FilePath) -> [UInt8]? { try? Files.read(folder.appending(ModelFolder.manifestName)) }
        if let folder, let new = manifest(folder), new == manifest(model.folder) {
            throw ModelError(
                .exists, "\(identifier)",
                "this very model is in the store already (\(model.folder.escaped)): use that one")
        }
        throw Self.exists(identifier)
    }

    private static func exists(_ identifier: ModelIdentifier) -> ModelError {
        ModelError(
            .exists, "\(identifier)", "there is already such a model; models never change, give it a new version")
    }

    /// Removes what processes that no longer run have left half-made.
    private func removeAbandoned() {
        for name in (try? Files.list(trained).map(\.string)) ?? [] where name.hasPrefix(Self.stagingPrefix) {
            let owner = name.dropFirst(Self.stagingPrefix.count).prefix { $0 != "-" }
            guard let pid = pid_t(owner), pid != getpid() else { continue }
            if kill(pid, 0) != 0 && errno == ESRCH { try? Files.removeTree(trained.appending(name)) }
        }
    }

    // MARK: - Removing

    /// Taken while a model is on its way to serve, and while one is removed: nobody removes what is about to serve.
    ///
    /// - Returns: nil where somebody else has it.
    package func lock() throws(ModelError) -> StoreLock? {
        do throws(SystemError) {
            return try FolderLock.take(trained).map(StoreLock.init)
        } catch {
            // Nothing has been trained or imported yet, and nothing can be removed.
            if error.errno == .noSuchFileOrDirectory { return StoreLock(nil) }
            throw ModelError(error)
        }
    }

    /// Removes a trained model; to be called under `lock`, under which `protection` was made as well.
    ///
    /// - Throws: `.protected`, `.notFound`.
    /// - Parameter force: also what another model was trained on, where that is not needed itself.
    package func remove(
        _ identifier: ModelIdentifier, protection: ModelProtection, force: Bool = false
    ) throws(ModelError) {
        let model = try resolve(ModelReference(identifier.description))
        if model.isBundled {
            throw ModelError(.protected, "\(identifier)", "comes with Fovea and stands in the read-only store")
        }
        if let reason = protection[identifier], !force || protection.keeps(identifier, newest: []) {
            throw ModelError(.protected, "\(identifier)", reason)
        }
        try discard(model)
    }

    /// Removes a trained model that nothing can need yet. It is renamed first: a crash halfway leaves nothing that looks like
    /// a model.
    package func discard(_ model: Model) throws(ModelError) {
        let identifier = model.identifier
        let grave = trained.appending("\(Self.stagingPrefix)\(getpid())-\(identifier.name)-\(identifier.version)")
        try storing { () throws(SystemError) in
            try Files.removeTree(grave)
            try Files.rename(model.folder, to: grave)
            try Files.syncDirectory(model.folder.removingLastComponent())
            try Files.removeTree(grave)
        }
        try? Files.removeDirectory(model.folder.removingLastComponent())
    }
}

/// The lock of a store, until it is released or goes.
package final class StoreLock {
    private var descriptor: FileDescriptor?

    init(_ descriptor: FileDescriptor?) { self.descriptor = descriptor }
    deinit { release() }

    /// From now on models may be removed; may be called again.
    package func release() {
        try? descriptor?.close()
        descriptor = nil
    }
}
