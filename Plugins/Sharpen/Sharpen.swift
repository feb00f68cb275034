import CFoveaPlugin
import CKernels
import FoveaPluginKit

// `sharpen`: an unsharp mask, per channel, saturating, border reflect-101.
//
//     {}                      x + (x − binomial5×5(x)), in integers
//     {"amount": 0.5}         x + 0.5 (x − binomial5×5(x))
//     {"kernel": [[…], …]}    the given odd square matrix of weights, applied as it stands
//
// Values are rounded to the nearest integer, half to even, as OpenCV's saturate_cast does.

/// What the JSON parameters say.
enum Sharpening {
    case amount(Float)
    /// size × size weights, row by row.
    case kernel([Float], size: Int)

    static let largestKernel = 31

    init(json: UnsafePointer<CChar>?) throws(PluginRefusal) {
        let values = try pluginParameters(
            Parameters.self, json: json, known: ["amount", "kernel"],
            form: "\"amount\" is a number, \"kernel\" rows of numbers")
        guard let rows = values.kernel else {
            let amount = values.amount ?? 1
            guard amount.isFinite, (0...16).contains(amount) else {
                throw PluginRefusal("\"amount\" is \(amount), it must be from 0 to 16")
            }
            self = .amount(Float(amount))
            return
        }
        if values.amount != nil { throw PluginRefusal("give either \"amount\" or \"kernel\", not both") }
        guard rows.count % 2 == 1, rows.count <= Self.largestKernel, rows.allSatisfy({ $0.count == rows.count }) else {
            throw PluginRefusal("\"kernel\" must be an odd square matrix of at most \(Self.largestKernel) rows")
        }
        let weights = rows.joined().map { Float($0) }
        guard weights.allSatisfy({ $0.isFinite && abs($0) <= 1e6 }) else {
            throw PluginRefusal("\"kernel\" holds a weight that is not a number, or above a million")
        }
        self = .kernel(weights, size: rows.count)
    }

    private struct Parameters: Decodable {
        var amount: Double?
        var kernel: [[Double]]?
    }
}

/// An instance: the parameters and one row of scratch.
final class Sharpen: PluginInstance {
    private let sharpening: Sharpening
    private let rows: UnsafeMutablePointer<UInt16>
    private let sums: UnsafeMutablePointer<Float>

    init(_ arguments: fovea_create_args) throws(PluginRefusal) {
        guard arguments.channels == 3, arguments.height > 0, arguments.width > 0 else {
            throw PluginRefusal("works on images of three channels", FOVEA_ERROR_SHAPE)
        }
        sharpening = try Sharpening(json: arguments.parameters)
        let width = arguments.width
        rows = .allocate(capacity: ck_unsharp_scratch(width))
        let size = if case .kernel(_, let size) = sharpening { size } else { 1 }
        sums = .allocate(capacity: ck_filter_scratch(width, Int32(size)))
    }

    deinit {
        rows.deallocate()
        sums.deallocate()
    }

    func process(_ shape: fovea_shape, _ input: UnsafeRawPointer, _ output: UnsafeMutableRawPointer) {
        let (input, output) = (input.assumingMemoryBound(to: UInt8.self), output.assumingMemoryBound(to: UInt8.self))
        let image = Int(shape.height) * Int(shape.width) * 3
        for i in 0..<Int(shape.count) {
            let (from, to) = (input + i * image, output + i * image)
            switch sharpening {
            case .amount(1): ck_unsharp(from, to, shape.height, shape.width, rows)
            case .amount(let amount): ck_unsharp_amount(from, to, shape.height, shape.width, amount, rows)
            case .kernel(let weights, let size):
                ck_filter_rgb8(from, to, shape.height, shape.width, weights, Int32(size), sums)
            }
        }
    }

    /// JSON.
    var description: String {
        switch sharpening {
        case .amount(let amount): "{\"amount\":\(amount),\"kernel\":\"binomial 5x5\"}"
        case .kernel(_, let size): "{\"kernel\":\"\(size)x\(size) as configured\"}"
        }
    }
}
