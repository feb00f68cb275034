import CKernels
import Glibc

/// y = x · W (+ b) over an image's floats, whatever their shape. W is [in, out].
///
/// Inference works on blocks of `imageBlock` rows, always of the same shape, by an `EvenProduct`, so that an image's
/// result does not depend on the batch. Training splits the rows (forward, backward-data) or W's rows (its gradient) over the threads.
final class FullyConnected: Layer {
    let name: String
    let input: Shape
    let output: Shape
    let tensors: [TensorSpecification]
    private let inputs: Int
    private let outputs: Int
    private let ones: [Float]
    private let even: EvenProduct
    private var memory: LayerMemory?

    init(_ name: String, input: Shape, outputs: Int, bias: Bool = false) throws(ShapeError) {
        guard outputs > 0, input.count > 0 else {
            throw ShapeError(
                "\(name) (fully connected)", given: "\(input) to \(outputs)", expected: "at least one input and output")
        }
        try TensorSpecification.check(name, input.count, outputs)
        self.name = name
        self.input = input
        self.outputs = outputs
        inputs = input.count
        even = EvenProduct(rows: imageBlock, outputs: outputs, inner: input.count)
        output = Shape(height: 1, width: 1, channels: outputs)
        tensors =
            [
                TensorSpecification(
                    name: "\(name).weight", shape: [inputs, outputs], kind: .parameter,
                    start: .xavier(fanIn: inputs, fanOut: outputs), decays: true)
            ]
            + (bias
                ? [TensorSpecification(name: "\(name).bias", shape: [outputs], kind: .parameter, start: .constant(0))]
                : [])
        ones = [Float](repeating: 1, count: outputs)
    }

    func needs(maxBatch: Int, mode: Mode) -> LayerNeeds { LayerNeeds(scratch: imageBlock * (inputs + outputs)) }
    func bind(_ memory: LayerMemory) { self.memory = memory }

    func forward(_ x: Floats, _ y: Floats, count: Int, _ pass: Pass) {
        let w = memory!.tensors[0]
        let bias = tensors.count > 1 ? memory!.tensors[1] : nil
        let (inputs, outputs) = (inputs, outputs)
        pass.pool.split(count, grain: pass.training ? 1 : imageBlock) { thread, rows in
            if pass.training {
                if !rows.isEmpty {
                    multiply(
                        rows.count, outputs, inputs, x + rows.lowerBound * inputs, w, y + rows.lowerBound * outputs)
                }
            } else {
                for first in stride(from: rows.lowerBound, to: rows.upperBound, by: imageBlock) {
                    var from = x + first * inputs
                    let present = min(imageBlock, count - first)
                    if present < imageBlock {
                        let block = pass.scratch[thread]
                        memcpy(block, from, present * inputs * 4)
                        memset(block + present * inputs, 0, (imageBlock - present) * inputs * 4)
                        from = block
                    }
                    if even.isEven {
                        even.multiply(from, w, y + first * outputs, scratch: pass.scratch[thread] + imageBlock * inputs)
                    } else {
                        for row in 0..<present {
                            multiply(1, outputs, inputs, from + row * inputs, w, y + (first + row) * outputs)
                        }
                    }
                }
            }
            if let bias {
                let start = y + rows.lowerBound * outputs
                ck_affine(start, start, rows.count, Int32(outputs), ones, bias, 0)
            }
        }
    }

    func backward(_ x: Floats, _ dy: Floats, _ dx: Floats?, count: Int, _ pass: Pass) {
        let w = memory!.tensors[0]
        let (inputs, outputs) = (inputs, outputs)
        if let gradient = memory!.gradients[0] {
            // Columns of x: a sub-matrix with the whole one's row length.
            pass.pool.split(inputs, grain: 16) { _, range in
                if !range.isEmpty {
                    multiplyTransposedColumns(
                        of: x + range.lowerBound, rowLength: inputs, columns: range.count, outputs: outputs,
                        rows: count, dy, gradient + range.lowerBound * outputs)
                }
            }
        }
        if tensors.count > 1, let gradient = memory!.gradients[1] {
            sumColumns(dy, rows: count, channels: outputs, gradient)
        }
        guard let dx else { return }
        pass.pool.split(count) { _, rows in
            if !rows.isEmpty {
                multiply(
                    rows.count, inputs, outputs, dy + rows.lowerBound * outputs, w, bTransposed: true,
                    dx + rows.lowerBound * inputs)
            }
        }
    }
}
