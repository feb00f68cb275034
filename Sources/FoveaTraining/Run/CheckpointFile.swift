import FoveaCLI
import FoveaNN
import FoveaSystem
import Glibc
import SystemPackage

/// Where a training keeps its checkpoint: one training at a time, and never over what somebody may still need.
package struct CheckpointFile {
    /// The largest one that is read: settings, weights and the optimizer's state.
    private static let limit = 16 << 30

    let path: FilePath
    /// The checkpoint to go on from; nil for a new training.
    let resumed: FilePath?
    /// The training's name, for messages.
    let name: String

    package init(path: FilePath, resumed: FilePath? = nil, name: String) {
        (self.path, self.resumed, self.name) = (path, resumed, name)
    }

    /// A hidden name beside the checkpoint, which only one training has.
    package func sibling(_ suffix: String) -> FilePath {
        path.removingLastComponent().appending(".\(path.lastComponent?.string ?? "").\(suffix)")
    }

    // MARK: - One training at a time

    /// Keeps all others away while `body` runs.
    ///
    /// - Throws: `Failure.tryAgain` where another training has the checkpoint; `Failure.cannotCreate` where something
    ///   stands in its place that this training must not replace.
    package func locked<T>(_ body: () throws -> T) throws -> T {
        try Files.makeDirectories(path.removingLastComponent())
        let lockFile = sibling("lock")
        guard let lock = try Files.lock(lockFile) else {
            throw Failure.tryAgain(
                "another training of '\(name)' is running and has the checkpoint \(path.escaped): wait for it, "
                    + "or give this one another --name")
        }
        defer {
            try? Files.unlink(lockFile)
            try? lock.close()
        }
        // Of a training that was killed in the middle of a checkpoint; the lock says that none writes it now.
        try Files.removeLeftovers(of: path)
        try spareUnfinished()
        return try body()
    }

    /// Writes no checkpoint over that of another training, which could still go on.
    private func spareUnfinished() throws {
        guard let status = try Files.statusIfPresent(path, followingLinks: true) else { return }
        let place = try Files.resolve(path)
        if let resumed, try Files.resolve(resumed) == place { return }
        guard try status.isRegular && Trainer.isCheckpoint(head()) else {
            throw Failure.cannotCreate(
                "\(path.escaped): where the checkpoint would be there is something that is none, and nothing is "
                    + "written over it: move it away, or give another place with --checkpoint")
        }
        throw Failure.cannotCreate(
            "\(path.escaped) is the checkpoint of an unfinished training: go on from it with "
                + "--resume \(shellQuoted(path.string)) and the options it had, remove it, or give another --name")
    }

    private func head() throws -> [UInt8] {
        let descriptor = try Files.open(path, O_RDONLY)
        defer { try? descriptor.close() }
        return try Files.read(descriptor, count: 64, subject: path.escaped)
    }

    // MARK: - Reading and writing

    var isThere: Bool { get throws { try Files.statusIfPresent(path) != nil } }

    /// The bytes to go on from; nil for a new training.
    package func read() throws -> [UInt8]? { try resumed.map { try Files.read($0, limit: Self.limit) } }

    func save(_ trainer: Trainer) throws { try Files.replace(path, with: try trainer.checkpoint()) }

    /// Once the model is stored.
    func remove() { try? Files.unlink(path) }

    /// Puts the trainer where the checkpoint was.
    func restore(_ trainer: Trainer, from bytes: [UInt8]) throws {
        try understanding { try bytes.withUnsafeBytes { try trainer.restore($0) } }
    }

    /// The settings of the training that wrote the bytes.
    package func settings(in bytes: [UInt8]) throws -> TrainingSettings {
        try understanding { try bytes.withUnsafeBytes { try Trainer.settings(of: $0) } }
    }

    private func understanding<T>(_ body: () throws -> T) throws -> T {
        do {
            return try body()
        } catch {
            throw UnusableCheckpoint(path: resumed ?? path, cause: "\(error)")
        }
    }
}
