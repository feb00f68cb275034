/// Why a PyTorch file is refused: the file, the byte and the fault.
package struct TorchError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The file, as messages name it.
    package let subject: String
    /// The fault and its place, a sentence without the file.
    package let problem: String

    package init(_ subject: String, _ problem: String) {
        self.subject = subject
        self.problem = problem
    }

    package var description: String { "\(subject): \(problem)" }
}
