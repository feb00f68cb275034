import FoveaSystem
import SystemPackage

/// A checkpoint from which a training cannot go on: damaged, or of another training.
package struct UnusableCheckpoint: ExitStatusProviding, CustomStringConvertible {
    package let path: FilePath
    /// What the engine says of the checkpoint.
    package let cause: String

    package var description: String { "\(path.escaped): \(cause)" }
    package var exitStatus: ExitStatus { .data }
}
