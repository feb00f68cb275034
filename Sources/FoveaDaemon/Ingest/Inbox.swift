// Which files of the inbox are ready to be taken.
//
//     renamed in ───────────────────────────────────────────────▶ ready
//     seen by a scan, created, closed ──▶ settling ── unchanged ──▶ ready
//                                            ▲  │
//                                            └──┘ changed: begin again
//
// A ready file that is written again before it is taken settles again. One that cannot be taken (its folder may not be
// written) is refused: left alone for a minute, and in nobody's way.
//
// "Unchanged" is judged by this process's own clock between two looks at the file's stat, never by its times, which
// copying tools preserve and clocks falsify. A file that ends as a PNG or a JPEG does needs a shorter quiet time, but
// one that does not is still taken: what is broken ends in failed/, not in limbo.
//
// Events are hints. Whatever they miss a scan finds, and whatever is reported twice is known already.

import FoveaSystem
import Glibc
import SystemPackage

/// The candidates of one inbox. Used by one thread only.
package struct Inbox {
    /// How a file came to notice.
    package enum Sighting: Sendable { case renamedIn, written, found }

    private enum State {
        /// `generation` tells which entry of a queue is the current one.
        case settling(FileStatus, generation: Int)
        case ready(FileStatus)
        /// Not to be looked at before `until`, in nanoseconds of the caller's clock.
        case refused(reason: String, until: Int)
    }

    private static let refusalTime = 60_000_000_000

    private struct Look {
        let file: FilePath
        let due: Int
        let generation: Int
    }

    let root: FilePath
    /// Quiet time in nanoseconds: for any file, and for one that ends as an image does.
    private let settle: Int
    private let shortSettle: Int

    private var known: [FilePath: State] = [:]
    private var readyFiles: [FilePath] = []
    private var readyStart = 0
    /// Two quiet times, so two queues, each in order of time.
    private var longLooks = Queue<Look>()
    private var shortLooks = Queue<Look>()
    private var generation = 0

    /// - Parameter settle: quiet time in nanoseconds.
    package init(root: FilePath, settle: Int) {
        self.root = root
        self.settle = settle
        shortSettle = min(settle, 100_000_000)
    }

    /// Files that are ready and not taken.
    package var readyCount: Int { readyFiles.count - readyStart }
    /// Files that may still be being written.
    package var settlingCount: Int { known.count - readyCount - refusedCount }
    /// Files that could not be taken and are left alone for now.
    package private(set) var refusedCount = 0

    /// Notes a file below the inbox; what is known as ready stays so.
    package mutating func see(_ file: FilePath, _ sighting: Sighting, now: Int) {
        switch known[file] {
        case .ready:
            // Replaced by another, complete as well.
            if sighting == .renamedIn, let status = try? Files.statusIfPresent(root.pushing(file)) {
                known[file] = .ready(status)
            }
            return
        case .settling where sighting == .found: return
        case .refused(_, let until):
            if sighting == .found, now < until { return }
            forget(file)
        case .settling, nil: break
        }
        guard let status = try? Files.statusIfPresent(root.pushing(file)), status.isRegular else {
            known[file] = nil
            return
        }
        if sighting == .renamedIn {
            makeReady(file, status)
        } else {
            startSettling(file, status, now: now)
        }
    }

    private mutating func forget(_ file: FilePath) {
        if case .refused = known.removeValue(forKey: file) { refusedCount -= 1 }
    }

    /// Leaves a file alone for a minute: the caller could not take it.
    package mutating func refuse(_ file: FilePath, _ reason: String, now: Int) {
        if case .refused = known.updateValue(.refused(reason: reason, until: now + Self.refusalTime), forKey: file) {
            return
        }
        refusedCount += 1
    }

    /// Forgets refused files that are gone; after each scan.
    package mutating func forgetGone() {
        if refusedCount == 0 { return }
        for case (let file, .refused) in known where (try? Files.statusIfPresent(root.pushing(file))) == .some(nil) {
            forget(file)
        }
    }

    /// What a file waits for, in words; nil for one that is not known.
    package func describe(_ file: FilePath) -> String? {
        switch known[file] {
        case .settling: "it is taken when it has stopped changing"
        case .ready: "it is ready and waits to be taken"
        case .refused(let reason, _): "it cannot be taken (\(reason)); this is tried again every minute"
        case nil: nil
        }
    }

    private mutating func makeReady(_ file: FilePath, _ status: FileStatus) {
        known[file] = .ready(status)
        readyFiles.append(file)
    }

    private mutating func startSettling(_ file: FilePath, _ status: FileStatus, now: Int) {
        generation += 1
        known[file] = .settling(status, generation: generation)
        if endsAsImage(file, size: status.size) {
            shortLooks.append(Look(file: file, due: now + shortSettle, generation: generation))
        } else {
            longLooks.append(Look(file: file, due: now + settle, generation: generation))
        }
    }

    /// Looks again at the files whose quiet time is over.
    package mutating func settle(now: Int) {
        while let look = longLooks.first, look.due <= now { judge(longLooks.removeFirst(), now: now) }
        while let look = shortLooks.first, look.due <= now { judge(shortLooks.removeFirst(), now: now) }
    }

    private mutating func judge(_ look: Look, now: Int) {
        guard case .settling(let before, look.generation) = known[look.file] else { return }
        guard let status = try? Files.statusIfPresent(root.pushing(look.file)), status.isRegular else {
            known[look.file] = nil
            return
        }
        if status == before { makeReady(look.file, status) } else { startSettling(look.file, status, now: now) }
    }

    /// When `settle` has something to do next.
    package var nextLook: Int? {
        switch (longLooks.first?.due, shortLooks.first?.due) {
        case (let long?, let short?): min(long, short)
        case (let long, let short): long ?? short
        }
    }

    /// The next ready file, oldest first. It is forgotten: the caller takes it or leaves it to the next scan.
    package mutating func takeReady(now: Int) -> FilePath? {
        while readyStart < readyFiles.count {
            let file = readyFiles[readyStart]
            readyStart += 1
            if readyStart == readyFiles.count || readyStart > 4096 {
                readyFiles.removeFirst(readyStart)
                readyStart = 0
            }
            guard case .ready(let before) = known.removeValue(forKey: file),
                let status = try? Files.statusIfPresent(root.pushing(file)), status.isRegular
            else { continue }
            if status == before { return file }
            startSettling(file, status, now: now)
        }
        return nil
    }

    /// The next ready file, which stays.
    package var firstReady: FilePath? { readyCount > 0 ? readyFiles[readyStart] : nil }

    /// Whether the last bytes are those of a whole PNG (its IEND chunk) or JPEG (its EOI marker).
    private func endsAsImage(_ file: FilePath, size: Int) -> Bool {
        guard size >= 12, let descriptor = try? Files.open(root.pushing(file), O_RDONLY | O_NONBLOCK | O_NOFOLLOW)
        else { return false }
        defer { try? descriptor.close() }
        guard let end = try? Files.read(descriptor, count: 12, at: size - 12) else { return false }
        return end == [0, 0, 0, 0, 0x49, 0x45, 0x4E, 0x44, 0xAE, 0x42, 0x60, 0x82] || end.suffix(2) == [0xFF, 0xD9]
    }
}
