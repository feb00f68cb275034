import COpenBLAS

typealias Floats = UnsafeMutablePointer<Float>

/// Row-major matrix products, on the calling thread.
///
/// `c[m×n] = a[m×k] · b[k×n] + beta · c`; with a transposed flag the operand is stored the other way round.
@inline(__always)
func multiply(
    _ m: Int, _ n: Int, _ k: Int, _ a: UnsafePointer<Float>, aTransposed ta: Bool = false,
    _ b: UnsafePointer<Float>, bTransposed tb: Bool = false, beta: Float = 0, _ c: Floats
) {
    cblas_sgemm(
        CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, blasint(m), blasint(n),
        blasint(k), 1, a, blasint(ta ? m : k), b, blasint(tb ? k : n), beta, c, blasint(n))
}

/// Zeroed, 64-byte aligned memory for one kind of floats (parameters, gradients, activations), handed out in pieces.
///
/// Laid out first (`reserve`), allocated once (`allocate`), then addressed by offset.
final class Arena {
    private(set) var count = 0
    private(set) var base: Floats?

    /// The offset of `floats` new elements, on a 64-byte boundary.
    func reserve(_ floats: Int) -> Int {
        let offset = count
        count += (floats + 15) / 16 * 16
        return offset
    }

    func allocate() {
        precondition(base == nil)
        let raw = UnsafeMutableRawPointer.allocate(byteCount: max(64, count * 4), alignment: 64)
        raw.initializeMemory(as: UInt8.self, repeating: 0, count: max(64, count * 4))
        base = raw.bindMemory(to: Float.self, capacity: count)
    }

    subscript(offset: Int) -> Floats { base! + offset }

    deinit { base?.deallocate() }
}

/// `c[columns×outputs] = a[rows×columns]ᵀ · b[rows×outputs]`, a being some columns of a matrix with longer rows.
func multiplyTransposedColumns(
    of a: UnsafePointer<Float>, rowLength: Int, columns: Int, outputs: Int, rows: Int, _ b: UnsafePointer<Float>,
    _ c: Floats
) {
    cblas_sgemm(
        CblasRowMajor, CblasTrans, CblasNoTrans, blasint(columns), blasint(outputs), blasint(rows), 1, a,
        blasint(rowLength), b, blasint(outputs), 0, c, blasint(outputs))
}
