/// A row-major matrix of doubles without gaps.
///
/// Features and heads are small and their systems are ill-conditioned, so they are doubles; the network's own weights stay floats.
package struct DenseMatrix: Sendable, Equatable {
    package let rows: Int
    package let columns: Int
    /// rows × columns.
    package var values: [Double]

    /// Zeros.
    package init(rows: Int, columns: Int) {
        self.init(rows: rows, columns: columns, values: [Double](repeating: 0, count: rows * columns))
    }

    /// Traps where the number of values does not fit.
    package init(rows: Int, columns: Int, values: [Double]) {
        precondition(values.count == rows * columns, "\(values.count) values for \(rows) × \(columns)")
        (self.rows, self.columns, self.values) = (rows, columns, values)
    }

    package subscript(row: Int, column: Int) -> Double {
        get { values[row * columns + column] }
        set { values[row * columns + column] = newValue }
    }

    /// One row.
    package subscript(row row: Int) -> ArraySlice<Double> { values[row * columns..<(row + 1) * columns] }

    /// The rows at `indices`, in that order.
    package func selecting(_ indices: [Int]) -> DenseMatrix {
        var chosen: [Double] = []
        chosen.reserveCapacity(indices.count * columns)
        for index in indices { chosen += self[row: index] }
        return DenseMatrix(rows: indices.count, columns: columns, values: chosen)
    }
}
