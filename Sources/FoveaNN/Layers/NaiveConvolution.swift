import CKernels

/// The convolution as its definition reads: the oracle of every fast one. Sums in double, one thread.
final class NaiveConvolution: ConvolutionAlgorithm {
    let shape: ConvolutionShape
    private var filters: Floats?

    init(_ shape: ConvolutionShape) { self.shape = shape }

    func needs(mode: Mode) -> LayerNeeds { LayerNeeds() }
    func bind(filters: Floats, own: Floats) { self.filters = filters }
    func filtersChanged(_ pool: ThreadPool, mode: Mode) {}

    /// Every triple (input element, filter element, output element) that meets in a multiplication.
    private func eachProduct(count: Int, _ body: (_ x: Int, _ w: Int, _ y: Int) -> Void) {
        let s = shape
        for n in 0..<count {
            for y in 0..<s.outputHeight {
                for x in 0..<s.outputWidth {
                    let (top, left) = (y * s.stride - s.top, x * s.stride - s.left)
                    for ky in 0..<s.kernel where (0..<s.height).contains(top + ky) {
                        for kx in 0..<s.kernel where (0..<s.width).contains(left + kx) {
                            let from = ((n * s.height + top + ky) * s.width + left + kx) * s.inputs
                            let to = (n * s.pixels + y * s.outputWidth + x) * s.outputs
                            let at = (ky * s.kernel + kx) * s.inputs
                            for i in 0..<s.inputs {
                                for o in 0..<s.outputs { body(from + i, (at + i) * s.outputs + o, to + o) }
                            }
                        }
                    }
                }
            }
        }
    }

    func forward(_ x: Floats, _ y: Floats, count: Int, _ epilogue: Epilogue?, _ pass: Pass) {
        var sums = [Double](repeating: 0, count: count * shape.pixels * shape.outputs)
        eachProduct(count: count) { sums[$2] += Double(x[$0]) * Double(filters![$1]) }
        for i in sums.indices { y[i] = Float(sums[i]) }
        if let epilogue {
            ck_finish_rows(y, count * shape.pixels, Int32(shape.outputs), shape.outputs, epilogue)
        }
    }

    func backwardData(_ dy: Floats, _ dx: Floats, count: Int, _ pass: Pass) {
        var sums = [Double](repeating: 0, count: count * shape.height * shape.width * shape.inputs)
        eachProduct(count: count) { sums[$0] += Double(dy[$2]) * Double(filters![$1]) }
        for i in sums.indices { dx[i] = Float(sums[i]) }
    }

    func backwardFilters(_ x: Floats, _ dy: Floats, _ gradient: Floats, count: Int, _ pass: Pass) {
        var sums = [Double](repeating: 0, count: shape.filters)
        eachProduct(count: count) { sums[$1] += Double(x[$0]) * Double(dy[$2]) }
        for i in sums.indices { gradient[i] = Float(sums[i]) }
    }
}
