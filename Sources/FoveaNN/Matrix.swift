import CKernels
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

/// A product whose rows are images that must not notice each other: a row's result has the same bits at any row.
///
/// An ordinary product does not promise that: the Haswell kernel of OpenBLAS, for one, sums in another order in every
/// second group of six rows. Here the rows run along the vector lanes (the product is computed transposed), where they
/// all go the same way as long as their number is a multiple of the kernel's width. That is OpenBLAS's own business
/// and may change, so `init` tries it out, and says by `isEven` whether this processor's kernel may be used so.
struct EvenProduct {
    let rows: Int
    let outputs: Int
    let inner: Int
    /// Equal rows gave equal bits.
    let isEven: Bool

    /// Floats that `multiply` needs.
    static func scratch(rows: Int, outputs: Int) -> Int { rows * outputs }

    init(rows: Int, outputs: Int, inner: Int) {
        (self.rows, self.outputs, self.inner) = (rows, outputs, inner)
        let arena = Arena()
        let (x, w, y, t) = (
            arena.reserve(rows * inner), arena.reserve(inner * outputs), arena.reserve(rows * outputs),
            arena.reserve(rows * outputs)
        )
        arena.allocate()
        var state: UInt32 = 1
        func fill(_ place: Floats, _ count: Int) {
            for i in 0..<count {
                state = state &* 1_664_525 &+ 1_013_904_223
                place[i] = Float(Int32(bitPattern: state)) * 0x1p-31
            }
        }
        fill(arena[x], inner)
        fill(arena[w], inner * outputs)
        for row in 1..<max(1, rows) { arena[x + row * inner].update(from: arena[x], count: inner) }
        Self.multiply(rows, outputs, inner, arena[x], arena[w], arena[y], arena[t])
        let first = arena[y]
        isEven = (1..<max(1, rows)).allSatisfy { row in
            (0..<outputs).allSatisfy { first[row * outputs + $0].bitPattern == first[$0].bitPattern }
        }
    }

    /// `y[rows×outputs] = x[rows×inner] · w[inner×outputs]`
    func multiply(_ x: Floats, _ w: Floats, _ y: Floats, scratch: Floats) {
        Self.multiply(rows, outputs, inner, x, w, y, scratch)
    }

    private static func multiply(
        _ rows: Int, _ outputs: Int, _ inner: Int, _ x: Floats, _ w: Floats, _ y: Floats, _ scratch: Floats
    ) {
        FoveaNN.multiply(outputs, rows, inner, w, aTransposed: true, x, bTransposed: true, scratch)
        ck_transpose(scratch, Int32(outputs), Int32(rows), y)
    }
}
