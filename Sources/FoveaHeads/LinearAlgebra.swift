import COpenBLAS
import Glibc
import Synchronization

/// Products and Cholesky factorisations of dense matrices: by OpenBLAS, checked, or by plain loops.
///
/// Old versions of OpenBLAS compute wrong results on some processors. Every solution is therefore put back into its equation. A
/// wrong one is computed again by plain loops, which are slower and always right, and the caller is told once.
package final class LinearAlgebra: Sendable {
    /// Who computes.
    package enum Backend: Sendable, Equatable {
        /// OpenBLAS, with the name of its processor kernels.
        case openBLAS(core: String)
        case plain(because: Reason)
    }

    /// Why OpenBLAS does not compute.
    package enum Reason: Sendable, Equatable, CustomStringConvertible {
        /// The caller asked for plain loops.
        case chosen
        /// The library cannot be loaded.
        case missing
        /// A result was wrong: the relative error, and the processor kernels that made the error.
        case wrong(error: Double, core: String)

        package var description: String {
            switch self {
            case .chosen: "plain loops are chosen"
            case .missing:
                "OpenBLAS is not installed (Debian: libopenblas0), so plain loops compute: slower, the same result"
            case .wrong(let error, let core):
                "OpenBLAS computes wrongly on this processor (kernels \(core), relative error \(error)), so plain loops compute: "
                    + "slower and right. A newer OpenBLAS or another OPENBLAS_CORETYPE may help"
            }
        }
    }

    /// The matrix has no Cholesky factor: a leading minor is not positive.
    package struct NotPositive: Error, Sendable, Equatable {
        /// Of the minor, from 1.
        package let order: Int
    }

    /// The largest relative residual of a solution that counts as right: 1e-8 of the right side's norm.
    static let tolerance = 1e-8

    private let state: Mutex<Backend>

    package var backend: Backend { state.withLock { $0 } }

    /// Loads OpenBLAS where it is there, and gives it a first product to prove itself.
    ///
    /// - Parameter threads: of OpenBLAS.
    package init(threads: Int) {
        guard let core = copenblas_load(Int32(threads)) else {
            state = Mutex(.plain(because: .missing))
            return
        }
        state = Mutex(.openBLAS(core: String(cString: core)))
        prove()
    }

    /// - Parameter plain: always computes by loops.
    package init(plain: Void) { state = Mutex(.plain(because: .chosen)) }

    /// A product of whole numbers, which every order of summation gives exactly.
    private func prove() {
        let (m, n, k) = (67, 45, 83)
        func small(_ rows: Int, _ columns: Int, _ factor: Int) -> DenseMatrix {
            DenseMatrix(
                rows: rows, columns: columns, values: (0..<rows * columns).map { Double($0 * factor % 17 - 8) })
        }
        let (a, b) = (small(m, k, 7), small(k, n, 5))
        let right = Self.plainProduct(a, b, transposingFirst: false, transposingSecond: false)
        let difference = zip(product(a, b).values, right.values).reduce(0) { max($0, abs($1.0 - $1.1)) }
        if difference > 0 || difference.isNaN { distrust(difference) }
    }

    private func distrust(_ error: Double) {
        state.withLock { state in
            if case .openBLAS(let core) = state { state = .plain(because: .wrong(error: error, core: core)) }
        }
    }

    private var usesOpenBLAS: Bool { if case .openBLAS = backend { true } else { false } }

    // MARK: - Products

    /// op(a) · op(b), where op transposes if asked to.
    package func product(
        _ a: DenseMatrix, _ b: DenseMatrix, transposingFirst: Bool = false, transposingSecond: Bool = false
    ) -> DenseMatrix {
        let (m, k) = transposingFirst ? (a.columns, a.rows) : (a.rows, a.columns)
        let (inner, n) = transposingSecond ? (b.columns, b.rows) : (b.rows, b.columns)
        precondition(k == inner, "\(m) × \(k) times \(inner) × \(n)")
        guard usesOpenBLAS, m > 0, n > 0, k > 0 else {
            return Self.plainProduct(a, b, transposingFirst: transposingFirst, transposingSecond: transposingSecond)
        }
        var c = DenseMatrix(rows: m, columns: n)
        c.values.withUnsafeMutableBufferPointer { c in
            copenblas_product(
                Int32(m), Int32(n), Int32(k), a.values, transposingFirst ? 1 : 0, b.values, transposingSecond ? 1 : 0,
                c.baseAddress!)
        }
        return c
    }

    static func plainProduct(
        _ a: DenseMatrix, _ b: DenseMatrix, transposingFirst: Bool, transposingSecond: Bool
    ) -> DenseMatrix {
        let (m, k) = transposingFirst ? (a.columns, a.rows) : (a.rows, a.columns)
        let n = transposingSecond ? b.rows : b.columns
        // Rows of the right operand lie together, so that the inner loop reads and writes along memory.
        let right = transposingSecond ? transposed(b) : b
        var c = DenseMatrix(rows: m, columns: n)
        c.values.withUnsafeMutableBufferPointer { c in
            a.values.withUnsafeBufferPointer { a in
                right.values.withUnsafeBufferPointer { b in
                    for i in 0..<m {
                        for p in 0..<k {
                            let factor = transposingFirst ? a[p * m + i] : a[i * k + p]
                            if factor == 0 { continue }
                            for j in 0..<n { c[i * n + j] = c[i * n + j].addingProduct(factor, b[p * n + j]) }
                        }
                    }
                }
            }
        }
        return c
    }

    private static func transposed(_ a: DenseMatrix) -> DenseMatrix {
        var result = DenseMatrix(rows: a.columns, columns: a.rows)
        for i in 0..<a.rows {
            for j in 0..<a.columns { result[j, i] = a[i, j] }
        }
        return result
    }

    // MARK: - Systems

    /// A factorised symmetric positive matrix.
    package struct Factor: Sendable {
        /// The lower triangle; nothing above the diagonal counts.
        fileprivate let lower: DenseMatrix
        /// The matrix itself, for the residual.
        fileprivate let matrix: DenseMatrix

        /// The lower triangle, with zeros above the diagonal.
        package var triangle: DenseMatrix {
            var result = lower
            for i in 0..<lower.rows {
                for j in (i + 1)..<max(i + 1, lower.columns) { result[i, j] = 0 }
            }
            return result
        }
    }

    /// a = l · lᵀ.
    ///
    /// - Parameter a: symmetric, n × n.
    package func factorize(_ a: DenseMatrix) throws(NotPositive) -> Factor {
        precondition(a.rows == a.columns)
        guard usesOpenBLAS, a.rows > 0 else { return Factor(lower: try Self.plainFactor(a), matrix: a) }
        var lower = a
        let failed = lower.values.withUnsafeMutableBufferPointer {
            copenblas_factorize($0.baseAddress!, Int32(a.rows))
        }
        // A wrong factorisation may also call a good matrix bad.
        if failed != 0 { return Factor(lower: try Self.plainFactor(a), matrix: a) }
        return Factor(lower: lower, matrix: a)
    }

    /// x with a · x = b.
    ///
    /// - Parameter b: n × anything.
    package func solve(_ factor: Factor, _ b: DenseMatrix) -> DenseMatrix {
        precondition(factor.matrix.rows == b.rows)
        guard usesOpenBLAS, b.rows > 0, b.columns > 0 else { return Self.plainSolve(factor.lower, b) }
        var x = b
        x.values.withUnsafeMutableBufferPointer {
            copenblas_solve(factor.lower.values, Int32(b.rows), $0.baseAddress!, Int32(b.columns))
        }
        let error = Self.residual(factor.matrix, x, b)
        if error <= Self.tolerance { return x }
        // An ill-conditioned matrix can leave a residual that no method avoids: the plain solution tells.
        guard let lower = try? Self.plainFactor(factor.matrix) else { return x }
        let plain = Self.plainSolve(lower, b)
        if Self.residual(factor.matrix, plain, b) < error / 10 || error.isNaN { distrust(error) }
        return plain
    }

    /// ‖a·x − b‖ ÷ (‖a‖·‖x‖ + ‖b‖), in Frobenius norms and by plain loops.
    static func residual(_ a: DenseMatrix, _ x: DenseMatrix, _ b: DenseMatrix) -> Double {
        func norm(_ values: [Double]) -> Double { values.reduce(0) { $0 + $1 * $1 }.squareRoot() }
        let product = plainProduct(a, x, transposingFirst: false, transposingSecond: false)
        let difference = zip(product.values, b.values).map { $0 - $1 }
        return norm(difference) / max(.leastNormalMagnitude, norm(a.values) * norm(x.values) + norm(b.values))
    }

    /// Cholesky's method by rows (Golub & Van Loan, Matrix Computations, 4.2).
    static func plainFactor(_ a: DenseMatrix) throws(NotPositive) -> DenseMatrix {
        var l = a
        let n = a.rows
        let failed = l.values.withUnsafeMutableBufferPointer { l -> Int? in
            for i in 0..<n {
                for j in 0...i {
                    var sum = l[i * n + j]
                    for k in 0..<j { sum -= l[i * n + k] * l[j * n + k] }
                    if i == j {
                        guard sum > 0 else { return i + 1 }
                        l[i * n + i] = sum.squareRoot()
                    } else {
                        l[i * n + j] = sum / l[j * n + j]
                    }
                }
            }
            return nil
        }
        if let failed { throw NotPositive(order: failed) }
        return l
    }

    /// Forward and back substitution.
    static func plainSolve(_ l: DenseMatrix, _ b: DenseMatrix) -> DenseMatrix {
        var x = b
        let (n, columns) = (b.rows, b.columns)
        x.values.withUnsafeMutableBufferPointer { x in
            l.values.withUnsafeBufferPointer { l in
                for i in 0..<n {
                    for k in 0..<i {
                        let factor = l[i * n + k]
                        for c in 0..<columns { x[i * columns + c] -= factor * x[k * columns + c] }
                    }
                    for c in 0..<columns { x[i * columns + c] /= l[i * n + i] }
                }
                for i in stride(from: n - 1, through: 0, by: -1) {
                    for c in 0..<columns { x[i * columns + c] /= l[i * n + i] }
                    for k in 0..<i {
                        let factor = l[i * n + k]
                        for c in 0..<columns { x[k * columns + c] -= factor * x[i * columns + c] }
                    }
                }
            }
        }
        return x
    }
}
