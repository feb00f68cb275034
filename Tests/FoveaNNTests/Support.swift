import Foundation
import FoveaNN
import FoveaSystem
import Testing

/// Values that PyTorch computed; see make_golden.py.
func golden(_ name: String) throws -> JSONValue {
    let file = try #require(Bundle.module.url(forResource: "Golden/\(name)", withExtension: "json"))
    return try JSONDecoder().decode(JSONValue.self, from: Data(contentsOf: file))
}

extension JSONValue {
    /// The numbers of an array; empty for anything else.
    var floats: [Float] {
        if case .array(let values) = self { values.map { Float($0.double ?? .nan) } } else { [] }
    }
    func floats(_ key: String) -> [Float] { self[key]?.floats ?? [] }
    var members: [String: JSONValue] { if case .object(let members) = self { members } else { [:] } }
}

/// The largest difference, relative to the largest value (at least 1); infinite for other counts and for NaN.
func distance(_ a: [Float], _ b: [Float]) -> Float {
    guard a.count == b.count, !a.isEmpty else { return .infinity }
    let size = max(1, b.map(abs).max() ?? 1)
    var most: Float = 0
    for (x, y) in zip(a, b) {
        let d = abs(x - y) / size
        if !(d <= most) { most = d.isNaN ? .infinity : d }
    }
    return most
}

func random(_ count: Int, seed: UInt64 = 1, scale: Float = 1) -> [Float] {
    var generator = SeededGenerator(seed, 99)
    return (0..<count).map { _ in (2 * generator.uniform() - 1) * scale }
}

/// Images whose class shows as a bright stripe in noise.
struct Stripes: TrainingSource {
    var count: Int
    var classes = 4
    var side = 8

    func fill(
        _ images: UnsafeMutablePointer<Float>, labels: UnsafeMutablePointer<Int32>, indices: ArraySlice<Int>,
        epoch: Int, random: inout SeededGenerator
    ) {
        let size = side * side * 3
        for (n, index) in indices.enumerated() {
            let label = index % classes
            labels[n] = Int32(label)
            var noise = SeededGenerator(5, UInt64(index))
            for i in 0..<size {
                images[n * size + i] = noise.uniform() - 0.5 + 0.1 * random.uniform()
                if i / (side * 3) % classes == label { images[n * size + i] += 0.8 }
            }
        }
    }
}

func smallVanilla(keep: Double = 1, block: Int = 1, hidden: Int = 16) -> NetworkDefinition {
    NetworkDefinition(
        architecture: "vanilla", input: Shape(height: 8, width: 8, channels: 3), classes: 4,
        settings: .object([
            "channels": .array([.int(8), .int(16)]), "kernels": .array([.int(3), .int(3)]),
            "hidden": .array([.int(hidden)]), "keep": .number(keep),
            "dropBlock": .object(["keep": .number(keep), "block": .int(block)]),
        ]))
}

/// Every architecture with few channels, for 32 × 32 pixels.
let smallSettings: [String: [String: JSONValue]] = [
    "vanilla": [
        "channels": .array([.int(4), .int(6)]), "kernels": .array([.int(5), .int(3)]), "hidden": .array([.int(8)]),
    ],
    "depthwise": [
        "channels": .array([.int(4), .int(6)]), "kernels": .array([.int(5), .int(3)]), "hidden": .array([.int(8)]),
    ],
    "resnet": ["channels": .array([.int(4), .int(6)]), "hidden": .array([.int(8)])],
    "resnet9": ["channels": .array([.int(4), .int(4), .int(6), .int(8)])],
    "foveanet": ["widths": .array([.int(4), .int(6), .int(8)]), "middles": .array([.int(4), .int(4), .int(4)])],
    "resnet18": ["stem": .int(4), "channels": .array([.int(4), .int(6)]), "blocks": .array([.int(1), .int(2)])],
    "efficientnet-lite0": smallLite, "efficientnet-lite1": smallLite, "efficientnet-lite2": smallLite,
]

/// Three stages of EfficientNet-Lite: with and without expansion, stride and residual.
private let smallLite: [String: JSONValue] = [
    "stem": .int(8), "head": .int(16), "channels": .array([.int(16), .int(16), .int(24)]),
    "blocks": .array([.int(1), .int(2), .int(1)]), "kernels": .array([.int(3), .int(5), .int(3)]),
    "strides": .array([.int(1), .int(2), .int(2)]), "expansions": .array([.int(1), .int(2), .int(3)]),
    "width": .number(1),
]
