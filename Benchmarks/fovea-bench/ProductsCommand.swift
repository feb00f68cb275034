import ArgumentParser
import CKernels
import FoveaSystem
import Glibc

/// The engine's matrix products beside OpenBLAS's, on one thread, in turns: on the sizes of Winograd's products.
struct ProductsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "products",
        abstract: "Compares the engine's matrix products with OpenBLAS's, where that is installed.")

    private typealias SGEMM =
        @convention(c) (
            Int32, Int32, Int32, Int32, Int32, Int32, Float, UnsafePointer<Float>, Int32, UnsafePointer<Float>, Int32,
            Float, UnsafeMutablePointer<Float>, Int32
        ) -> Void

    /// Rows are tiles of a block, inner and columns the channels.
    private static let sizes = [
        (4, 512, 512), (16, 512, 512), (24, 64, 128), (24, 256, 256), (96, 64, 64), (96, 64, 256), (96, 128, 128),
        (96, 512, 512), (96, 768, 512),
    ]

    func run() throws {
        setenv("OPENBLAS_NUM_THREADS", "1", 1)
        let library = dlopen("libopenblas.so.0", RTLD_NOW)
        let sgemm = library.flatMap { dlsym($0, "cblas_sgemm") }.map { unsafeBitCast($0, to: SGEMM.self) }
        if sgemm == nil { printError("! OpenBLAS is not installed (libopenblas0-pthread): only Fovea's are measured") }
        print("\(Machine.look().processor), kernels: \(String(cString: ck_isa())), one thread, GFLOP/s")
        print(
            pad("rows × inner × columns", 26) + pad("Fovea", 10, right: true) + pad("OpenBLAS", 10, right: true)
                + pad("ratio", 8, right: true))
        for (m, k, n) in Self.sizes {
            let panel = Int(ck_columns())
            let a = (0..<m * k).map { Float($0 % 7) - 3 }
            let b = (0..<k * n).map { Float($0 % 5) - 2 }
            var packed = [Float](repeating: 0, count: (n + panel - 1) / panel * panel * k)
            ck_pack(b, n, Int32(k), Int32(n), Int32(panel), &packed)
            var c = [Float](repeating: 0, count: m * n)
            let work = 2 * Double(m * k * n) / 1e9
            func rate(_ body: () -> Void) -> Double {
                let start = seconds()
                var done = 0
                repeat {
                    for _ in 0..<8 { body() }
                    done += 8
                } while seconds() - start < 0.05
                return Double(done) * work / (seconds() - start)
            }
            var (own, other) = ([Double](), [Double]())
            for _ in 0..<9 {
                own.append(rate { ck_product(Int32(m), Int32(n), Int32(k), a, k, packed, &c, n, 0) })
                guard let sgemm else { continue }
                // Row-major, nothing transposed.
                other.append(
                    rate {
                        sgemm(
                            101, 111, 111, Int32(m), Int32(n), Int32(k), 1, a, Int32(k), b, Int32(n), 0, &c, Int32(n))
                    })
            }
            let median = { (values: [Double]) in percentile(values.sorted(), 0.5) }
            let cells = [number(median(own))] + (other.isEmpty ? [] : [number(median(other))])
            let ratio = other.isEmpty ? "" : number(median(zip(own, other).map(/)))
            print(
                pad("\(m) × \(k) × \(n)", 26) + cells.map { pad($0, 10, right: true) }.joined()
                    + pad(ratio, 8, right: true))
        }
    }
}
