import FoveaSystem
import Glibc
import SystemPackage

/// Moves that the ledger needs beyond rename(2).
extension Files {
    /// A rename that replaces nothing (`.fileExists`), also across file systems and where renameat2(2) is not known.
    static func moveNoReplace(_ source: FilePath, to target: FilePath, staging: FilePath) throws(SystemError) {
        do throws(SystemError) {
            try renameNoReplace(source, to: target)
        } catch  where error.errno == .improperLink {
            try copy(source, to: staging, thenRenameTo: target, replace: false)
            try unlink(source)
        } catch  where error.errno == .invalidArgument {
            // NFS and some FUSE file systems know no RENAME_NOREPLACE.
            if try statusIfPresent(target) != nil {
                throw SystemError("rename", target.escaped, errno: .fileExists)
            }
            try rename(source, to: target)
        }
    }

    /// Copies, syncs and renames; the source stays.
    static func copy(
        _ source: FilePath, to partial: FilePath, thenRenameTo target: FilePath, replace: Bool
    ) throws(SystemError) {
        let input = try open(source, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
        defer { try? input.close() }
        let status = try status(of: input)
        do throws(SystemError) {
            let output = try open(partial, O_WRONLY | O_CREAT | O_TRUNC, mode: status.mode & 0o777)
            defer { try? output.close() }
            var offset = 0
            while true {
                let piece = try read(input, count: 1 << 20, at: offset, subject: source.escaped)
                if piece.isEmpty { break }
                try write(piece, to: output, subject: partial.escaped)
                offset += piece.count
            }
            var times = [timespec(), timespec()]
            times[0] = timespec(tv_sec: status.modified / 1_000_000_000, tv_nsec: status.modified % 1_000_000_000)
            times[1] = times[0]
            futimens(output.rawValue, times)
            try sync(output, subject: partial.escaped)
            if replace {
                try rename(partial, to: target)
            } else {
                try renameNoReplace(partial, to: target)
            }
            try syncDirectory(target.removingLastComponent())
        } catch {
            try? Files.unlink(partial)
            throw error
        }
    }
}
