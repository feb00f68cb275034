import FoveaHeads
import Testing

/// Numbers from −1 to 1 that look like chance and are the same everywhere.
func noise(_ rows: Int, _ columns: Int, seed: UInt64 = 1) -> DenseMatrix {
    var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    return DenseMatrix(
        rows: rows, columns: columns,
        values: (0..<rows * columns).map { _ in
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return Double(state >> 11) / Double(1 << 52) - 1
        })
}

/// Plain loops always, and OpenBLAS where the machine has it.
let algebras = [LinearAlgebra(plain: ()), LinearAlgebra(threads: 2)]

@Suite struct LinearAlgebraTests {
    @Test(arguments: [(false, false), (true, false), (false, true), (true, true)], [0, 1])
    func productIsItsDefinition(_ transposed: (Bool, Bool), _ which: Int) {
        let algebra = algebras[which]
        let (m, n, k) = (7, 5, 11)
        let a = transposed.0 ? noise(k, m) : noise(m, k)
        let b = transposed.1 ? noise(n, k, seed: 2) : noise(k, n, seed: 2)
        let c = algebra.product(a, b, transposingFirst: transposed.0, transposingSecond: transposed.1)
        for i in 0..<m {
            for j in 0..<n {
                var sum = 0.0
                for p in 0..<k { sum += (transposed.0 ? a[p, i] : a[i, p]) * (transposed.1 ? b[j, p] : b[p, j]) }
                #expect(abs(c[i, j] - sum) < 1e-12)
            }
        }
    }

    @Test(arguments: [0, 1], [1, 4, 60]) func aSolutionSolves(_ which: Int, _ n: Int) throws {
        let algebra = algebras[which]
        let x = noise(n, n + 3)
        var a = algebra.product(x, x, transposingSecond: true)
        for i in 0..<n { a[i, i] += 0.1 }
        let b = noise(n, 4, seed: 3)
        let factor = try algebra.factorize(a)
        #expect(LinearAlgebra.residual(a, algebra.solve(factor, b), b) < 1e-12)
        let l = factor.triangle
        let again = algebra.product(l, l, transposingSecond: true)
        #expect(zip(again.values, a.values).allSatisfy { abs($0 - $1) < 1e-10 })
    }

    @Test(arguments: [0, 1]) func aMatrixThatIsNotPositiveIsRefused(_ which: Int) {
        let a = DenseMatrix(rows: 2, columns: 2, values: [1, 2, 2, 1])
        #expect(throws: LinearAlgebra.NotPositive(order: 2)) { try algebras[which].factorize(a) }
    }

    /// What a wrong library does: the residual sees it.
    @Test func aWrongSolutionHasALargeResidual() {
        let a = DenseMatrix(rows: 2, columns: 2, values: [2, 0, 0, 2])
        let b = DenseMatrix(rows: 2, columns: 1, values: [2, 4])
        #expect(LinearAlgebra.residual(a, DenseMatrix(rows: 2, columns: 1, values: [1, 2]), b) == 0)
        #expect(
            LinearAlgebra.residual(a, DenseMatrix(rows: 2, columns: 1, values: [1, 2.001]), b) > LinearAlgebra.tolerance
        )
    }

    @Test func theBackendSaysWhyItIsPlain() {
        #expect(LinearAlgebra(plain: ()).backend == .plain(because: .chosen))
        let wrong = LinearAlgebra.Reason.wrong(error: 0.5, core: "Cooperlake")
        #expect("\(wrong)".contains("Cooperlake"))
    }
}
