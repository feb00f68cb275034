import FoveaSystem
import SystemPackage

/// Why data could not be read or written, with the file and the place at fault.
package struct DataError: Error, Sendable, CustomStringConvertible {
    /// The kind of fault.
    package enum Code: Sendable, Equatable, CaseIterable {
        /// Nothing is there under that name or path.
        case missing
        /// Something is there, but no data of a kind that is read.
        case foreign
        /// The data end early.
        case truncated
        /// The data break the rules of their format.
        case corrupt
        /// A label's name, a data set's name or an option is not allowed.
        case invalid
        /// A data set of that name is there already.
        case exists
        /// The server cannot be reached, or does not give the file.
        case network
        /// The system refused; the description says which call.
        case system
    }

    package let code: Code
    package let description: String
    /// With `.system`, what the system said.
    package let errno: Errno?

    package init(_ code: Code, _ description: String, errno: Errno? = nil) {
        self.code = code
        self.description = description
        self.errno = errno
    }

    init(_ error: SystemError) {
        self.init(
            error.errno == .noSuchFileOrDirectory ? .missing : .system, error.description, errno: error.errno)
    }
}

/// Runs `body`; a `SystemError` becomes a `DataError`.
func system<R>(_ body: () throws(SystemError) -> R) throws(DataError) -> R {
    do { return try body() } catch { throw DataError(error) }
}
