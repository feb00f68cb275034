import FoveaSystem
import SystemPackage

/// Why a model cannot be found, read, believed or stored.
package struct ModelError: Error, CustomStringConvertible, Sendable, Equatable {
    /// What kind of trouble, for exit codes and the control API.
    package enum Code: String, Sendable, CaseIterable {
        /// No such model; the message names near ones.
        case notFound
        /// A name, version or reference that cannot be one.
        case invalidName
        /// The files are not a model that may serve: wrong hash, wrong form, missing or foreign file.
        case damaged
        /// There is already a model of this name and version.
        case exists
        /// The model is in use, or stands in the read-only store.
        case protected
        /// The operating system refused: permissions, space, a disk error.
        case storage
    }

    package let code: Code
    /// The file or model it is about, printable.
    package let subject: String
    /// What is wrong with it, and what to do where that is not plain.
    package let problem: String
    /// With `.storage`, what the system said.
    package let errno: Errno?

    package init(_ code: Code, _ subject: String, _ problem: String, errno: Errno? = nil) {
        self.code = code
        self.subject = subject
        self.problem = problem
        self.errno = errno
    }

    package init(_ error: SystemError) {
        self.init(
            .storage, error.subject.isEmpty ? error.call : error.subject, "\(error.call): \(error.errno)",
            errno: error.errno)
    }

    package var description: String { "\(subject): \(problem)" }
}

/// Turns the errors of system calls into `ModelError`.
func storing<R>(_ body: () throws(SystemError) -> R) throws(ModelError) -> R {
    do throws(SystemError) { return try body() } catch { throw ModelError(error) }
}
