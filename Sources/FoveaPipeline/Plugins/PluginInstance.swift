import CFoveaPlugin
import FoveaSystem
import SystemPackage

/// The dimensions of the images of a chain.
package struct ImageShape: Sendable, Equatable {
    package let height: Int
    package let width: Int
    package let channels: Int

    package init(height: Int, width: Int, channels: Int = 3) {
        precondition(height > 0 && width > 0 && channels > 0 && height * width * channels <= Int(Int32.max))
        self.height = height
        self.width = width
        self.channels = channels
    }

    /// Values in one image.
    package var count: Int { height * width * channels }
}

/// A stage at work. Calls on one instance must not overlap.
package final class PluginInstance {
    package let library: PluginLibrary
    let shape: ImageShape
    let maxCount: Int
    private let instance: OpaquePointer

    /// Calls `create`.
    ///
    /// - Parameters:
    ///   - classes: the length of a row of scores; what a filter is told is of no importance.
    ///   - parameters: a JSON object as text.
    package init(
        _ library: PluginLibrary, shape: ImageShape, classes: Int, maxCount: Int, parameters: String,
        modelDirectory: FilePath? = nil
    ) throws(PluginError) {
        var created: OpaquePointer?
        let (status, text) = withErrorText { error in
            parameters.withCString { parameters in
                func create(_ directory: UnsafePointer<CChar>?) -> fovea_status {
                    var arguments = fovea_create_args(
                        struct_size: UInt32(MemoryLayout<fovea_create_args>.size), height: Int32(shape.height),
                        width: Int32(shape.width), channels: Int32(shape.channels), classes: Int32(classes),
                        max_count: Int32(maxCount), parameters: parameters, model_directory: directory)
                    return library.table.create(&arguments, &created, error)
                }
                guard library.kind == .classifier, let modelDirectory else { return create(nil) }
                return modelDirectory.withPlatformString { create($0) }
            }
        }
        guard status == FOVEA_OK else { throw PluginError(status: status, stage: library.name, text: text) }
        guard let created else {
            throw PluginError(.malformed, file: library.path, "create returned FOVEA_OK without an instance")
        }
        self.library = library
        self.shape = shape
        self.maxCount = maxCount
        instance = created
    }

    deinit { library.table.destroy(instance) }

    /// Calls `warm_up` where there is one.
    package func warmUp() throws(PluginError) {
        guard let warmUp = library.table.warm_up else { return }
        let (status, text) = withErrorText { warmUp(instance, $0) }
        guard status == FOVEA_OK else { throw PluginError(status: status, stage: library.name, text: text) }
    }

    /// Calls `process`. Both buffers are aligned to 64 bytes, of the size that the header gives for the kind.
    package func process(
        count: Int, input: UnsafeRawPointer, output: UnsafeMutableRawPointer
    ) throws(PluginError) {
        precondition(count >= 1 && count <= maxCount)
        assert(UInt(bitPattern: input) % 64 == 0 && UInt(bitPattern: output) % 64 == 0)
        let dimensions = fovea_shape(
            count: Int32(count), height: Int32(shape.height), width: Int32(shape.width),
            channels: Int32(shape.channels))
        let (status, text) = withErrorText { library.table.process(instance, dimensions, input, output, $0) }
        guard status == FOVEA_OK else { throw PluginError(status: status, stage: library.name, text: text) }
    }

    /// Calls `unknownness` where a classifier has one, for the images of the last `process` call.
    ///
    /// - Parameters:
    ///   - count: of those images.
    ///   - output: room for as many floats. What they are is not judged here: see `unknownnessFault`.
    /// - Returns: false where there is nothing to call; `output` is left alone then.
    package func unknownness(count: Int, output: UnsafeMutablePointer<Float>) throws(PluginError) -> Bool {
        precondition(count >= 1 && count <= maxCount)
        guard library.kind == .classifier, let unknownness = library.table.unknownness else { return false }
        let (status, text) = withErrorText { unknownness(instance, Int32(count), output, $0) }
        guard status == FOVEA_OK else { throw PluginError(status: status, stage: library.name, text: text) }
        return true
    }

    /// Whether the values of a batch say that the model cannot tell. Some that say so beside others that do not are wrong
    /// values: see `unknownnessFault`.
    package static func isUntold(_ values: some Sequence<Float>) -> Bool {
        values.allSatisfy { $0 == FOVEA_UNKNOWNNESS_UNTOLD }
    }

    /// What the instance says of itself, as JSON text; nil where it says nothing or too much.
    package func describe() -> String? {
        guard let describe = library.table.describe else { return nil }
        let limit = 1 << 16
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: limit) { buffer in
            let length = describe(instance, buffer.baseAddress, limit)
            guard length < limit else { return nil }
            return String(decoding: UnsafeRawBufferPointer(buffer).prefix(length), as: UTF8.self)
        }
    }
}

/// Calls a function of a plugin with room for its sentence.
private func withErrorText(
    _ body: (UnsafeMutablePointer<fovea_error>) -> fovea_status
) -> (status: fovea_status, text: String) {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1024) { buffer in
        buffer[0] = 0
        var error = fovea_error(text: buffer.baseAddress, capacity: buffer.count)
        let status = body(&error)
        if status == FOVEA_OK { return (status, "") }
        let bytes = UnsafeRawBufferPointer(buffer).prefix { $0 != 0 }
        return (status, printable(String(decoding: bytes, as: UTF8.self), atMost: 600))
    }
}
