import CKernels
import Glibc

/// Each channel convolved by a filter of its own (Howard et al. 2017, MobileNets), k×k, stride 1 or 2, no bias. Filters are
/// [k, k, channels]. So little is multiplied that only memory counts: the kernels work on the maps as they lie.
final class DepthwiseConvolution: FusingLayer {
    let name: String
    let input: Shape
    let output: Shape
    var tensors: [TensorSpecification] { ownTensors + fused.tensors }
    private let ownTensors: [TensorSpecification]
    private let shape: ConvolutionShape
    private let isNaive: Bool
    private let mode: Mode
    private var memory: LayerMemory?
    private var fused = FusedEpilogue()

    /// - Parameter naive: the oracle of the tests.
    init(
        _ name: String, input: Shape, kernel: Int, stride: Int = 1, padding: Padding = .same, mode: Mode,
        naive: Bool = false
    ) throws(ShapeError) {
        guard [1, 3, 5, 7].contains(kernel), [1, 2].contains(stride) else {
            throw ShapeError(
                "\(name) (depthwise convolution)", given: "kernel \(kernel), stride \(stride)",
                expected: "a kernel of 1, 3, 5 or 7, and stride 1 or 2")
        }
        shape = ConvolutionShape(
            height: input.height, width: input.width, inputs: input.channels, outputs: input.channels, kernel: kernel,
            stride: stride, padding: padding)
        guard shape.pixels > 0 else {
            throw ShapeError(
                "\(name) (depthwise convolution)", given: "\(input)", expected: "at least \(kernel)×\(kernel) pixels")
        }
        (self.name, self.input, self.mode) = (name, input, mode)
        output = Shape(height: shape.outputHeight, width: shape.outputWidth, channels: input.channels)
        isNaive = naive
        ownTensors = [
            TensorSpecification(
                name: "\(name).weight", shape: [kernel, kernel, input.channels], kind: .parameter,
                start: .xavier(fanIn: kernel * kernel, fanOut: kernel * kernel), decays: true)
        ]
    }

    var multiplications: Int { filters * output.pixels }

    private var filters: Int { shape.kernel * shape.kernel * input.channels }

    func fuse(_ norm: BatchNorm) -> Bool { mode == .inference && fused.take(norm) }
    func fuse(_ activation: Activation) -> Bool { mode == .inference && fused.take(activation) }

    func needs(maxBatch: Int, mode: Mode) -> LayerNeeds {
        LayerNeeds(
            own: fused.needs(maxBatch: maxBatch, mode: mode), partial: mode == .training ? filters : 0)
    }

    func bind(_ memory: LayerMemory) {
        self.memory = memory
        fused.bind(tensors: memory.tensors[ownTensors.count...], own: memory.own, shared: memory.shared)
    }

    func parametersChanged() { fused.parametersChanged() }

    /// Calls `body` on all threads with parts of the rows of `count` maps: the map's number and the rows.
    private func eachRows(
        of rows: Int, count: Int, _ pass: Pass, _ body: (_ thread: Int, _ image: Int, _ rows: Range<Int>) -> Void
    ) {
        pass.pool.split(count * rows) { thread, range in
            var row = range.lowerBound
            while row < range.upperBound {
                let image = row / rows
                let end = min(range.upperBound, (image + 1) * rows)
                body(thread, image, (row - image * rows)..<(end - image * rows))
                row = end
            }
        }
    }

    func forward(_ x: Floats, _ y: Floats, count: Int, _ pass: Pass) {
        let weights = memory!.tensors[0]
        fused.withKernel(bias: nil) { epilogue in
            if isNaive {
                y.update(repeating: 0, count: count * output.count)
                eachProduct(count: count) { y[$2] += x[$0] * weights[$1] }
                if let epilogue {
                    ck_finish_rows(y, count * output.pixels, Int32(output.channels), output.channels, epilogue)
                }
                return
            }
            let (from, to) = (input.count, output.count)
            eachRows(of: output.height, count: count, pass) { [patches = shape.patches] _, image, rows in
                withUnsafePointer(to: patches) {
                    ck_depthwise(
                        x + image * from, weights, $0, Int32(rows.lowerBound), Int32(rows.upperBound), epilogue,
                        y + image * to)
                }
            }
        }
    }

