import CKernels

/// The largest plus the mean of each channel: N×H×W×C to N×1×1×C.
final class GlobalPool: Layer {
    let name: String
    let input: Shape
    let output: Shape
    /// The pixel with the largest, for each image and channel.
    private var which: UnsafeMutablePointer<Int32>?

    init(_ name: String, input: Shape) {
        (self.name, self.input) = (name, input)
        output = Shape(height: 1, width: 1, channels: input.channels)
    }

    func needs(maxBatch: Int, mode: Mode) -> LayerNeeds { LayerNeeds(own: maxBatch * input.channels) }

    func bind(_ memory: LayerMemory) {
        which = UnsafeMutableRawPointer(memory.own).assumingMemoryBound(to: Int32.self)
    }

    func forward(_ x: Floats, _ y: Floats, count: Int, _ pass: Pass) {
        guard let which else { return }
        let (size, pixels, c) = (input.count, Int32(input.pixels), input.channels)
        pass.pool.split(count) { _, images in
            for n in images { ck_global_pool(x + n * size, pixels, Int32(c), y + n * c, which + n * c) }
        }
    }

    func backward(_ x: Floats, _ dy: Floats, _ dx: Floats?, count: Int, _ pass: Pass) {
        guard let dx, let which else { return }
        let (size, pixels, c) = (input.count, Int32(input.pixels), input.channels)
        pass.pool.split(count) { _, images in
            for n in images { ck_global_pool_back(dy + n * c, which + n * c, pixels, Int32(c), dx + n * size) }
        }
    }

    // MARK: - Descriptions

    var operation: String { "GlobalMaxPlusMean" }

    func describe(_ x: ONNXValue, in export: inout ONNXExport) -> ONNXValue {
        let largest = export.add("\(name).max", "GlobalMaxPool", x)
        let mean = export.add("\(name).mean", "GlobalAveragePool", x)
        return export.add(name, "Add", largest, [mean.name])
    }
}

extension LayerStack {
    mutating func globalPool(_ name: String) { append(GlobalPool(name, input: shape)) }
}

extension LayerProbe.Kind {
    package static var globalPool: Self { Self { $0.globalPool(probe) } }
}
