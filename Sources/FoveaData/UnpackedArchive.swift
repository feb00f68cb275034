import CArchive
import FoveaImage
import FoveaSystem
import Glibc
import Synchronization
import SystemPackage

// Folders of classes in a zip or tar. The archive is somebody else's: only regular files and folders below its own root are
// taken, their number, sizes and depth have bounds, and what grows out of proportion is refused before it fills the disk.

/// An archive unpacked into a folder of its own, which is removed with the last reference.
package final class UnpackedArchive: Sendable {
    /// Where the classes or parts are.
    package let root: FilePath
    /// Members that are not taken, with the reason.
    package let leftOut: [RefusedFile]
    private let folder: FilePath
    private let archive: FilePath

    /// The most members.
    static let most = 1_000_000
    /// The most folders above a file.
    static let deepest = 32
    /// How many times its own size an archive may become, beside 64 MiB; pictures hardly shrink.
    static let mostGrowth = 50

    /// Where unpacked files may lie for as long as a command runs.
    package static var usualScratch: FilePath {
        getenv("TMPDIR").map { FilePath(platformString: $0) } ?? "/var/tmp"
    }

    /// - Parameters:
    ///   - scratch: gets a hidden folder.
    ///   - limits: `bytes` is the most of one member.
    /// - Throws: `.foreign` for no archive, `.truncated` for a damaged one, `.invalid` for one that goes beyond the bounds.
    package init(_ path: FilePath, in scratch: FilePath, limits: ImageLimits) throws(DataError) {
        let folder = scratch.appending(".fovea-unpacked.\(getpid()).\(Self.number.add(1, ordering: .relaxed).newValue)")
        try system { () throws(SystemError) in
            try Files.makeDirectories(scratch)
            try Files.removeTree(folder)
            try Files.makeDirectory(folder, mode: 0o700)
        }
        do throws(DataError) {
            leftOut = try Self.unpack(path, into: folder, limits: limits)
            root = try Self.root(below: folder)
        } catch {
            try? Files.removeTree(folder)
            throw error
        }
        (self.folder, archive) = (folder, path)
    }

    /// A message in which the archive stands instead of the folder that it is unpacked to.
    func naming(_ message: String) -> String {
        message.replacing(folder.escaped + "/", with: "\(archive.escaped), ").replacing(
            folder.escaped, with: archive.escaped)
    }

    deinit { try? Files.removeTree(folder) }

    private static let number = Atomic<Int>(0)

    /// Below the folders that hold nothing but one folder, as archives are usually made: `pets/cat/1.png`.
    private static func root(below folder: FilePath) throws(DataError) -> FilePath {
        var root = folder
        while true {
            let content = try ClassFolders.content(of: root)
            guard content.files.isEmpty, content.folders.count == 1, let only = content.folders.first,
                Part(name: only.lastComponent!.string) == nil,
                case let inner = try ClassFolders.content(of: only), !inner.folders.isEmpty, inner.files.isEmpty
            else { return root }
            root = only
        }
    }

    private static func unpack(
        _ path: FilePath, into folder: FilePath, limits: ImageLimits
    ) throws(DataError) -> [RefusedFile] {
        var archive = try ArchiveReader(path)
        defer { archive.close() }
        let packed = try system { () throws(SystemError) in try Files.status(path, followingLinks: true).size }
        let free = try system { () throws(SystemError) in try Files.freeSpace(at: folder) }
        var left = min(packed.multipliedReportingOverflow(by: mostGrowth).partialValue + 64 << 20, free - 256 << 20)
        var leftOut: [RefusedFile] = []
        var members = 0
        var made: Set<FilePath> = []
        while let member = try archive.next() {
            members += 1
            guard members <= most else {
                throw DataError(
                    .invalid, "\(path.escaped): more than \(most) members: unpack it, and import the folder")
            }
            func refuse(_ reason: String) {
                leftOut.append(RefusedFile(path: "\(path.escaped), \(percentEscaped(member.name))", reason: reason))
            }
            guard member.kind != .folder else { continue }
            guard let name = Self.components(member.name) else {
                throw DataError(
                    .invalid,
                    "\(path.escaped), \(percentEscaped(member.name)): a path that leads out of the archive: nothing is taken"
                )
            }
            guard member.kind == .file else {
                refuse("a link or a device: left out")
                continue
            }
            if name.contains(where: Junk.contains) { continue }
            guard name.count <= deepest, member.name.count < 3000 else {
                refuse("in more than \(deepest) folders: left out")
                continue
            }
            guard member.size <= limits.bytes else {
                left -= member.size
                refuse("\(member.size) bytes, and limits.file of the configuration is \(limits.bytes): left out")
                guard left >= 0 else { throw tooLarge(path) }
                continue
            }
            let file = name.reduce(folder) { $0.appending($1) }
            let parent = file.removingLastComponent()
            do throws(SystemError) {
                if made.insert(parent).inserted { try Files.makeDirectories(parent, mode: 0o700) }
            } catch {
                refuse("a file and a folder have this name: left out")
                continue
            }
            guard try archive.copy(to: file, atMost: min(limits.bytes, left), taken: &left) else {
                if left <= 0 { throw tooLarge(path) }
                try? Files.unlink(file)
                refuse("its name is there already, or it is larger than it says: left out")
                continue
            }
        }
        return leftOut
    }

    private static func tooLarge(_ path: FilePath) -> DataError {
        DataError(
            .invalid,
            "\(path.escaped): unpacked it would be more than \(mostGrowth) times as large, or fill the disk: nothing is taken. "
                + "Where it is right so, unpack it and import the folder")
    }

    /// The parts of a relative path; nil where it is absolute or leads upwards.
    private static func components(_ name: [UInt8]) -> [FilePath.Component]? {
        let path = FilePath(bytes: name)
        guard path.isRelative, !name.isEmpty else { return nil }
        let parts = Array(path.components)
        guard !parts.contains(where: { $0.kind == .parentDirectory }) else { return nil }
        return parts.filter { $0.kind == .regular }
    }
}
