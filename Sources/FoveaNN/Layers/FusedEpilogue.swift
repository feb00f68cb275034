import CKernels

/// What follows a convolution and is done, in inference, while its results are at hand: a batch norm, then an activation.
struct FusedEpilogue {
    private(set) var norm: BatchNorm?
    private(set) var activation: Activation?

    var isEmpty: Bool { norm == nil && activation == nil }
    var tensors: [TensorSpecification] { norm?.tensors ?? [] }

    /// Takes what comes next; false where that cannot be done in this order.
    mutating func take(_ norm: BatchNorm) -> Bool {
        guard isEmpty else { return false }
        self.norm = norm
        return true
    }

    mutating func take(_ activation: Activation) -> Bool {
        guard self.activation == nil else { return false }
        self.activation = activation
        return true
    }

    func needs(maxBatch: Int, mode: Mode) -> Int { norm?.needs(maxBatch: maxBatch, mode: mode).own ?? 0 }

    /// - Parameters:
    ///   - tensors: those of the norm.
    ///   - own: as many floats as `needs` says.
    func bind(tensors: ArraySlice<Floats>, own: Floats, shared: Floats) {
        norm?.bind(LayerMemory(tensors: Array(tensors), gradients: [], own: own, shared: shared))
    }

    func parametersChanged() { norm?.parametersChanged() }

    /// Calls `body` with all of it as the kernels take it, nil where there is nothing.
    ///
    /// - Parameter bias: where the convolution has one, and then no norm follows.
    func withKernel(bias: Floats?, _ body: (Epilogue?) -> Void) {
        guard !isEmpty || bias != nil else { return body(nil) }
        var epilogue = ck_epilogue(scale: nil, shift: bias, activation: activation?.kernel ?? Activation.identity)
        if let norm {
            let folded = norm.fold()
            (epilogue.scale, epilogue.shift) = (UnsafePointer(folded.scale), UnsafePointer(folded.shift))
        }
        withUnsafePointer(to: epilogue) { body($0) }
    }

    /// As ONNX nodes.
    func describe(_ x: ONNXValue, in export: inout ONNXExport) -> ONNXValue {
        let y = norm?.describe(x, in: &export) ?? x
        guard let activation else { return y }
        return activation.describe(y, "\(y.name).\(activation.rawValue)", in: &export)
    }
}

/// A layer that can do what follows it.
protocol FusingLayer: Layer {
    /// Takes a batch norm or an activation that follows; false where it cannot.
    func fuse(_ norm: BatchNorm) -> Bool
    func fuse(_ activation: Activation) -> Bool
}
