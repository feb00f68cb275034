import CKernels

typealias Epilogue = UnsafePointer<ck_epilogue>

/// How a convolution is computed: THE SEAM for faster ones.
///
/// A convolution layer asks `ConvolutionMethod.best` once, when the network is built. A new algorithm is a new type and a
/// case there; the tests hold every case against the naive one.
protocol ConvolutionAlgorithm: AnyObject {
    var shape: ConvolutionShape { get }
    /// Scratch per thread, partial sums per thread and memory of its own (transformed filters), in floats.
    func needs(mode: Mode) -> LayerNeeds

    /// Takes its own memory and the filters' place; `filtersChanged` is called whenever the filters have new values, and
    /// before the first pass. In training `backwardFilters` may spoil what it has made of them for `forward`, which then
    /// makes it again.
    func bind(filters: Floats, own: Floats)
    func filtersChanged(_ pool: ThreadPool, mode: Mode)

    /// y[N,H',W',O] = x[N,H,W,I] ∗ filters[k,k,I,O], then what the epilogue says.
    func forward(_ x: Floats, _ y: Floats, count: Int, _ epilogue: Epilogue?, _ pass: Pass)
    /// dx = dy ∗ rotated filters.
    func backwardData(_ dy: Floats, _ dx: Floats, count: Int, _ pass: Pass)
    /// d filters, overwritten.
    func backwardFilters(_ x: Floats, _ dy: Floats, _ gradient: Floats, count: Int, _ pass: Pass)
}

/// A convolution with stride 1 over images with a border of zeros.
package struct ConvolutionShape: Sendable, Equatable {
    /// Of the input.
    package var height: Int
    package var width: Int
    package var inputs: Int
    package var outputs: Int
    package var kernel: Int
    /// Zeros on each side.
    package var pad: Int

    /// An odd kernel keeps the size (SAME); an even one has no middle and takes off kernel − 1 (VALID).
    init(height: Int, width: Int, inputs: Int, outputs: Int, kernel: Int) {
        (self.height, self.width, self.inputs, self.outputs, self.kernel) = (height, width, inputs, outputs, kernel)
        pad = kernel % 2 == 1 ? kernel / 2 : 0
    }

    var outputHeight: Int { height + 2 * pad - kernel + 1 }
    var outputWidth: Int { width + 2 * pad - kernel + 1 }
    /// Of the output.
    var pixels: Int { outputHeight * outputWidth }
    /// Floats of one patch: the inner dimension of the matrix product.
    var patch: Int { kernel * kernel * inputs }
    var filters: Int { patch * outputs }

    /// Backward-data: from dy to dx, with rotated filters.
    var backward: ConvolutionShape {
        var shape = ConvolutionShape(
            height: outputHeight, width: outputWidth, inputs: outputs, outputs: inputs, kernel: kernel)
        shape.pad = kernel - 1 - pad
        return shape
    }
}

/// The algorithms there are.
package enum ConvolutionMethod: Sendable, CaseIterable {
    /// The oracle of the others.
    case naive
    case matrix
    case winograd

    /// The fastest for a shape.
    static func best(for shape: ConvolutionShape) -> ConvolutionMethod {
        WinogradConvolution.suits(shape) ? .winograd : .matrix
    }

    func make(_ shape: ConvolutionShape, mode: Mode) -> any ConvolutionAlgorithm {
        switch self {
        case .naive: NaiveConvolution(shape)
        case .matrix: MatrixConvolution(shape)
        case .winograd: WinogradConvolution(shape, mode: mode)
        }
    }
}
