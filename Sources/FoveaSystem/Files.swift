import CLinux
import Glibc
import SystemPackage

/// File operations that swift-system does not have, each under the name of its system call.
/// All retry on EINTR and throw `SystemError` with the path.
package enum Files {
    /// rename(2). Replaces what is at `to`.
    package static func rename(_ from: FilePath, to: FilePath) throws(SystemError) {
        try retrying("rename", "\(from.escaped) → \(to.escaped)") {
            from.withPlatformString { from in to.withPlatformString { to in Glibc.rename(from, to) } }
        }
    }

    /// renameat2(2) with RENAME_NOREPLACE: throws `.fileExists` where something is at `to`.
    package static func renameNoReplace(_ from: FilePath, to: FilePath) throws(SystemError) {
        try retrying("renameat2", "\(from.escaped) → \(to.escaped)") {
            from.withPlatformString { from in to.withPlatformString { to in cl_rename_noreplace(from, to) } }
        }
    }

    /// renameat2(2) with RENAME_EXCHANGE: both are there before and after, and nobody ever sees only one.
    package static func exchange(_ one: FilePath, _ other: FilePath) throws(SystemError) {
        try retrying("renameat2", "\(one.escaped) ↔ \(other.escaped)") {
            one.withPlatformString { one in other.withPlatformString { other in cl_rename_exchange(one, other) } }
        }
    }

    /// mkdir(2). Throws `.fileExists` where something is there.
    package static func makeDirectory(_ path: FilePath, mode: mode_t = 0o777) throws(SystemError) {
        try retrying("mkdir", path.escaped) { path.withPlatformString { mkdir($0, mode) } }
    }

    /// Makes `path` and the folders above it where they are missing.
    package static func makeDirectories(_ path: FilePath, mode: mode_t = 0o777) throws(SystemError) {
        do {
            try makeDirectory(path, mode: mode)
        } catch  where error.errno == .fileExists {
            guard try status(path, followingLinks: true).isDirectory else {
                throw SystemError("mkdir", path.escaped, errno: .notDirectory)
            }
        } catch  where error.errno == .noSuchFileOrDirectory {
            let parent = path.removingLastComponent()
            if parent.isEmpty || parent == path { throw error }
            try makeDirectories(parent, mode: mode)
            // Once: where the folder above is there and nothing can be made in it (/proc), it stays that error.
            do throws(SystemError) {
                try makeDirectory(path, mode: mode)
            } catch  where error.errno == .fileExists {
                // Somebody else was faster.
            }
        }
    }

    /// unlink(2).
    package static func unlink(_ path: FilePath) throws(SystemError) {
        try retrying("unlink", path.escaped) { path.withPlatformString { Glibc.unlink($0) } }
    }

    /// rmdir(2).
    package static func removeDirectory(_ path: FilePath) throws(SystemError) {
        try retrying("rmdir", path.escaped) { path.withPlatformString { rmdir($0) } }
    }

    /// Removes a folder and all in it; nothing happens where there is none. Follows no links.
    package static func removeTree(_ path: FilePath) throws(SystemError) {
        guard let status = try statusIfPresent(path) else { return }
        guard status.isDirectory else { return try unlink(path) }
        for name in try list(path) { try removeTree(path.appending(name)) }
        try removeDirectory(path)
    }

    /// link(2): `new` becomes a second name of `existing`.
    package static func link(_ existing: FilePath, as new: FilePath) throws(SystemError) {
        try retrying("link", "\(existing.escaped) → \(new.escaped)") {
            existing.withPlatformString { existing in new.withPlatformString { Glibc.link(existing, $0) } }
        }
    }

    /// lstat(2), or stat(2) when following links.
    package static func status(_ path: FilePath, followingLinks: Bool = false) throws(SystemError) -> FileStatus {
        var status = stat()
        try retrying(followingLinks ? "stat" : "lstat", path.escaped) {
            path.withPlatformString { followingLinks ? stat($0, &status) : lstat($0, &status) }
        }
        return FileStatus(status)
    }

    /// As `status`, nil where nothing is.
    package static func statusIfPresent(
        _ path: FilePath, followingLinks: Bool = false
    ) throws(SystemError) -> FileStatus? {
        do {
            return try status(path, followingLinks: followingLinks)
        } catch  where error.errno == .noSuchFileOrDirectory || error.errno == .notDirectory {
            return nil
        }
    }

    /// fstat(2).
    package static func status(of descriptor: FileDescriptor) throws(SystemError) -> FileStatus {
        var status = stat()
        try retrying("fstat") { fstat(descriptor.rawValue, &status) }
        return FileStatus(status)
    }

    /// The names in a folder, without `.` and `..`, in the order in which readdir(3) gives them.
    package static func list(_ path: FilePath) throws(SystemError) -> [FilePath.Component] {
        var stream: OpaquePointer?
        try retrying("opendir", path.escaped) {
            stream = path.withPlatformString { opendir($0) }
            return stream == nil ? -1 : 0
        }
        defer { closedir(stream!) }
        var names: [FilePath.Component] = []
        while true {
            Glibc.errno = 0
            guard let entry = readdir(stream!) else {
                if Glibc.errno != 0 { throw SystemError("readdir", path.escaped, errno: Errno(rawValue: Glibc.errno)) }
                return names
            }
            let component = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { FilePath.Component(platformString: $0) }
            }
            if let component, component.kind == .regular { names.append(component) }
        }
    }

    /// open(2), close-on-exec.
    package static func open(
        _ path: FilePath, _ flags: Int32 = O_RDONLY, mode: mode_t = 0o666
    ) throws(SystemError) -> FileDescriptor {
        FileDescriptor(
            rawValue: try retrying("open", path.escaped) {
                path.withPlatformString { cl_open($0, flags | O_CLOEXEC, mode) }
            })
    }

    /// All bytes of a regular file. `.tooLarge` (EFBIG) above `limit`, `.wouldBlock`-free: never opens a FIFO blocking,
    /// and follows no link at the last component.
    package static func read(_ path: FilePath, limit: Int = 1 << 30) throws(SystemError) -> [UInt8] {
        let descriptor = try open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW)
        defer { try? descriptor.close() }
        let status = try status(of: descriptor)
        guard status.isRegular else { throw SystemError("read", path.escaped, errno: .invalidArgument) }
        guard status.size <= limit else { throw SystemError("read", path.escaped, errno: .fileTooLarge) }
        return try read(descriptor, count: Int(status.size), subject: path.escaped)
    }

    /// `count` bytes from `offset` by pread(2), fewer where the file ends.
    package static func read(
        _ descriptor: FileDescriptor, count: Int, at offset: Int = 0, subject: @autoclosure () -> String = ""
    ) throws(SystemError) -> [UInt8] {
        var failure: SystemError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                do throws(SystemError) {
                    let got = try retrying("pread", subject()) {
                        pread(descriptor.rawValue, buffer.baseAddress! + filled, count - filled, off_t(offset + filled))
                    }
                    if got == 0 { return }
                    filled += got
                } catch {
                    failure = error
                    return
                }
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Writes all of `bytes` by write(2).
    package static func write(
        _ bytes: some Sequence<UInt8>, to descriptor: FileDescriptor, subject: @autoclosure () -> String = ""
    ) throws(SystemError) {
        let array = Array(bytes)
        var done = 0
        while done < array.count {
            done += try retrying("write", subject()) {
                array.withUnsafeBytes { Glibc.write(descriptor.rawValue, $0.baseAddress! + done, $0.count - done) }
            }
        }
    }

    /// fsync(2). An EIO is final for this descriptor: write a new file, never retry the same one.
    package static func sync(_ descriptor: FileDescriptor, subject: @autoclosure () -> String = "") throws(SystemError)
    {
        try retrying("fsync", subject()) { fsync(descriptor.rawValue) }
    }

    /// fdatasync(2); for EIO see `sync`.
    package static func syncData(
        _ descriptor: FileDescriptor, subject: @autoclosure () -> String = ""
    ) throws(SystemError) {
        try retrying("fdatasync", subject()) { fdatasync(descriptor.rawValue) }
    }

    /// syncfs(2): everything written so far on the file system of `path` is on disk.
    package static func syncFileSystem(of path: FilePath) throws(SystemError) {
        let descriptor = try open(path, O_RDONLY | O_DIRECTORY)
        defer { try? descriptor.close() }
        try retrying("syncfs", path.escaped) { cl_syncfs(descriptor.rawValue) }
    }

    /// Makes a rename or a new name in `directory` durable.
    package static func syncDirectory(_ directory: FilePath) throws(SystemError) {
        let descriptor = try open(directory, O_RDONLY | O_DIRECTORY)
        defer { try? descriptor.close() }
        try sync(descriptor, subject: directory.escaped)
    }

    /// Replaces `path` by a file of these bytes so that a reader, and a crash, sees the old file or the new one
    /// and nothing between: temporary file beside it, fsync, rename, fsync of the folder.
    package static func replace(
        _ path: FilePath, with bytes: some Sequence<UInt8>, mode: mode_t = 0o666
    ) throws(SystemError) {
        let directory = path.removingLastComponent()
        let temporary = directory.appending(".\(path.lastComponent?.string ?? "file").\(getpid()).tmp")
        let descriptor = try open(temporary, O_WRONLY | O_CREAT | O_TRUNC, mode: mode)
        do throws(SystemError) {
            defer { try? descriptor.close() }
            try write(bytes, to: descriptor, subject: temporary.escaped)
            try sync(descriptor, subject: temporary.escaped)
        } catch {
            try? unlink(temporary)
            throw error
        }
        try rename(temporary, to: path)
        try syncDirectory(directory.isEmpty ? "." : directory)
    }

    /// Writes the file that a user names as the place for an answer: a regular file is replaced whole, and into anything else
    /// that is there, such as a pipe, a terminal or what a link leads to, the bytes are written. `-` is standard output.
    package static func writeAnswer(_ path: FilePath, _ bytes: some Sequence<UInt8>) throws(SystemError) {
        let output = try status(of: .standardOutput)
        let leads = try statusIfPresent(path, followingLinks: true)
        if path == "-" || leads?.isSameFile(as: output) == true {
            return try write(bytes, to: .standardOutput, subject: "standard output")
        }
        guard let status = try statusIfPresent(path), !status.isRegular else { return try replace(path, with: bytes) }
        let descriptor = try open(path, O_WRONLY | O_CREAT | O_TRUNC)
        defer { try? descriptor.close() }
        try write(bytes, to: descriptor, subject: path.escaped)
    }

    /// Removes what `replace` was writing for `path` in processes that were killed; nobody else may be writing it now.
    package static func removeLeftovers(of path: FilePath) throws(SystemError) {
        let directory = path.removingLastComponent()
        let prefix = ".\(path.lastComponent?.string ?? "file")."
        for name in try list(directory) where name.string.hasPrefix(prefix) && name.string.hasSuffix(".tmp") {
            try unlink(directory.appending(name))
        }
    }

    /// As `replace` without the syncs: a reader never sees half a file, a power cut may leave an old or empty one.
    package static func replaceUnsynced(_ path: FilePath, with bytes: [UInt8]) throws(SystemError) {
        let temporary = path.removingLastComponent().appending(".\(path.lastComponent?.string ?? "file").tmp")
        let descriptor = try open(temporary, O_WRONLY | O_CREAT | O_TRUNC)
        defer { try? descriptor.close() }
        try write(bytes, to: descriptor, subject: temporary.escaped)
        try rename(temporary, to: path)
    }

    /// A lock on a file that is made for it, by flock(2): released when the descriptor is closed or the process ends.
    ///
    /// - Returns: nil where somebody else holds it.
    package static func lock(_ path: FilePath) throws(SystemError) -> FileDescriptor? {
        while true {
            let descriptor = try open(path, O_RDWR | O_CREAT)
            do throws(SystemError) {
                try retrying("flock", path.escaped) { cl_flock_exclusive(descriptor.rawValue) }
                // Who held it before may have removed the file in between: then this is a lock on nothing.
                if let there = try statusIfPresent(path), try status(of: descriptor).inode == there.inode {
                    return descriptor
                }
                try? descriptor.close()
            } catch {
                try? descriptor.close()
                if error.errno == .wouldBlock { return nil }
                throw error
            }
        }
    }

    /// Bytes that an ordinary user may still write on the file system of `path`, by statvfs(3).
    package static func freeSpace(at path: FilePath) throws(SystemError) -> Int {
        var status = statvfs()
        try retrying("statvfs", path.escaped) { path.withPlatformString { statvfs($0, &status) } }
        return Int(
            clamping: UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize)).partialValue)
    }

    /// The absolute path without links, by realpath(3).
    package static func resolve(_ path: FilePath) throws(SystemError) -> FilePath {
        guard let resolved = path.withPlatformString({ realpath($0, nil) }) else {
            throw SystemError("realpath", path.escaped, errno: Errno(rawValue: Glibc.errno))
        }
        defer { free(resolved) }
        return FilePath(platformString: resolved)
    }
}

/// What stat(2) tells, in Swift's types.
package struct FileStatus: Sendable, Equatable {
    package let device: UInt64
    package let inode: UInt64
    package let mode: mode_t
    package let size: Int
    /// Last change of the content and of the inode, in nanoseconds since 1970.
    package let modified: Int
    package let changed: Int

    init(_ status: stat) {
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        mode = status.st_mode
        size = Int(status.st_size)
        modified = Int(status.st_mtim.tv_sec) * 1_000_000_000 + Int(status.st_mtim.tv_nsec)
        changed = Int(status.st_ctim.tv_sec) * 1_000_000_000 + Int(status.st_ctim.tv_nsec)
    }

    /// Whether both are of one inode.
    package func isSameFile(as other: FileStatus) -> Bool { device == other.device && inode == other.inode }

    package var isRegular: Bool { mode & S_IFMT == S_IFREG }
    package var isDirectory: Bool { mode & S_IFMT == S_IFDIR }
    package var isLink: Bool { mode & S_IFMT == S_IFLNK }
}
