import CFoveaPlugin
import FoveaPluginKit

/// Handed out once and constant from then on, which is why it may be shared.
nonisolated(unsafe) private let table = pluginTable(
    FOVEA_NORMALIZER, name: "normalize", version: "1.0.0",
    description: "RGB8 to float32: [-1, 1], or by mean and standard deviation"
) { createInstance(Normalize.self, $0, $1, $2) }

// swift-format-ignore: AlwaysUseLowerCamelCase
/// The one visible symbol; the compiler holds it against the header.
@c @implementation
public func fovea_plugin_entry(_ host: UnsafePointer<fovea_host>!) -> UnsafePointer<fovea_plugin>! { table }
