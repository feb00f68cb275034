// Watching the inbox.
//
// libinotifytools keeps one global instance, reports one event at a time and adds no watches for new subfolders by
// itself, so all its calls are made on one thread, which also scans: first the watch, then the scan, so that nothing
// falls between them. An overflow of the kernel's queue (IN_Q_OVERFLOW) is answered by a scan, and a scan every
// minute finds whatever any of this has missed. Network and FUSE file systems do not report what other machines do:
// there the scan alone works, every few seconds.

import CInotifyTools
import CLinux
import FoveaSystem
import Glibc
import Synchronization
import SystemPackage

/// What the watcher tells.
enum InboxEvent: Sendable {
    case file(FilePath, Inbox.Sighting)
    /// A scan is over: what it left alone, by kind (`junk`, `link`, `fifo`, `device`, `socket`).
    case scanned(ignored: [String: Int])
    /// The kernel's queue ran over; a scan follows.
    case overflow
    /// The inbox cannot be read now; the watcher goes on trying.
    case trouble(String)
}

/// The thread that watches. There can be one in a process: libinotifytools has a global state.
final class InboxWatcher: Sendable {
    /// How changes come to notice.
    enum Mode: String, Sendable { case inotify, polling }

    let mode: Mode
    private let root: FilePath
    private let report: @Sendable ([InboxEvent]) -> Void

    /// Seconds between scans.
    private let scanInterval: Int
    private let scanRequested = Atomic(false)
    /// Folders that have a watch. The library's own list keeps the names of folders that are gone.
    private let watched = Mutex<Set<FilePath>>([])

    /// Arms the watch. libinotifytools cannot use descriptors above 1023, so this comes before all other opening.
    ///
    /// - Parameter report: called on the watcher's thread.
    package init(root: FilePath, report: @escaping @Sendable ([InboxEvent]) -> Void) throws(SystemError) {
        self.root = root
        self.report = report
        mode = try Self.mode(for: root)
        scanInterval = mode == .inotify ? 60 : 2
        if mode == .inotify, inotifytools_initialize() == 0 {
            throw SystemError("inotify_init", root.escaped, errno: Errno(rawValue: inotifytools_error()))
        }
    }

    /// File systems whose changes may be made elsewhere: NFS, SMB, CIFS, FUSE (as sshfs), Ceph, 9p, AFS
    /// (linux/magic.h).
    private static let remote: Set<Int64> = [
        0x6969, 0x517B, 0xFF53_4D42, 0xFE53_4D42, 0x6573_5546, 0x00C3_6400, 0x0102_1997, 0x5346_414F,
    ]

    private static func mode(for path: FilePath) throws(SystemError) -> Mode {
        var type: Int64 = 0
        try retrying("statfs", path.escaped) { path.withPlatformString { cl_filesystem_type($0, &type) } }
        return remote.contains(type & 0xFFFF_FFFF) ? .polling : .inotify
    }

    /// Starts the thread; it runs until the process ends.
    func start() { startThread("inbox") { self.run() } }

    /// Asks for a scan, whose end is reported by `scanned`; it begins within a second.
    func requestScan() { scanRequested.store(true, ordering: .releasing) }

    private func run() {
        scan()
        var nextScan = monotonicNanoseconds() + scanInterval * 1_000_000_000
        while true {
            if mode == .inotify {
                // Whole seconds; also where this thread sleeps.
                if let event = inotifytools_next_event(1) { handle(event) }
            } else {
                sleep(1)
            }
            if scanRequested.exchange(false, ordering: .acquiring) || monotonicNanoseconds() >= nextScan {
                scan()
                nextScan = monotonicNanoseconds() + scanInterval * 1_000_000_000
            }
        }
    }

    private static let interest = Int32(IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_ONLYDIR)

    private func watch(_ folder: FilePath) {
        let added = folder.withPlatformString { inotifytools_watch_file($0, Self.interest) }
        if added != 0 {
            _ = watched.withLock { $0.insert(folder) }
        } else if inotifytools_error() != ENOENT, inotifytools_error() != ENOTDIR {
            report([
                .trouble(
                    "inotify watch \(folder.escaped): \(Errno(rawValue: inotifytools_error())); "
                        + "files there are found by the scan once a minute")
            ])
        }
    }

