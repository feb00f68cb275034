import CKernels

/// y = x + branch(x), the branch being a chain of layers (He et al. 2015): a layer made of layers.
///
/// Its own memory holds the branch's activations, two buffers for its gradients, and the memory of its layers.
final class Residual: Layer {
    let name: String
    let input: Shape
    var output: Shape { input }
    let tensors: [TensorSpecification]
    let branch: [any Layer]
    private var layout = Layout()
    private var own: Floats?

    /// Offsets in `own`.
    private struct Layout {
        /// The output of each layer of the branch; in place it is the one before.
        var outputs: [Int] = []
        var deltas = (0, 0)
        var layers: [Int] = []
    }

    /// - Throws: `ShapeError` where the branch changes the shape or begins with a layer that works in place, which
    ///   would spoil x.
    init(_ name: String, input: Shape, branch: [any Layer]) throws(ShapeError) {
        guard let first = branch.first, !first.inPlace, first.input == input, branch.last?.output == input else {
            throw ShapeError(
                "\(name) (residual)", given: "a branch to \(branch.last.map { "\($0.output)" } ?? "nothing")",
                expected: "one to \(input) whose first layer leaves its input alone")
        }
        (self.name, self.input, self.branch) = (name, input, branch)
        tensors = branch.flatMap(\.tensors)
    }

    var multiplications: Int { branch.reduce(0) { $0 + $1.multiplications } }

    func needs(maxBatch: Int, mode: Mode) -> LayerNeeds {
        var total = 0
        func reserve(_ floats: Int) -> Int {
            defer { total += (floats + 15) / 16 * 16 }
            return total
        }
        let largest = branch.map { max($0.input.count, $0.output.count) }.max() ?? 0
        let turns = mode == .inference ? [reserve(maxBatch * largest), reserve(maxBatch * largest)] : []
        layout = Layout()
        var turn = 0
        for layer in branch {
            if layer.inPlace {
                layout.outputs.append(layout.outputs[layout.outputs.count - 1])
            } else if mode == .training {
                layout.outputs.append(reserve(maxBatch * layer.output.count))
            } else {
                layout.outputs.append(turns[turn])
                turn = 1 - turn
            }
        }
        if mode == .training { layout.deltas = (reserve(maxBatch * largest), reserve(maxBatch * largest)) }
        let needs = branch.map { $0.needs(maxBatch: maxBatch, mode: mode) }
        layout.layers = needs.map { reserve($0.own) }
        return LayerNeeds(
            own: total, scratch: needs.map(\.scratch).max() ?? 0, partial: needs.map(\.partial).max() ?? 0)
    }

    func bind(_ memory: LayerMemory) {
        own = memory.own
        var next = 0
        for (layer, place) in zip(branch, layout.layers) {
            let mine = next..<(next + layer.tensors.count)
            next = mine.upperBound
            layer.bind(
                LayerMemory(
                    tensors: Array(memory.tensors[mine]), gradients: Array(memory.gradients[mine]),
                    own: memory.own + place))
        }
    }

    func parametersChanged() { for layer in branch { layer.parametersChanged() } }

    func forward(_ x: Floats, _ y: Floats, count: Int, _ pass: Pass) {
        guard let own else { return }
        // A batch norm at the end adds x on the way.
        let norm = branch.last as? BatchNorm
        var from = x
        for (layer, place) in zip(branch, layout.outputs) where layer !== norm {
            layer.run(from, own + place, count: count, pass)
            from = own + place
        }
        let last = from
        if let norm { return norm.forward(last, adding: x, y, count: count, pass) }
        pass.pool.split(count * input.count, grain: 1024) { _, range in
            ck_sum(x + range.lowerBound, last + range.lowerBound, y + range.lowerBound, range.count)
        }
    }

    func backward(_ x: Floats, _ dy: Floats, _ dx: Floats?, count: Int, _ pass: Pass) {
        guard let own else { return }
        var (delta, spare) = (own + layout.deltas.0, own + layout.deltas.1)
        var gradient = dy
        for index in branch.indices.reversed() {
            let layer = branch[index]
            let from = index == 0 ? x : own + layout.outputs[index - 1]
            if layer.inPlace {
                // dy is still needed for the sum.
                if gradient == dy {
                    delta.update(from: dy, count: count * layer.output.count)
                    gradient = delta
                    swap(&delta, &spare)
                }
                layer.runBack(from, gradient, gradient, count: count, pass)
            } else {
                let to = index == 0 ? dx : delta
                layer.runBack(from, gradient, to, count: count, pass)
                gradient = delta
                swap(&delta, &spare)
            }
        }
        guard let dx else { return }
        pass.pool.split(count * input.count, grain: 1024) { _, range in
            ck_add(dy + range.lowerBound, dx + range.lowerBound, range.count)
        }
    }
}
