import CKernels
import Glibc

/// y = x · W (+ b) over an image's floats, whatever their shape. W is [in, out].
///
/// W is far larger than the images of a batch: each thread reads its own part of W, once, and writes that part of the
/// result, or of W's gradient.
final class FullyConnected: Layer {
    let name: String
    let input: Shape
    let output: Shape
    let tensors: [TensorSpecification]
    private let inputs: Int
    private let outputs: Int
    private var memory: LayerMemory?

    /// How W begins.
    enum Start: Sendable { case xavier, uniform }

    init(
        _ name: String, input: Shape, outputs: Int, bias: Bool = false, start: Start = .xavier
    ) throws(ShapeError) {
        guard outputs > 0, input.count > 0 else {
            throw ShapeError(
                "\(name) (fully connected)", given: "\(input) to \(outputs)", expected: "at least one input and output")
        }
        try TensorSpecification.check(name, input.count, outputs)
        self.name = name
        self.input = input
        self.outputs = outputs
        inputs = input.count
        output = Shape(height: 1, width: 1, channels: outputs)
        tensors =
            [
                TensorSpecification(
                    name: "\(name).weight", shape: [inputs, outputs], kind: .parameter,
                    start: start == .xavier ? .xavier(fanIn: inputs, fanOut: outputs) : .uniform(fanIn: inputs),
                    decays: true)
            ]
            + (bias
                ? [TensorSpecification(name: "\(name).bias", shape: [outputs], kind: .parameter, start: .constant(0))]
                : [])
    }

    var multiplications: Int { inputs * outputs }

    /// Packed images and gradients of the outputs.
    func needs(maxBatch: Int, mode: Mode) -> LayerNeeds {
        LayerNeeds(scratch: mode == .training ? (maxBatch + 2) * (Panels.left(inputs) + Panels.right(outputs)) : 0)
    }
    func bind(_ memory: LayerMemory) { self.memory = memory }

    func forward(_ x: Floats, _ y: Floats, count: Int, _ pass: Pass) {
        let w = memory!.tensors[0]
        let (inputs, outputs) = (inputs, outputs)
        pass.pool.split(outputs, grain: Int(ck_columns())) { _, range in
            if range.isEmpty { return }
            ck_product_once(
                Int32(count), Int32(range.count), Int32(inputs), x, inputs, w + range.lowerBound, outputs, 0,
                y + range.lowerBound, outputs)
        }
        if tensors.count > 1 {
            let bias = ck_epilogue(
                scale: nil, shift: UnsafePointer(memory!.tensors[1]), activation: Activation.identity)
            withUnsafePointer(to: bias) { ck_finish_rows(y, count, Int32(outputs), outputs, $0) }
        }
    }

    func backward(_ x: Floats, _ dy: Floats, _ dx: Floats?, count: Int, _ pass: Pass) {
        let w = memory!.tensors[0]
        let (inputs, outputs) = (inputs, outputs)
        if let gradient = memory!.gradients[0] {
            pass.pool.split(inputs, grain: Int(Panels.leftWidth)) { thread, range in
                if range.isEmpty { return }
                let left = pass.scratch[thread]
                let right = left + count * Panels.left(range.count)
                ck_pack(x + range.lowerBound, inputs, Int32(count), Int32(range.count), Panels.leftWidth, left)
                ck_pack(dy, outputs, Int32(count), Int32(outputs), ck_columns(), right)
                ck_product_columns(
                    Int32(range.count), Int32(outputs), Int32(count), left, right,
                    gradient + range.lowerBound * outputs, outputs, 0)
            }
        }
        if tensors.count > 1, let gradient = memory!.gradients[1] {
            sumColumns(dy, rows: count, channels: outputs, gradient, pass)
        }
        guard let dx else { return }
        pass.pool.split(inputs, grain: Int(ck_columns())) { _, range in
            if range.isEmpty { return }
            ck_product_once(
                Int32(count), Int32(range.count), Int32(outputs), dy, outputs, w + range.lowerBound * outputs, outputs,
                1, dx + range.lowerBound, inputs)
        }
    }

    // MARK: - Descriptions

    var operation: String { "MatMul" }

    /// A map is flattened as ONNX has it, channel by channel; the matrix's rows come in that order.
    func describe(_ x: ONNXValue, in export: inout ONNXExport) -> ONNXValue {
        let matrix = tensors[0]
        var x = x
        if x.isMap {
            x = ONNXValue(
                name: export.add("\(name).flat", "Flatten", x, [], ["axis": .integer(1)]).name, isMap: false)
        }
        let weights = export.constant(
            matrix, from: [input.height, input.width, input.channels, matrix.shape[1]], order: [2, 0, 1, 3],
            to: matrix.shape)
        let bias = tensors.count > 1 ? [export.constant(tensors[1])] : []
        return export.add(name, "Gemm", x, [weights] + bias)
    }
}

extension LayerStack {
    mutating func fullyConnected(
        _ name: String, outputs: Int, bias: Bool = false, start: FullyConnected.Start = .xavier
    ) throws(ShapeError) {
        append(try FullyConnected(name, input: shape, outputs: outputs, bias: bias, start: start))
    }
}

extension LayerProbe.Kind {
    package static func fullyConnected(outputs: Int, bias: Bool = false) -> Self {
        Self { stack throws(ShapeError) in try stack.fullyConnected(probe, outputs: outputs, bias: bias) }
    }
}
