/// How a convolution is computed: THE SEAM for faster ones.
///
/// A convolution layer asks `ConvolutionAlgorithms.choose` once, when the network is built. A new algorithm
/// (Winograd, a direct kernel, …) is a new type here and a line in that function; the tests hold every algorithm of
/// `ConvolutionAlgorithms.all` against the naive one.
protocol ConvolutionAlgorithm: AnyObject {
    var shape: ConvolutionShape { get }
    /// Scratch per thread, partial sums per thread and memory of its own (transformed filters), in floats.
    func needs(mode: Mode) -> LayerNeeds

    /// Takes its own memory and the filters' place; `filtersChanged` is called whenever the filters have new values.
    func bind(filters: Floats, own: Floats)
    func filtersChanged(_ pool: ThreadPool, mode: Mode)

    /// y[N,H,W,O] = x[N,H,W,I] ∗ filters[k,k,I,O], SAME, stride 1.
    func forward(_ x: Floats, _ y: Floats, count: Int, _ pass: Pass)
    /// dx = dy ∗ rotated filters.
    func backwardData(_ dy: Floats, _ dx: Floats, count: Int, _ pass: Pass)
    /// d filters, overwritten.
    func backwardFilters(_ x: Floats, _ dy: Floats, _ gradient: Floats, count: Int, _ pass: Pass)
}

/// A SAME convolution with stride 1 and an odd kernel.
struct ConvolutionShape: Equatable {
    var height: Int
    var width: Int
    var inputs: Int
    var outputs: Int
    var kernel: Int

    var pixels: Int { height * width }
    /// Floats of one patch: the inner dimension of the matrix product.
    var patch: Int { kernel * kernel * inputs }
    var filters: Int { patch * outputs }
}

/// The algorithms there are.
enum ConvolutionAlgorithms {
    static let all: [@Sendable (ConvolutionShape, Mode) -> any ConvolutionAlgorithm] = [
        { shape, _ in NaiveConvolution(shape) }, { MatrixConvolution($0, mode: $1) },
    ]

    /// The algorithm for a shape: today patches and OpenBLAS for all of them.
    static func choose(_ shape: ConvolutionShape, mode: Mode) -> any ConvolutionAlgorithm {
        MatrixConvolution(shape, mode: mode)
    }
}