    /// Ends the watches of a folder that was moved away and of those inside: they would go on to report under the old
    /// name.
    private func unwatch(_ folder: FilePath) {
        let gone = watched.withLock { watched in
            let gone = watched.filter { $0.starts(with: folder) }
            watched.subtract(gone)
            return gone
        }
        for folder in gone {
            // The library knows folders by a name that ends with a slash.
            _ = "\(folder.string)/".withCString { inotifytools_remove_watch_by_filename($0) }
        }
    }

    private func handle(_ event: UnsafeMutablePointer<inotify_event>) {
        let mask = event.pointee.mask
        if mask & UInt32(IN_Q_OVERFLOW) != 0 {
            report([.overflow])
            // Folders may have come and gone unseen.
            watched.withLock { $0 = [] }
            return scan()
        }
        if mask & UInt32(IN_IGNORED) != 0 {
            // The folder is deleted, and its watch with it.
            if let folder = inotifytools_filename_from_wd(event.pointee.wd) {
                let path = FilePath(platformString: folder)
                _ = watched.withLock { $0.remove(path) }
                // The library keeps the record, and under its name would find it instead of a later one. The new name
                // has the old one's place in the library's order: nothing sorts between them.
                (String(cString: folder) + "\u{1}").withCString {
                    inotifytools_set_filename_by_wd(event.pointee.wd, $0)
                }
            }
            return
        }
        guard event.pointee.len > 0, let folder = inotifytools_filename_from_wd(event.pointee.wd),
            let name = FilePath.Component(
                platformString: UnsafeRawPointer(event).advanced(by: MemoryLayout<inotify_event>.size)
                    .assumingMemoryBound(to: CChar.self))
        else { return }
        let path = FilePath(platformString: folder).appending(name)
        if mask & UInt32(IN_MOVED_FROM) != 0 {
            if mask & UInt32(IN_ISDIR) != 0 { unwatch(path) }
            return
        }
        if Junk.contains(name) { return }
        if mask & UInt32(IN_ISDIR) != 0 {
            var ignored: [String: Int] = [:]
            return scan(path, &ignored, isNew: true)
        }
        var relative = path
        guard relative.removePrefix(root) else { return }
        let sighting: Inbox.Sighting =
            mask & UInt32(IN_MOVED_TO) != 0 ? .renamedIn : mask & UInt32(IN_CLOSE_WRITE) != 0 ? .written : .found
        report([.file(relative, sighting)])
    }

    // MARK: - Scanning

    private func scan() {
        var ignored: [String: Int] = [:]
        scan(root, &ignored, isNew: false)
        report([.scanned(ignored: ignored)])
    }

    /// - Parameter isNew: a watch is put on the folder, and on those inside, first.
    private func scan(_ folder: FilePath, _ ignored: inout [String: Int], isNew: Bool) {
        if mode == .inotify, isNew || !watched.withLock({ $0.contains(folder) }) { watch(folder) }
        let names: [FilePath.Component]
        do {
            names = try Files.list(folder)
        } catch {
            if folder == root || error.errno != .noSuchFileOrDirectory { report([.trouble("\(error)")]) }
            return
        }
        var found: [InboxEvent] = []
        for name in names {
            let path = folder.appending(name)
            guard !Junk.contains(name) else {
                ignored["junk", default: 0] += 1
                continue
            }
            guard let status = try? Files.statusIfPresent(path) else { continue }
            if status.isDirectory {
                scan(path, &ignored, isNew: isNew)
            } else if status.isRegular {
                var relative = path
                if relative.removePrefix(root) { found.append(.file(relative, .found)) }
                if found.count == 1000 {
                    report(found)
                    found = []
                }
            } else {
                ignored[status.kind, default: 0] += 1
            }
        }
        if !found.isEmpty { report(found) }
    }
}

extension FileStatus {
    /// For people: what a file that is neither regular nor a folder is.
    fileprivate var kind: String {
        switch mode & S_IFMT {
        case S_IFLNK: "link"
        case S_IFIFO: "fifo"
        case S_IFSOCK: "socket"
        default: "device"
        }
    }
}
