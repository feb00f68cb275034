import CKernels

/// y = factor · x, in place.
final class Scale: Layer {
    let name: String
    let input: Shape
    var output: Shape { input }
    var inPlace: Bool { true }
    let factor: Float
    private let factors: [Float]
    private let zeros: [Float]

    init(_ name: String, input: Shape, factor: Float) {
        (self.name, self.input, self.factor) = (name, input, factor)
        factors = [Float](repeating: factor, count: input.channels)
        zeros = [Float](repeating: 0, count: input.channels)
    }

    private func scale(_ x: Floats, count: Int) {
        ck_affine(x, nil, x, count * input.pixels, Int32(input.channels), factors, zeros, nil, 0)
    }

    func forward(_ x: Floats, _ y: Floats, count: Int, _ pass: Pass) { scale(y, count: count) }
    func backward(_ x: Floats, _ dy: Floats, _ dx: Floats?, count: Int, _ pass: Pass) { scale(dy, count: count) }

    // MARK: - Descriptions

    var operation: String { "Scale" }

    func describe(_ x: ONNXValue, in export: inout ONNXExport) -> ONNXValue {
        let factor = export.graph.constant("\(name).factor", floats: [factor])
        return export.add(name, "Mul", x, [factor])
    }
}

extension LayerStack {
    mutating func scale(_ name: String, factor: Double) {
        append(Scale(name, input: shape, factor: Float(factor)))
    }
}

extension LayerProbe.Kind {
    package static func scale(_ factor: Double) -> Self { Self { $0.scale(probe, factor: factor) } }
}
