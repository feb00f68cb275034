import CKernels

// What the plugins `sharpen` and `normalize` do, as ONNX nodes. The plugins round to whole numbers between their stages,
// so a last bit more or less would become a whole level: these nodes give the same bytes, whatever the order in which a
// runtime adds.

extension ONNXGraph {
    /// The input, uint8 N×H×W×3, as floats of whole numbers, N×3×H×W.
    package mutating func pixels() -> String {
        let planes = add("pixels.planes", "Transpose", [Self.input], ["perm": .integers([0, 3, 1, 2])])
        return add("pixels", "Cast", [planes], ["to": .integer(1)])
    }

    /// The unsharp mask x + amount (x − binomial5×5(x)). The blur is exact: sums of 256ths below 2^16.
    ///
    /// - Parameters:
    ///   - x: whole numbers from 0 to 255, N×3×H×W.
    ///   - name: begins the names of all nodes.
    package mutating func unsharp(_ x: String, amount: Float, size: Shape, name: String) -> String {
        let row: [Float] = [1, 4, 6, 4, 1]
        let kernel = row.flatMap { a in row.map { a * $0 / 256 } }
        let blur = correlated(reflected(x, by: 2, size, name), kernel, 5, name: "\(name).blur")
        var detail = add("\(name).detail", "Sub", [x, blur])
        if amount != 1 {
            detail = add("\(name).amount", "Mul", [detail, constant("\(name).factor", floats: [amount])])
        }
        return saturated(add("\(name).sum", "Add", [x, detail]), name)
    }

    /// Correlation with `kernel`, side × side weights.
    package mutating func filtered(_ x: String, kernel: [Float], side: Int, size: Shape, name: String) -> String {
        let bordered = reflected(x, by: side / 2, size, name)
        let sum =
            Self.isExact(kernel)
            ? correlated(bordered, kernel, side, name: "\(name).sum")
            : added(bordered, kernel, side, size, name)
        return saturated(sum, name)
    }

    /// (x / 255 − mean) / std by channel, in units of 255ths, where −1 to 1 needs no rounding.
    package mutating func normalized(_ x: String, mean: [Double], std: [Double], name: String) -> String {
        let mean = constant("\(name).mean", floats: mean.map { Float(255 * $0) }, shape: [3, 1, 1])
        let std = constant("\(name).std", floats: std.map { Float(255 * $0) }, shape: [3, 1, 1])
        return add(name, "Div", [add("\(name).centred", "Sub", [x, mean]), std])
    }

    /// With a border of `margin` pixels, mirrored without repeating the edge. Gathered, since Pad refuses a border as wide
    /// as the image.
    private mutating func reflected(_ x: String, by margin: Int, _ size: Shape, _ name: String) -> String {
        func places(_ side: Int) -> [Int] {
            (-margin..<side + margin).map { Int(ck_reflect101(Int32($0), Int32(side))) }
        }
        let rows = constant("\(name).rows", integers: places(size.height))
        let columns = constant("\(name).columns", integers: places(size.width))
        let tall = add("\(name).tall", "Gather", [x, rows], ["axis": .integer(2)])
        return add("\(name).bordered", "Gather", [tall, columns], ["axis": .integer(3)])
    }

    /// To nearest, half to even, as Round does it.
    private mutating func saturated(_ x: String, _ name: String) -> String {
        let (low, high) = (constant("\(name).low", floats: [0]), constant("\(name).high", floats: [255]))
        return add(name, "Round", [add("\(name).clipped", "Clip", [x, low, high])])
    }

    /// Each of the three channels by the same weights.
    private mutating func correlated(_ x: String, _ kernel: [Float], _ side: Int, name: String) -> String {
        let weights = constant("\(name).weight", floats: kernel + kernel + kernel, shape: [3, 1, side, side])
        return add(
            name, "Conv", [x, weights], ["group": .integer(3), "kernel_shape": .integers([side, side])])
    }

    /// The same sum weight by weight, in the plugin's order and with its roundings.
    private mutating func added(
        _ x: String, _ kernel: [Float], _ side: Int, _ size: Shape, _ name: String
    ) -> String {
        let axes = constant("\(name).axes", integers: [2, 3])
        var sum: String?
        for (place, weight) in kernel.enumerated() where weight != 0 {
            let (row, column) = (place / side, place % side)
            let part = "\(name).\(row).\(column)"
            let begin = constant("\(part).begin", integers: [row, column])
            let end = constant("\(part).end", integers: [row + size.height, column + size.width])
            let moved = add("\(part).moved", "Slice", [x, begin, end, axes])
            let product = add("\(part).product", "Mul", [moved, constant("\(part).weight", floats: [weight])])
            sum = sum.map { add("\(part).sum", "Add", [$0, product]) } ?? product
        }
        return sum ?? x
    }

    /// Whether sums of bytes by these weights have no rounding in them, and so the same bits in any order: all weights are
    /// multiples of a power of two that even the largest sum has room for.
    package static func isExact(_ kernel: [Float]) -> Bool {
        let lowest = kernel.filter { $0 != 0 }.map { Int($0.exponent) - $0.significandWidth }.min()
        guard let lowest else { return true }
        let unit = Double(sign: .plus, exponent: lowest, significand: 1)
        return kernel.reduce(0) { $0 + abs(Double($1)) } * 255 <= unit * 0x1p24
    }
}
