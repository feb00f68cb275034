import CKernels

/// y = shortcut(x) + branch(x), both chains of layers (He et al. 2015): a layer made of layers. Without layers the shortcut
/// is x itself.
///
/// In training its own memory holds the chains' activations and buffers for their gradients.
final class Residual: Layer {
    let name: String
    let input: Shape
    let output: Shape
    let tensors: [TensorSpecification]
    private var branch: LayerChain
    private var shortcut: LayerChain
    private let mode: Mode
    /// Offsets of the buffers for gradients in `own`: two for the chains, one for the shortcut's result.
    private var deltas: [Int] = []
    private var own: Floats?

    /// - Throws: `ShapeError` where the chains' results differ in shape, or where one begins with a layer that works in
    ///   place, which would spoil x.
    init(
        _ name: String, input: Shape, branch: [any Layer], shortcut: [any Layer] = [], mode: Mode
    ) throws(ShapeError) {
        let target = shortcut.last?.output ?? input
        guard let first = branch.first, !first.inPlace, first.input == input, branch.last?.output == target,
            shortcut.first.map({ !$0.inPlace && $0.input == input }) ?? true
        else {
            throw ShapeError(
                "\(name) (residual)", given: "a branch to \(branch.last.map { "\($0.output)" } ?? "nothing")",
                expected: "one to \(target) whose first layer leaves its input alone")
        }
        (self.name, self.input, self.mode) = (name, input, mode)
        (self.branch, self.shortcut) = (LayerChain(branch), LayerChain(shortcut))
        output = target
        tensors = branch.flatMap(\.tensors) + shortcut.flatMap(\.tensors)
    }

    var multiplications: Int { branch.multiplications + shortcut.multiplications }

    func needs(maxBatch: Int, mode: Mode) -> LayerNeeds {
        var needs = LayerNeeds()
        branch.layOut(maxBatch: maxBatch, mode: mode, in: &needs)
        shortcut.layOut(maxBatch: maxBatch, mode: mode, in: &needs)
        if mode == .training {
            let largest = maxBatch * max(branch.largest, shortcut.largest)
            deltas = (0..<(shortcut.layers.isEmpty ? 2 : 3)).map { _ in
                defer { needs.own += (largest + 15) / 16 * 16 }
                return needs.own
            }
        }
        return needs
    }

    func bind(_ memory: LayerMemory) {
        own = memory.own
        let count = branch.tensors.count
        func part(_ range: Range<Int>) -> LayerMemory {
            LayerMemory(
                tensors: Array(memory.tensors[range]), gradients: Array(memory.gradients[range]), own: memory.own,
                shared: memory.shared)
        }
        branch.bind(part(0..<count), mode: mode)
        shortcut.bind(part(count..<tensors.count), mode: mode)
    }

    func parametersChanged() {
        branch.parametersChanged()
        shortcut.parametersChanged()
    }

    func forward(_ x: Floats, _ y: Floats, count: Int, _ pass: Pass) {
        let past = shortcut.forward(x, count: count, pass)
        // A batch norm at the end adds on the way.
        let norm = branch.layers.last as? BatchNorm
        let last = branch.forward(x, count: count, pass, without: norm)
        if let norm { return norm.forward(last, adding: past, y, count: count, pass) }
        pass.pool.split(count * output.count, grain: 1024) { _, range in
            ck_sum(past + range.lowerBound, last + range.lowerBound, y + range.lowerBound, range.count)
        }
    }

    func backward(_ x: Floats, _ dy: Floats, _ dx: Floats?, count: Int, _ pass: Pass) {
        guard let own else { return }
        let buffers = (own + deltas[0], own + deltas[1])
        branch.backward(x, dy, dx, count: count, deltas: buffers, pass)
        var past = dy
        if !shortcut.layers.isEmpty {
            past = own + deltas[2]
            shortcut.backward(x, dy, dx == nil ? nil : past, count: count, deltas: buffers, pass)
        }
        guard let dx else { return }
        pass.pool.split(count * input.count, grain: 1024) { [past] _, range in
            ck_add(past + range.lowerBound, dx + range.lowerBound, range.count)
        }
    }

    // MARK: - Descriptions

    var operation: String { "Add" }

    func draw(in graph: inout GraphBuilder) {
        let entrance = graph.last
        let past = graph.follow(shortcut.layers, from: entrance)
        _ = graph.follow(branch.layers, from: entrance)
        graph.add("\(name).sum", operation, output, with: past)
    }

    func describe(_ x: ONNXValue, in export: inout ONNXExport) -> ONNXValue {
        let past = shortcut.describe(x, in: &export)
        let y = branch.describe(x, in: &export)
        return export.add("\(name).sum", "Add", past, [y.name])
    }
}

extension LayerStack {
    /// shortcut(x) + branch(x); each closure appends its layers to an empty stack. Without `shortcut` x itself is added.
    mutating func residual(
        _ name: String, shortcut: ((inout LayerStack) throws(ShapeError) -> Void)? = nil,
        _ branch: (inout LayerStack) throws(ShapeError) -> Void
    ) throws(ShapeError) {
        var long = LayerStack(input: shape, mode: mode)
        try branch(&long)
        var short = LayerStack(input: shape, mode: mode)
        try shortcut?(&short)
        append(try Residual(name, input: shape, branch: long.layers, shortcut: short.layers, mode: mode))
    }
}

extension LayerProbe.Kind {
    /// x + SiLU(BN(conv 3×3)), then dropout in place where `keep` is below 1.
    package static func residual(keep: Double = 1) -> Self {
        Self { stack throws(ShapeError) in
            let channels = stack.shape.channels
            try stack.residual(probe) { branch throws(ShapeError) in
                try branch.convolution("probe.conv", channels: channels, kernel: 3)
                try branch.batchNorm("probe.norm", momentum: 0.9, epsilon: 1e-5)
                branch.activation("probe.silu", .silu)
                try branch.dropout("probe.dropout", keep: .init(first: keep))
            }
        }
    }

    /// BN(conv 1×1/2) + BN(conv 3×3/2), as ResNet-18 begins its stages.
    package static func downsampling(channels: Int) -> Self {
        Self { stack throws(ShapeError) in
            try stack.residual(
                probe,
                shortcut: { short throws(ShapeError) in
                    try short.convolution("probe.short.conv", channels: channels, kernel: 1, stride: 2)
                    try short.batchNorm("probe.short.norm", momentum: 0.9, epsilon: 1e-5)
                },
                { branch throws(ShapeError) in
                    try branch.convolution(
                        "probe.conv", channels: channels, kernel: 3, stride: 2, padding: .symmetric)
                    try branch.batchNorm("probe.norm", momentum: 0.9, epsilon: 1e-5)
                })
        }
    }
}
