import CFoveaPlugin
import CKernels
import FoveaPluginKit

// `normalize`: RGB8 to float32.
//
//     {"mode": "signed"}                                (x − 127.5) / 127.5, from −1 to 1
//     {"mean": [r, g, b], "std": [r, g, b]}             (x / 255 − mean) / std
//
// There are 256 values a channel, so the work is a table: as fast as the arithmetic, and the same bits everywhere.

/// An instance: 3 × 256 values.
final class Normalize: PluginInstance {
    private let values: [Float]
    /// JSON.
    let description: String

    init(_ arguments: fovea_create_args) throws(PluginRefusal) {
        guard arguments.channels == 3, arguments.height > 0, arguments.width > 0 else {
            throw PluginRefusal("works on images of three channels", FOVEA_ERROR_SHAPE)
        }
        let parameters = try pluginParameters(
            Parameters.self, json: arguments.parameters, known: ["mode", "mean", "std"],
            form: "\"mode\" is a text, \"mean\" and \"std\" are three numbers")
        switch (parameters.mode, parameters.mean, parameters.std) {
        case ("signed", nil, nil):
            values = (0..<768).map { (Float($0 % 256) - 127.5) / 127.5 }
            description = "{\"mode\":\"signed\"}"
        case (nil, let mean?, let std?):
            guard mean.count == 3, std.count == 3, (mean + std).allSatisfy({ $0.isFinite && abs($0) <= 1000 }),
                std.allSatisfy({ $0 >= 1e-6 })
            else {
                throw PluginRefusal("\"mean\" and \"std\" are three numbers each, in units of 0 to 1, \"std\" above 0")
            }
            values = (0..<768).map { index -> Float in
                let x = Double(index % 256) / 255
                return Float((x - mean[index / 256]) / std[index / 256])
            }
            description = "{\"mean\":\(mean),\"std\":\(std)}"
        case (let mode?, nil, nil): throw PluginRefusal("\"mode\" is \"\(mode)\", there is only \"signed\"")
        default: throw PluginRefusal("give either {\"mode\": \"signed\"} or \"mean\" and \"std\"")
        }
    }

    func process(_ shape: fovea_shape, _ input: UnsafeRawPointer, _ output: UnsafeMutableRawPointer) {
        ck_lookup_rgb8(
            input.assumingMemoryBound(to: UInt8.self), output.assumingMemoryBound(to: Float.self),
            Int(shape.count) * Int(shape.height) * Int(shape.width), values)
    }

    private struct Parameters: Decodable {
        var mode: String?
        var mean: [Double]?
        var std: [Double]?
    }
}
