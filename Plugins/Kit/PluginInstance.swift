import CFoveaPlugin
import Glibc

// What a plugin in Swift needs of C: a table of functions, and functions that turn C's arguments into Swift's. An
// instance is a retained object behind an opaque pointer. Nothing here allocates while images are processed.

/// What `create` makes: one plugin with its parameters, used by one thread at a time.
package protocol PluginInstance: AnyObject {
    /// Checks and prepares everything; files can be opened only here.
    init(_ arguments: fovea_create_args) throws(PluginRefusal)

    /// Processes `shape.count` images. What the pointers stand for follows from the kind: see fovea_plugin.h.
    func process(_ shape: fovea_shape, _ input: UnsafeRawPointer, _ output: UnsafeMutableRawPointer)

    /// For a classifier: writes the unknown-ness of each image of the last `process` call; 1 is the model's own
    /// threshold, above it an image belongs to no class that the model knows. See fovea_plugin.h.
    ///
    /// - Parameters:
    ///   - count: as many images as that call had.
    ///   - output: `count` floats, each finite and at least 0.
    /// - Returns: false where the model cannot tell; what is in `output` is of no importance then.
    func unknownness(count: Int, into output: UnsafeMutablePointer<Float>) -> Bool

    /// Touches whatever the first image would have to wait for.
    func warmUp()

    /// What the plugin says of itself, JSON.
    var description: String { get }
}

extension PluginInstance {
    package func warmUp() {}

    package func unknownness(count: Int, into output: UnsafeMutablePointer<Float>) -> Bool { false }
}

/// Why there is no instance: the status and the sentence that the host is told.
package struct PluginRefusal: Error {
    package let status: fovea_status
    package let text: String

    package init(_ text: String, _ status: fovea_status = FOVEA_ERROR_PARAMETERS) {
        self.status = status
        self.text = text
    }
}

/// The C type of `create`.
package typealias PluginCreate =
    @convention(c) (
        UnsafePointer<fovea_create_args>?, UnsafeMutablePointer<OpaquePointer?>?, UnsafeMutablePointer<fovea_error>?
    ) -> fovea_status

/// Makes the table that `fovea_plugin_entry` hands out; it is never freed.
///
/// - Parameter create: calls `createInstance` with the plugin's own type. A C function cannot be generic.
package func pluginTable(
    _ kind: fovea_kind, name: StaticString, version: StaticString, description: StaticString, create: PluginCreate
) -> UnsafePointer<fovea_plugin> {
    let table = UnsafeMutablePointer<fovea_plugin>.allocate(capacity: 1)
    table.initialize(
        to: fovea_plugin(
            abi_version: FOVEA_ABI_VERSION, struct_size: UInt32(MemoryLayout<fovea_plugin>.size), kind: kind,
            name: constant(name), version: constant(version), description: constant(description), create: create,
            destroy: destroy, process: process, warm_up: warmUp, describe: describe,
            unknownness: kind == FOVEA_CLASSIFIER ? unknownness : nil))
    return UnsafePointer(table)
}

/// Puts a new instance where the host asked for it, or says why there is none.
package func createInstance(
    _ type: (some PluginInstance).Type, _ arguments: UnsafePointer<fovea_create_args>?,
    _ instance: UnsafeMutablePointer<OpaquePointer?>?, _ error: UnsafeMutablePointer<fovea_error>?
) -> fovea_status {
    guard let arguments = arguments?.pointee, let instance else {
        return refuse(FOVEA_ERROR_INTERNAL, "create was called without its arguments", error)
    }
    do {
        let made = Handle(try type.init(arguments))
        instance.pointee = OpaquePointer(Unmanaged.passRetained(made).toOpaque())
        return FOVEA_OK
    } catch let refusal {
        return refuse(refusal.status, refusal.text, error)
    }
}

/// A protocol's value is two words; the opaque pointer is one.
private final class Handle {
    let instance: any PluginInstance
    init(_ instance: any PluginInstance) { self.instance = instance }
}

private func object(_ instance: OpaquePointer) -> any PluginInstance {
    Unmanaged<Handle>.fromOpaque(UnsafeRawPointer(instance)).takeUnretainedValue().instance
}

private func constant(_ text: StaticString) -> UnsafePointer<CChar> {
    UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
}

private func destroy(instance: OpaquePointer?) {
    guard let instance else { return }
    Unmanaged<Handle>.fromOpaque(UnsafeRawPointer(instance)).release()
}

private func process(
    instance: OpaquePointer?, shape: fovea_shape, input: UnsafeRawPointer?, output: UnsafeMutableRawPointer?,
    error: UnsafeMutablePointer<fovea_error>?
) -> fovea_status {
    guard let instance, let input, let output else {
        return refuse(FOVEA_ERROR_INTERNAL, "process was called without its arguments", error)
    }
    object(instance).process(shape, input, output)
    return FOVEA_OK
}

private func unknownness(
    instance: OpaquePointer?, count: Int32, output: UnsafeMutablePointer<Float>?,
    error: UnsafeMutablePointer<fovea_error>?
) -> fovea_status {
    guard let instance, let output else {
        return refuse(FOVEA_ERROR_INTERNAL, "unknownness was called without its arguments", error)
    }
    if !object(instance).unknownness(count: Int(count), into: output) {
        output.update(repeating: FOVEA_UNKNOWNNESS_UNTOLD, count: Int(count))
    }
    return FOVEA_OK
}

private func warmUp(instance: OpaquePointer?, error: UnsafeMutablePointer<fovea_error>?) -> fovea_status {
    guard let instance else { return refuse(FOVEA_ERROR_INTERNAL, "warm_up was called without an instance", error) }
    object(instance).warmUp()
    return FOVEA_OK
}

private func describe(instance: OpaquePointer?, text: UnsafeMutablePointer<CChar>?, capacity: Int) -> Int {
    guard let instance else { return 0 }
    let description = object(instance).description
    let length = description.utf8.count
    if let text, length < capacity { description.withCString { _ = memcpy(text, $0, length + 1) } }
    return length
}

/// Writes the sentence, cut to fit, and gives back the status.
private func refuse(
    _ status: fovea_status, _ sentence: String, _ error: UnsafeMutablePointer<fovea_error>?
) -> fovea_status {
    if let error = error?.pointee, error.capacity > 0 {
        let bytes = sentence.utf8.prefix(error.capacity - 1)
        for (i, byte) in bytes.enumerated() { error.text[i] = CChar(bitPattern: byte) }
        error.text[bytes.count] = 0
    }
    return status
}
