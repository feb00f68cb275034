import CFoveaPlugin
import Glibc

// The C side of the plugin: the table, and functions that turn C's arguments into Swift's. An instance is a retained
// object behind an opaque pointer. Nothing here allocates while images are processed.

/// Handed out once and constant from then on, which is why it may be shared.
nonisolated(unsafe) private let table: UnsafePointer<fovea_plugin> = {
    let table = UnsafeMutablePointer<fovea_plugin>.allocate(capacity: 1)
    table.initialize(
        to: fovea_plugin(
            abi_version: FOVEA_ABI_VERSION, struct_size: UInt32(MemoryLayout<fovea_plugin>.size),
            kind: FOVEA_CLASSIFIER,
            name: constant("classifier-net"), version: constant("1.0.0"),
            description: constant("networks trained by Fovea, as config.json defines them"),
            create: create, destroy: destroy, process: process, warm_up: warmUp, describe: describe))
    return UnsafePointer(table)
}()

// swift-format-ignore: AlwaysUseLowerCamelCase
/// The one visible symbol; the compiler holds it against the header.
@c @implementation
public func fovea_plugin_entry(_ host: UnsafePointer<fovea_host>!) -> UnsafePointer<fovea_plugin>! { table }

private func constant(_ text: StaticString) -> UnsafePointer<CChar> {
    UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
}

private func object(_ instance: OpaquePointer) -> Classifier {
    Unmanaged<Classifier>.fromOpaque(UnsafeRawPointer(instance)).takeUnretainedValue()
}

private func create(
    arguments: UnsafePointer<fovea_create_args>?, instance: UnsafeMutablePointer<OpaquePointer?>?,
    error: UnsafeMutablePointer<fovea_error>?
) -> fovea_status {
    guard let arguments = arguments?.pointee, let instance else {
        return refuse(FOVEA_ERROR_INTERNAL, "create was called without its arguments", error)
    }
    do {
        let made = try Classifier(arguments: arguments)
        instance.pointee = OpaquePointer(Unmanaged.passRetained(made).toOpaque())
        return FOVEA_OK
    } catch let refusal {
        return refuse(refusal.status, refusal.text, error)
    }
}

private func destroy(instance: OpaquePointer?) {
    guard let instance else { return }
    Unmanaged<Classifier>.fromOpaque(UnsafeRawPointer(instance)).release()
}

private func process(
    instance: OpaquePointer?, shape: fovea_shape, input: UnsafeRawPointer?, output: UnsafeMutableRawPointer?,
    error: UnsafeMutablePointer<fovea_error>?
) -> fovea_status {
    guard let instance, let input, let output else {
        return refuse(FOVEA_ERROR_INTERNAL, "process was called without its arguments", error)
    }
    object(instance).process(
        input.assumingMemoryBound(to: Float.self), count: Int(shape.count),
        output.assumingMemoryBound(to: Float.self))
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
