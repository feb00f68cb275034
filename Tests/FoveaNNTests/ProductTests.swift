import CKernels
import Glibc
import Testing

/// The matrix products against sums in double precision.
@Suite struct ProductTests {
    private static let sizes = [
        (1, 1, 1), (6, 16, 4), (7, 17, 5), (5, 100, 400), (13, 33, 800), (50, 8, 385), (97, 50, 49),
    ]

    /// Rows of a (m × k) times columns of b (k × n).
    private func expected(_ m: Int, _ n: Int, _ k: Int, _ a: [Float], _ b: [Float]) -> [Float] {
        var c = [Float](repeating: 0, count: m * n)
        for i in 0..<m {
            for j in 0..<n {
                c[i * n + j] = Float((0..<k).reduce(0.0) { $0 + Double(a[i * k + $1]) * Double(b[$1 * n + j]) })
            }
        }
        return c
    }

    /// `rows` × `columns`, from a matrix with as many columns as the result has rows.
    private func transposed(_ a: [Float], _ rows: Int, _ columns: Int) -> [Float] {
        (0..<rows * columns).map { a[$0 % columns * rows + $0 / columns] }
    }

    private func packed(_ a: [Float], _ rows: Int, _ columns: Int, _ panel: Int) -> [Float] {
        var result = [Float](repeating: .nan, count: (columns + panel - 1) / panel * panel * rows)
        ck_pack(a, columns, Int32(rows), Int32(columns), Int32(panel), &result)
        return result
    }

    @Test(arguments: sizes) func productsAreTheSums(_ m: Int, _ n: Int, _ k: Int) {
        let (a, b) = (random(m * k, seed: 1), random(k * n, seed: 2))
        let wanted = expected(m, n, k, a, b)
        let right = packed(b, k, n, Int(ck_columns()))
        let (rows, columns, steps) = (Int32(m), Int32(n), Int32(k))
        func check(_ c: [Float], _ times: Float = 1) { #expect(distance(c, wanted.map { $0 * times }) < 1e-5) }

        var c = [Float](repeating: .nan, count: m * n)
        ck_product(rows, columns, steps, a, k, right, &c, n, 0)
        check(c)
        // An image's row has the same bits, alone and at another place.
        for row in 0..<m {
            var alone = [Float](repeating: .nan, count: n)
            ck_product(1, columns, steps, Array(a[row * k..<(row + 1) * k]), k, right, &alone, n, 0)
            #expect(alone == Array(c[row * n..<(row + 1) * n]))
            ck_product_once(1, columns, steps, Array(a[row * k..<(row + 1) * k]), k, b, n, 0, &alone, n)
            #expect(alone == Array(c[row * n..<(row + 1) * n]))
        }
        ck_product(rows, columns, steps, a, k, right, &c, n, 1)
        check(c, 2)
        ck_product_once(rows, columns, steps, a, k, b, n, 0, &c, n)
        check(c)
        ck_product_once(rows, columns, steps, a, k, transposed(b, n, k), k, 1, &c, n)
        check(c)
        let left = packed(transposed(a, k, m), k, m, Int(CK_PANEL))
        ck_product_columns(rows, columns, steps, left, right, &c, n, 0)
        check(c)
        ck_product_columns(rows, columns, steps, left, right, &c, n, 1)
        check(c, 2)
    }

    /// Or the runs of `make test` under other instruction sets would say nothing.
    @Test func theInstructionSetIsTheOneThatWasAskedFor() {
        guard let asked = getenv("FOVEA_ISA").map({ String(cString: $0) }), !asked.isEmpty else { return }
        #expect(String(cString: ck_isa()) == asked)
    }
}