    func backward(_ x: Floats, _ dy: Floats, _ dx: Floats?, count: Int, _ pass: Pass) {
        let (weights, filters) = (memory!.tensors[0], filters)
        let (from, to) = (input.count, output.count)
        if isNaive {
            let gradient = memory!.gradients[0]!
            gradient.update(repeating: 0, count: filters)
            dx?.update(repeating: 0, count: count * from)
            return eachProduct(count: count) {
                gradient[$1] += x[$0] * dy[$2]
                dx?[$0] += dy[$2] * weights[$1]
            }
        }
        let patches = shape.patches
        if let gradient = memory!.gradients[0] {
            func sum(_ thread: Int) -> Floats { thread == 0 ? gradient : pass.partial[thread] }
            for thread in 0..<pass.pool.threads { memset(sum(thread), 0, filters * 4) }
            eachRows(of: output.height, count: count, pass) { thread, image, rows in
                withUnsafePointer(to: patches) {
                    ck_depthwise_filters(
                        x + image * from, dy + image * to, $0, Int32(rows.lowerBound), Int32(rows.upperBound),
                        sum(thread))
                }
            }
            for thread in 1..<max(1, pass.pool.threads) { ck_add(pass.partial[thread], gradient, filters) }
        }
        guard let dx else { return }
        eachRows(of: input.height, count: count, pass) { _, image, rows in
            withUnsafePointer(to: patches) {
                ck_depthwise_back(
                    dy + image * to, weights, $0, Int32(rows.lowerBound), Int32(rows.upperBound), dx + image * from)
            }
        }
    }

    /// Every triple (input element, filter element, output element) that meets in a multiplication.
    private func eachProduct(count: Int, _ body: (_ x: Int, _ w: Int, _ y: Int) -> Void) {
        let (s, c) = (shape, input.channels)
        for n in 0..<count {
            for y in 0..<s.outputHeight {
                for x in 0..<s.outputWidth {
                    let (top, left) = (y * s.stride - s.top, x * s.stride - s.left)
                    for v in 0..<s.kernel where (0..<s.height).contains(top + v) {
                        for u in 0..<s.kernel where (0..<s.width).contains(left + u) {
                            let from = ((n * s.height + top + v) * s.width + left + u) * c
                            let to = ((n * s.outputHeight + y) * s.outputWidth + x) * c
                            for i in 0..<c { body(from + i, (v * s.kernel + u) * c + i, to + i) }
                        }
                    }
                }
            }
        }
    }

    // MARK: - Descriptions

    var operation: String { "DepthwiseConv2D" }

    /// Filters [k, k, channels] become [channels, 1, k, k].
    func describe(_ x: ONNXValue, in export: inout ONNXExport) -> ONNXValue {
        let (filters, channels, kernel) = (ownTensors[0], input.channels, shape.kernel)
        let weights = export.constant(
            filters, from: filters.shape, order: [2, 0, 1], to: [channels, 1, kernel, kernel])
        return fused.describe(
            export.add(name, "Conv", x, [weights], shape.attributes(groups: channels)), in: &export)
    }
}

extension LayerStack {
    mutating func depthwiseConvolution(
        _ name: String, kernel: Int, stride: Int = 1, padding: Padding = .same, naive: Bool = false
    ) throws(ShapeError) {
        append(
            try DepthwiseConvolution(
                name, input: shape, kernel: kernel, stride: stride, padding: padding, mode: mode, naive: naive))
    }
}

extension LayerProbe.Kind {
    package static func depthwise(
        kernel: Int, stride: Int = 1, padding: Padding = .same, naive: Bool = false
    ) -> Self {
        Self { stack throws(ShapeError) in
            try stack.depthwiseConvolution(probe, kernel: kernel, stride: stride, padding: padding, naive: naive)
        }
    }
}
