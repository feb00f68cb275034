import CArchive
import FoveaModels
import Glibc
import SystemPackage

/// Writes tar (POSIX ustar, pax where a name needs it) through zstd, by libarchive. Nothing of the machine gets into it:
/// no times, owners or rights.
enum TarWriter {
    /// - Parameters:
    ///   - files: in the order in which they are to stand.
    ///   - subject: what is written, for messages.
    static func write(
        _ files: [(path: String, bytes: [UInt8])], to descriptor: FileDescriptor, subject: String
    ) throws(ModelError) {
        let archive = archive_write_new()
        defer { archive_write_free(archive) }
        func check(_ status: Int32) throws(ModelError) {
            guard status >= ARCHIVE_WARN else {
                let words = archive_error_string(archive).map { String(cString: $0) } ?? "no reason given"
                throw ModelError(.storage, subject, "cannot be written: \(words)")
            }
        }
        try check(archive_write_add_filter_zstd(archive))
        try check(archive_write_set_format_pax_restricted(archive))
        // Else the end is padded as for a tape.
        try check(archive_write_set_bytes_in_last_block(archive, 1))
        try check(archive_write_open_fd(archive, descriptor.rawValue))
        for (path, bytes) in files {
            let entry = archive_entry_new()
            defer { archive_entry_free(entry) }
            archive_entry_set_pathname(entry, path)
            archive_entry_set_filetype(entry, Glibc.S_IFREG)
            archive_entry_set_perm(entry, 0o644)
            archive_entry_set_size(entry, Int64(bytes.count))
            archive_entry_set_mtime(entry, 0, 0)
            archive_entry_set_uid(entry, 0)
            archive_entry_set_gid(entry, 0)
            try check(archive_write_header(archive, entry))
            var done = 0
            while done < bytes.count {
                let count = bytes.withUnsafeBytes {
                    archive_write_data(archive, $0.baseAddress! + done, $0.count - done)
                }
                try check(Int32(clamping: count))
                guard count > 0 else {
                    throw ModelError(.storage, subject, "cannot be written: \(path) is cut off")
                }
                done += count
            }
        }
        try check(archive_write_close(archive))
    }
}
