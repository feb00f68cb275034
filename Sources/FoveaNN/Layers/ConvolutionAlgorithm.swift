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

/// A convolution over images with a border of zeros.
package struct ConvolutionShape: Sendable, Equatable {
    /// Of the input.
    package var height: Int
    package var width: Int
    package var inputs: Int
    package var outputs: Int
    package var kernel: Int
    /// Pixels from one patch to the next, 1 or 2.
    package var stride: Int
    /// Zeros before the first row and the first column.
    package var top: Int
    package var left: Int
    package var outputHeight: Int
    package var outputWidth: Int

    init(
        height: Int, width: Int, inputs: Int, outputs: Int, kernel: Int, stride: Int = 1, padding: Padding = .same
    ) {
        (self.height, self.width, self.inputs, self.outputs) = (height, width, inputs, outputs)
        (self.kernel, self.stride) = (kernel, stride)
        (top, outputHeight) = padding.windows(side: height, kernel: kernel, stride: stride)
        (left, outputWidth) = padding.windows(side: width, kernel: kernel, stride: stride)
    }

    /// Of the output.
    var pixels: Int { outputHeight * outputWidth }
    /// Floats of one patch: the inner dimension of the matrix product.
    var patch: Int { kernel * kernel * inputs }
    var filters: Int { patch * outputs }

    /// Backward-data with stride 1: from dy to dx, with rotated filters.
    var backward: ConvolutionShape {
        var shape = self
        (shape.height, shape.width, shape.inputs, shape.outputs) = (outputHeight, outputWidth, outputs, inputs)
        (shape.outputHeight, shape.outputWidth) = (height, width)
        (shape.top, shape.left) = (kernel - 1 - top, kernel - 1 - left)
        return shape
    }

    /// As the kernels take it.
    var patches: ck_patches {
        ck_patches(
            height: Int32(height), width: Int32(width), channels: Int32(inputs), k: Int32(kernel), columns: 0,
            stride: Int32(stride), top: Int32(top), left: Int32(left), down: Int32(outputHeight),
            across: Int32(outputWidth))
    }

    /// Rows and columns of the part of the map that the patches see, with its zeros.
    var bordered: (height: Int, width: Int) {
        ((outputHeight - 1) * stride + kernel, (outputWidth - 1) * stride + kernel)
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
