import CKernels

/// The largest of each window, stride 2. Ties go to the first in reading order.
///
/// Windows of 2×2 leave out the last row or column of an odd side. Windows of 3×3 overlap and reach beyond the border, which
/// counts as nothing: ⌈side / 2⌉ of them, as `Padding.same` or `Padding.symmetric` lays them.
final class MaxPool: Layer {
    let name: String
    let input: Shape
    let output: Shape
    private let window: Int
    /// Pixels outside with which the first windows begin.
    private let top: Int
    private let left: Int
    /// Which place of its window won, one byte per output.
    private var which: UnsafeMutablePointer<UInt8>?

    private let mode: Mode

    init(
        _ name: String, input: Shape, window: Int = 2, padding: Padding = .same, mode: Mode
    ) throws(ShapeError) {
        guard window == 3 && padding != .valid || window == 2 && input.height >= 2 && input.width >= 2 else {
            throw ShapeError(
                "\(name) (\(window)×\(window) maximum)", given: "\(input)",
                expected: "at least 2×2 pixels and a window of 2 or 3")
        }
        (self.name, self.input, self.window, self.mode) = (name, input, window, mode)
        let padding = window == 2 ? .valid : padding
        let (down, across): (Int, Int)
        (top, down) = padding.windows(side: input.height, kernel: window, stride: 2)
        (left, across) = padding.windows(side: input.width, kernel: window, stride: 2)
        output = Shape(height: down, width: across, channels: input.channels)
    }

    func needs(maxBatch: Int, mode: Mode) -> LayerNeeds {
        LayerNeeds(own: mode == .training ? (maxBatch * output.count + 3) / 4 : 0)
    }

    func bind(_ memory: LayerMemory) {
        if mode == .training { which = UnsafeMutableRawPointer(memory.own).assumingMemoryBound(to: UInt8.self) }
    }

    func forward(_ x: Floats, _ y: Floats, count: Int, _ pass: Pass) {
        let (input, output, which) = (input, output, pass.training ? which : nil)
        let (h, w, c) = (Int32(input.height), Int32(input.width), Int32(input.channels))
        pass.pool.split(count) { _, images in
            for n in images {
                let (from, to) = (x + n * input.count, y + n * output.count)
                let places = which.map { $0 + n * output.count }
                if window == 2 {
                    ck_maxpool(from, h, w, c, to, places)
                } else {
                    ck_maxpool3(from, h, w, c, Int32(top), Int32(left), to, places)
                }
            }
        }
    }

    func backward(_ x: Floats, _ dy: Floats, _ dx: Floats?, count: Int, _ pass: Pass) {
        guard let dx, let which else { return }
        let (input, output) = (input, output)
        let (h, w, c) = (Int32(input.height), Int32(input.width), Int32(input.channels))
        let streams = pass.streams(count * input.count)
        pass.pool.split(count) { _, images in
            for n in images {
                let (from, places, to) = (dy + n * output.count, which + n * output.count, dx + n * input.count)
                if window == 2 {
                    ck_maxpool_back(from, places, h, w, c, to, streams)
                } else {
                    ck_maxpool3_back(from, places, h, w, c, Int32(top), Int32(left), to, streams)
                }
            }
        }
    }

    // MARK: - Descriptions

    var operation: String { "MaxPool" }

    func describe(_ x: ONNXValue, in export: inout ONNXExport) -> ONNXValue {
        let below = window == 3 ? (output.height - 1) * 2 + 3 - input.height - top : 0
        let right = window == 3 ? (output.width - 1) * 2 + 3 - input.width - left : 0
        return export.add(
            name, "MaxPool", x, [],
            [
                "kernel_shape": .integers([window, window]), "strides": .integers([2, 2]),
                "pads": .integers([top, left, max(0, below), max(0, right)]),
            ])
    }
}

extension LayerStack {
    /// - Parameter padding: of windows of 3; those of 2 have none.
    mutating func maxPool(_ name: String, window: Int = 2, padding: Padding = .same) throws(ShapeError) {
        append(try MaxPool(name, input: shape, window: window, padding: padding, mode: mode))
    }
}

extension LayerProbe.Kind {
    package static func maxPool(window: Int = 2, padding: Padding = .same) -> Self {
        Self { stack throws(ShapeError) in try stack.maxPool(probe, window: window, padding: padding) }
    }
}
