import CFoveaPlugin
import SystemPackage

/// A plugin, or a chain of them, that cannot be used: which file or stage, what is wrong, what to do.
package struct PluginError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: String, Sendable, Equatable, CaseIterable {
        /// No such file, or no library of that name in any folder.
        case missing
        /// Not a shared library for this machine, or a damaged one.
        case notALibrary = "not-a-library"
        /// A library without the entry symbol.
        case notAPlugin = "not-a-plugin"
        /// Made for an ABI that this program does not know yet.
        case tooNew = "too-new"
        /// Made for an ABI that this program no longer knows.
        case tooOld = "too-old"
        /// A table that breaks the rules of the ABI.
        case malformed
        /// The stages are not in the order filter, normalizer, classifier.
        case order
        /// The plugin does not accept its parameters.
        case parameters
        /// The plugin does not accept the model.
        case model
        /// The plugin does not work on images of this size.
        case shape
        case memory
        /// A stage failed at its work.
        case failed
    }

    package let code: Code
    package let description: String

    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }

    init(_ code: Code, file: FilePath, _ fault: String) { self.init(code, "\(file.escaped): \(fault)") }

    /// A call on an instance that did not return FOVEA_OK.
    init(status: fovea_status, stage: String, text: String) {
        let code: Code =
            switch status {
            case FOVEA_ERROR_PARAMETERS: .parameters
            case FOVEA_ERROR_MODEL: .model
            case FOVEA_ERROR_SHAPE: .shape
            case FOVEA_ERROR_MEMORY: .memory
            default: .failed
            }
        self.init(code, "\(stage): \(text.isEmpty ? "failed with status \(status.rawValue) and no word why" : text)")
    }
}
