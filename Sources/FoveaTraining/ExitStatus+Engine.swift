import FoveaNN
import FoveaSystem

// The settings of a network are checked when the network is built: wrong settings are wrong usage.

extension NetworkDefinitionError: ExitStatusProviding {
    package var exitStatus: ExitStatus { .usage }
}

extension ShapeError: ExitStatusProviding {
    package var exitStatus: ExitStatus { .usage }
}

extension CheckpointError: ExitStatusProviding {
    package var exitStatus: ExitStatus { .data }
}

extension Divergence: ExitStatusProviding {
    package var exitStatus: ExitStatus { .data }
}
