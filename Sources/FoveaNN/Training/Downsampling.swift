/// Makes images smaller: bilinear with the triangle widened by the scale (antialiased), as Pillow's and PyTorch's
/// `antialias=True`; one side after the other.
package struct Downsampling {
    private let from: Shape
    private let to: Shape
    private let rows: [Weights]
    private let columns: [Weights]

    /// What one place of the target takes, from `first` on.
    private struct Weights {
        var first = 0
        var values: [Float] = []
    }

    package init(from: Shape, to: Shape) {
        precondition(from.channels == to.channels && to.height <= from.height && to.width <= from.width)
        (self.from, self.to) = (from, to)
        func weights(_ source: Int, _ target: Int) -> [Weights] {
            let scale = Float(source) / Float(target)
            return (0..<target).map { place in
                let centre = (Float(place) + 0.5) * scale
                let first = max(0, Int(centre - scale + 0.5))
                let last = min(source, Int(centre + scale + 0.5))
                let values = (first..<last).map { max(0, 1 - abs((Float($0) + 0.5 - centre) / scale)) }
                let sum = values.reduce(0, +)
                return Weights(first: first, values: values.map { $0 / sum })
            }
        }
        rows = weights(from.height, to.height)
        columns = weights(from.width, to.width)
    }

    /// - Parameters:
    ///   - images: count of `from`.
    ///   - target: count of `to`, overwritten.
    package func apply(_ images: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>, count: Int) {
        let line = from.width * from.channels
        withUnsafeTemporaryAllocation(of: Float.self, capacity: line) { buffer in
            let sum = buffer.baseAddress!
            for n in 0..<count {
                for (y, row) in rows.enumerated() {
                    sum.initialize(repeating: 0, count: line)
                    for (k, weight) in row.values.enumerated() {
                        let source = images + n * from.count + (row.first + k) * line
                        for i in 0..<line { sum[i] += weight * source[i] }
                    }
                    let place = target + n * to.count + y * to.width * to.channels
                    for (x, column) in columns.enumerated() {
                        for c in 0..<to.channels {
                            var value: Float = 0
                            for (k, weight) in column.values.enumerated() {
                                value += weight * sum[(column.first + k) * to.channels + c]
                            }
                            place[x * to.channels + c] = value
                        }
                    }
                }
            }
        }
    }
}
