import Glibc
import SystemPackage

/// A system call that failed: what was tried, on what, and why.
package struct SystemError: Error, CustomStringConvertible, Sendable {
    /// The call's name as in its man page, such as `rename`.
    package let call: String
    /// The file or address it was about, printable.
    package let subject: String
    /// The reason.
    package let errno: Errno

    package init(_ call: String, _ subject: String = "", errno: Errno) {
        self.call = call
        self.subject = subject
        self.errno = errno
    }

    package var description: String {
        subject.isEmpty ? "\(call): \(errno)" : "\(call) \(subject): \(errno)"
    }

    /// The state may be better in a moment: no space, no descriptors, no memory, an interrupted share.
    package var isTransient: Bool {
        switch errno {
        case .noSpace, .diskQuotaExceeded, .tooManyOpenFiles, .tooManyOpenFilesInSystem, .noMemory,
            .resourceTemporarilyUnavailable, .staleNFSFileHandle, .ioError, .readOnlyFileSystem, .resourceBusy:
            true
        default:
            false
        }
    }
}

/// Calls `body` again while it is interrupted by a signal (EINTR); its error becomes a `SystemError`.
///
/// - Parameters:
///   - call: the call's name as in its man page.
///   - subject: what the call is about; evaluated only for an error.
/// - Returns: what `body` returned, which is not negative.
@discardableResult
package func retrying<I: FixedWidthInteger & SignedInteger>(
    _ call: String, _ subject: @autoclosure () -> String = "", _ body: () -> I
) throws(SystemError) -> I {
    while true {
        let result = body()
        if result >= 0 { return result }
        let reason = Errno(rawValue: Glibc.errno)
        if reason != .interrupted { throw SystemError(call, subject(), errno: reason) }
    }
}
