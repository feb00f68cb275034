import CFoveaPlugin
import CKernels
import FoundationEssentials

// `normalize`: RGB8 to float32.
//
//     {"mode": "signed"}                                (x − 127.5) / 127.5, from −1 to 1
//     {"mean": [r, g, b], "std": [r, g, b]}             (x / 255 − mean) / std
//
// There are 256 values a channel, so the work is a table: as fast as the arithmetic, and the same bits everywhere.

/// Parameters that cannot be used, in a sentence.
struct Refusal: Error {
    let text: String
    init(_ text: String) { self.text = text }
}

/// An instance: 3 × 256 values.
final class Normalize {
    private let values: [Float]
    /// JSON.
    let description: String

    init(json: String) throws(Refusal) {
        let parameters: Parameters
        do {
            parameters = try JSONDecoder().decode(Parameters.self, from: Data(json.utf8))
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw Refusal(
                "the parameters are not as they should be: \"mode\" is a text, \"mean\" and \"std\" are three numbers")
        }
        switch (parameters.mode, parameters.mean, parameters.std) {
        case ("signed", nil, nil):
            values = (0..<768).map { (Float($0 % 256) - 127.5) / 127.5 }
            description = "{\"mode\":\"signed\"}"
        case (nil, let mean?, let std?):
            guard mean.count == 3, std.count == 3, (mean + std).allSatisfy({ $0.isFinite && abs($0) <= 1000 }),
                std.allSatisfy({ $0 >= 1e-6 })
            else { throw Refusal("\"mean\" and \"std\" are three numbers each, in units of 0 to 1, \"std\" above 0") }
            values = (0..<768).map { index -> Float in
                let x = Double(index % 256) / 255
                return Float((x - mean[index / 256]) / std[index / 256])
            }
            description = "{\"mean\":\(mean),\"std\":\(std)}"
        case (let mode?, nil, nil): throw Refusal("\"mode\" is \"\(mode)\", there is only \"signed\"")
        default: throw Refusal("give either {\"mode\": \"signed\"} or \"mean\" and \"std\"")
        }
    }

    func process(_ shape: fovea_shape, _ input: UnsafePointer<UInt8>, _ output: UnsafeMutablePointer<Float>) {
        ck_lookup_rgb8(input, output, Int(shape.count) * Int(shape.height) * Int(shape.width), values)
    }

    private struct Parameters: Decodable {
        var mode: String?
        var mean: [Double]?
        var std: [Double]?

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: AnyKey.self)
            for key in container.allKeys where !["mode", "mean", "std"].contains(key.stringValue) {
                throw Refusal("unknown parameter \"\(key.stringValue)\"; there are \"mode\", \"mean\" and \"std\"")
            }
            mode = try container.decodeIfPresent(String.self, forKey: AnyKey("mode"))
            mean = try container.decodeIfPresent([Double].self, forKey: AnyKey("mean"))
            std = try container.decodeIfPresent([Double].self, forKey: AnyKey("std"))
        }
    }

    private struct AnyKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(_ name: String) { stringValue = name }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}
