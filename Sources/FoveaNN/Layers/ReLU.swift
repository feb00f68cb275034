import CKernels

/// max(0, x), in place: the output's sign is all that backward needs.
final class ReLU: Layer {
    let name: String
    let input: Shape
    var output: Shape { input }
    var inPlace: Bool { true }

    init(_ name: String, input: Shape) {
        self.name = name
        self.input = input
    }

    func forward(_ x: Floats, _ y: Floats, count: Int, _ pass: Pass) {
        pass.pool.split(count * input.count, grain: 1024) { _, range in ck_relu(y + range.lowerBound, range.count) }
    }

    /// x holds what a later in-place dropout left: where that zeroed it, dy is zero already.
    func backward(_ x: Floats, _ dy: Floats, _ dx: Floats?, count: Int, _ pass: Pass) {
        pass.pool.split(count * input.count, grain: 1024) { _, range in
            ck_relu_back(x + range.lowerBound, dy + range.lowerBound, range.count)
        }
    }
}
