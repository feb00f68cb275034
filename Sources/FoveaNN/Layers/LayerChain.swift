/// Layers one after the other inside another layer, with their memory: a branch of a residual layer.
struct LayerChain {
    let layers: [any Layer]
    /// Where the output of each layer is; in place it is the one before.
    private var outputs: [Int] = []
    /// Where the layers' own memory is, in the owner's.
    private var places: [Int] = []
    private var own: Floats?
    /// What `outputs` are offsets of.
    private var activations: Floats?

    init(_ layers: [any Layer]) { self.layers = layers }

    var tensors: [TensorSpecification] { layers.flatMap(\.tensors) }
    var multiplications: Int { layers.reduce(0) { $0 + $1.multiplications } }
    /// Floats of an image in the largest map that goes in or out of a layer.
    var largest: Int { layers.map { max($0.input.count, $0.output.count) }.max() ?? 0 }

    /// Lays out the memory. Training keeps all activations among the owner's own; inference takes up to two buffers in
    /// turn of the shared memory.
    ///
    /// - Parameter needs: gets more for this.
    mutating func layOut(maxBatch: Int, mode: Mode, in needs: inout LayerNeeds) {
        func reserve(_ floats: Int, _ place: inout Int) -> Int {
            defer { place += (floats + 15) / 16 * 16 }
            return place
        }
        outputs = []
        var turns: [Int] = []
        var turn = 0
        let most = layers.map(\.output.count).max() ?? 0
        for layer in layers {
            if layer.inPlace {
                outputs.append(outputs[outputs.count - 1])
            } else if mode == .training {
                outputs.append(reserve(maxBatch * layer.output.count, &needs.own))
            } else {
                if turns.count < 2 { turns.append(reserve(maxBatch * most, &needs.shared)) }
                outputs.append(turns[turn % 2])
                turn += 1
            }
        }
        places = []
        for layer in layers {
            let inner = layer.needs(maxBatch: maxBatch, mode: mode)
            places.append(reserve(inner.own, &needs.own))
            // What the layers share inside lies behind what the chain needs there.
            if inner.shared > 0 { preconditionFailure("\(layer.name) cannot stand in another residual layer") }
            needs.scratch = max(needs.scratch, inner.scratch)
            needs.partial = max(needs.partial, inner.partial)
        }
    }

    /// - Parameter memory: the owner's, with the tensors of this chain alone.
    mutating func bind(_ memory: LayerMemory, mode: Mode) {
        own = memory.own
        activations = mode == .training ? memory.own : memory.shared
        var next = 0
        for (layer, place) in zip(layers, places) {
            let mine = next..<(next + layer.tensors.count)
            next = mine.upperBound
            layer.bind(
                LayerMemory(
                    tensors: Array(memory.tensors[mine]), gradients: Array(memory.gradients[mine]),
                    own: memory.own + place, shared: memory.shared))
        }
    }

    func parametersChanged() { for layer in layers { layer.parametersChanged() } }

    /// The place of a layer's output.
    private func output(_ index: Int) -> Floats { activations! + outputs[index] }

    /// Runs the layers, but for the last one where that is `left`.
    ///
    /// - Returns: where the result is; x where there is no layer.
    func forward(_ x: Floats, count: Int, _ pass: Pass, without left: (any Layer)? = nil) -> Floats {
        var from = x
        for (index, layer) in layers.enumerated() where layer !== left {
            layer.run(from, output(index), count: count, pass)
            from = output(index)
        }
        return from
    }

    /// Backward through all layers; dy stays as it is.
    ///
    /// - Parameters:
    ///   - dx: where the gradient of x goes; nil: nobody needs it.
    ///   - deltas: two buffers for gradients, as large as the largest map.
    func backward(
        _ x: Floats, _ dy: Floats, _ dx: Floats?, count: Int, deltas: (Floats, Floats), _ pass: Pass
    ) {
        var (delta, spare) = deltas
        var gradient = dy
        for index in layers.indices.reversed() {
            let layer = layers[index]
            let from = index == 0 ? x : output(index - 1)
            if layer.inPlace {
                if gradient == dy {
                    delta.update(from: dy, count: count * layer.output.count)
                    gradient = delta
                    swap(&delta, &spare)
                }
                layer.runBack(from, gradient, gradient, count: count, pass)
            } else {
                layer.runBack(from, gradient, index == 0 ? dx : delta, count: count, pass)
                gradient = delta
                swap(&delta, &spare)
            }
        }
    }

    func describe(_ x: ONNXValue, in export: inout ONNXExport) -> ONNXValue {
        layers.reduce(x) { $1.describe($0, in: &export) }
    }
}
