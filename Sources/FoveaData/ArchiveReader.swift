import CArchive
import FoveaSystem
import Glibc
import SystemPackage

/// The members of an archive, by libarchive: tar or zip; gzip, bzip2, xz, zstd. Filters that start other programs are
/// left out.
struct ArchiveReader {
    enum Kind { case file, folder, other }

    struct Member {
        /// As the archive has it: bytes of UTF-8 where it says so.
        let name: [UInt8]
        let kind: Kind
        /// What it says of itself, 0 where it says nothing.
        let size: Int
    }

    /// libarchive gives names in the charset of the locale, and a program that sets none has ASCII alone.
    private static let utf8 = Locale(newlocale(LC_CTYPE_MASK, "C.UTF-8", nil))

    /// `@unchecked Sendable`: a locale object is never changed.
    private struct Locale: @unchecked Sendable {
        let handle: locale_t?
        init(_ handle: locale_t?) { self.handle = handle }
    }

    private let archive: OpaquePointer
    private let path: String
    private var member = ""

    init(_ path: FilePath) throws(DataError) {
        self.path = path.escaped
        archive = archive_read_new()
        archive_read_support_filter_gzip(archive)
        archive_read_support_filter_bzip2(archive)
        archive_read_support_filter_xz(archive)
        archive_read_support_filter_zstd(archive)
        archive_read_support_format_tar(archive)
        archive_read_support_format_zip(archive)
        let status = path.withPlatformString { archive_read_open_filename(archive, $0, 1 << 18) }
        if status != ARCHIVE_OK {
            let error = DataError(
                .foreign, "\(self.path): not an archive that is read (tar or zip; gzip, bzip2, xz, zstd): \(words)")
            archive_read_free(archive)
            throw error
        }
    }

    func close() { archive_read_free(archive) }

    private var words: String { archive_error_string(archive).map { String(cString: $0) } ?? "no reason given" }

    /// The next member, nil at the end.
    mutating func next() throws(DataError) -> Member? {
        let before = Self.utf8.handle.map { uselocale($0) }
        defer { if let before { uselocale(before) } }
        var entry: OpaquePointer?
        let status = archive_read_next_header(archive, &entry)
        if status == ARCHIVE_EOF { return nil }
        guard status == ARCHIVE_OK || status == ARCHIVE_WARN, let entry else {
            throw DataError(.truncated, "\(path): damaged or cut off after member \"\(member)\": \(words)")
        }
        guard let text = archive_entry_pathname(entry) ?? archive_entry_pathname_utf8(entry) else {
            throw DataError(.corrupt, "\(path): the name of the member after \"\(member)\" cannot be read")
        }
        let name = Array(UnsafeRawBufferPointer(start: text, count: strlen(text)))
        member = percentEscaped(name)
        let type = archive_entry_filetype(entry)
        let isFile = type == 0o100000 && archive_entry_hardlink(entry) == nil
        return Member(
            name: name, kind: isFile ? .file : type == 0o040000 ? .folder : .other,
            size: max(0, Int(archive_entry_size(entry))))
    }

    /// Up to `buffer.count` bytes of the member, fewer at its end.
    mutating func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(DataError) -> Int {
        var filled = 0
        while filled < buffer.count {
            let got = archive_read_data(archive, buffer.baseAddress! + filled, buffer.count - filled)
            if got == 0 { break }
            if got == Int(ARCHIVE_RETRY) { continue }
            guard got > 0 else {
                throw DataError(
                    .truncated, "\(path): \(member) cannot be read beyond its byte \(offset + filled): \(words)")
            }
            filled += got
        }
        return filled
    }

    /// Writes the member to a new file.
    ///
    /// - Parameter taken: less what was written.
    /// - Returns: false where something is there, or the member has more bytes than `most`.
    mutating func copy(to file: FilePath, atMost most: Int, taken left: inout Int) throws(DataError) -> Bool {
        let descriptor: FileDescriptor
        do throws(SystemError) {
            descriptor = try Files.open(file, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
        } catch {
            if error.errno == .fileExists || error.errno == .isDirectory { return false }
            throw DataError(error)
        }
        defer { try? descriptor.close() }
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        var done = 0
        while true {
            var got = 0
            try buffer.withUnsafeMutableBufferPointer { bytes throws(DataError) in
                got = try read(into: UnsafeMutableRawBufferPointer(bytes), at: done)
            }
            if got == 0 { return true }
            done += got
            left -= got
            guard done <= most else { return false }
            try system { () throws(SystemError) in
                try Files.write(buffer.prefix(got), to: descriptor, subject: file.escaped)
            }
        }
    }
}
