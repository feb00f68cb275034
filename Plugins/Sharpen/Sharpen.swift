import CFoveaPlugin
import CKernels
import FoundationEssentials

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

    init(json: String) throws(Refusal) {
        let values: Parameters
        do {
            values = try JSONDecoder().decode(Parameters.self, from: Data(json.utf8))
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw Refusal(
                "the parameters are not as they should be: \"amount\" is a number, \"kernel\" rows of numbers")
        }
        guard let rows = values.kernel else {
            let amount = values.amount ?? 1
            guard amount.isFinite, (0...16).contains(amount) else {
                throw Refusal("\"amount\" is \(amount), it must be from 0 to 16")
            }
            self = .amount(Float(amount))
            return
        }
        if values.amount != nil { throw Refusal("give either \"amount\" or \"kernel\", not both") }
        guard rows.count % 2 == 1, rows.count <= Self.largestKernel, rows.allSatisfy({ $0.count == rows.count }) else {
            throw Refusal("\"kernel\" must be an odd square matrix of at most \(Self.largestKernel) rows")
        }
        let weights = rows.joined().map { Float($0) }
        guard weights.allSatisfy({ $0.isFinite && abs($0) <= 1e6 }) else {
            throw Refusal("\"kernel\" holds a weight that is not a number, or above a million")
        }
        self = .kernel(weights, size: rows.count)
    }

    private struct Parameters: Decodable {
        var amount: Double?
        var kernel: [[Double]]?

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: AnyKey.self)
            for key in container.allKeys where key.stringValue != "amount" && key.stringValue != "kernel" {
                throw Refusal("unknown parameter \"\(key.stringValue)\"; there are \"amount\" and \"kernel\"")
            }
            amount = try container.decodeIfPresent(Double.self, forKey: AnyKey("amount"))
            kernel = try container.decodeIfPresent([[Double]].self, forKey: AnyKey("kernel"))
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

/// Parameters that cannot be used, in a sentence.
struct Refusal: Error {
    let text: String
    init(_ text: String) { self.text = text }
}

/// An instance: the parameters and one row of scratch.
final class Sharpen {
    private let sharpening: Sharpening
    private let rows: UnsafeMutablePointer<UInt16>
    private let sums: UnsafeMutablePointer<Float>

    init(_ sharpening: Sharpening, width: Int32) {
        self.sharpening = sharpening
        rows = .allocate(capacity: ck_unsharp_scratch(width))
        let size = if case .kernel(_, let size) = sharpening { size } else { 1 }
        sums = .allocate(capacity: ck_filter_scratch(width, Int32(size)))
    }

    deinit {
        rows.deallocate()
        sums.deallocate()
    }

    func process(_ shape: fovea_shape, _ input: UnsafePointer<UInt8>, _ output: UnsafeMutablePointer<UInt8>) {
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
