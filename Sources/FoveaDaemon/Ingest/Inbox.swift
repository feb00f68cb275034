// Which files of the inbox are ready to be taken.
//
//     renamed in ───────────────────────────────────────────────▶ ready
//     seen by a scan, created, closed ──▶ settling ── unchanged ──▶ ready
//                                            ▲  │
//                                            └──┘ changed: begin again
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
        case ready
    }

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
    package var settlingCount: Int { known.count - readyCount }

    /// Notes a file below the inbox; what is known as ready stays so.
    package mutating func see(_ file: FilePath, _ sighting: Sighting, now: Int) {
        if case .ready = known[file] { return }
        if sighting == .found, known[file] != nil { return }
        guard let status = try? Files.statusIfPresent(root.pushing(file)), status.isRegular else {
            known[file] = nil
            return
        }
        if sighting == .renamedIn {
            makeReady(file)
        } else {
            startSettling(file, status, now: now)
        }
    }

    private mutating func makeReady(_ file: FilePath) {
        known[file] = .ready
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
        if status == before { makeReady(look.file) } else { startSettling(look.file, status, now: now) }
    }

    /// When `settle` has something to do next.
    package var nextLook: Int? {
        switch (longLooks.first?.due, shortLooks.first?.due) {
        case (let long?, let short?): min(long, short)
        case (let long, let short): long ?? short
        }
    }

    /// The next ready file, oldest first. It is forgotten: the caller takes it or leaves it to the next scan.
    package mutating func takeReady() -> FilePath? {
        guard readyStart < readyFiles.count else { return nil }
        let file = readyFiles[readyStart]
        readyStart += 1
        if readyStart == readyFiles.count || readyStart > 4096 {
            readyFiles.removeFirst(readyStart)
            readyStart = 0
        }
        known[file] = nil
        return file
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
