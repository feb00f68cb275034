import CKernels

/// The mean of each window; of the whole map (`GlobalAveragePool`) where no window is given. Windows lie inside the map: what
/// is left over at the right and at the bottom is in none.
final class AveragePool: Layer {
    let name: String
    let input: Shape
    let output: Shape
    /// Nil: the whole map.
    private let window: Int?
    private let patches: ck_patches

    /// - Parameters:
    ///   - window: the side of a square; nil is the whole map.
    ///   - stride: pixels from one window to the next.
    init(_ name: String, input: Shape, window: Int? = nil, stride: Int = 1) throws(ShapeError) {
        guard window.map({ (1...min(input.height, input.width)).contains($0) }) ?? true, stride > 0 else {
            throw ShapeError(
                "\(name) (average)", given: "\(input), a window of \(window ?? 0) and stride \(stride)",
                expected: "a window no larger than the image, and a stride of at least 1")
        }
        (self.name, self.input, self.window) = (name, input, window)
        let down = window.map { (input.height - $0) / stride + 1 } ?? 1
        let across = window.map { (input.width - $0) / stride + 1 } ?? 1
        output = Shape(height: down, width: across, channels: input.channels)
        patches = ck_patches(
            height: Int32(input.height), width: Int32(input.width), channels: Int32(input.channels),
            k: Int32(window ?? input.height), columns: Int32(window ?? input.width), stride: Int32(stride), top: 0,
            left: 0, down: Int32(down), across: Int32(across))
    }

    func forward(_ x: Floats, _ y: Floats, count: Int, _ pass: Pass) {
        pass.pool.split(count) { [patches, from = input.count, to = output.count] _, images in
            withUnsafePointer(to: patches) {
                for n in images { ck_mean_pool(x + n * from, $0, y + n * to) }
            }
        }
    }

    func backward(_ x: Floats, _ dy: Floats, _ dx: Floats?, count: Int, _ pass: Pass) {
        guard let dx else { return }
        pass.pool.split(count) { [patches, from = output.count, to = input.count] _, images in
            withUnsafePointer(to: patches) {
                for n in images { ck_mean_pool_back(dy + n * from, $0, dx + n * to) }
            }
        }
    }

    // MARK: - Descriptions

    var operation: String { window == nil ? "GlobalAveragePool" : "AveragePool" }

    func describe(_ x: ONNXValue, in export: inout ONNXExport) -> ONNXValue {
        guard let window else { return export.add(name, "GlobalAveragePool", x) }
        let stride = Int(patches.stride)
        return export.add(
            name, "AveragePool", x, [],
            ["kernel_shape": .integers([window, window]), "strides": .integers([stride, stride])])
    }
}

extension LayerStack {
    /// - Parameter window: nil is the whole map.
    mutating func averagePool(_ name: String, window: Int? = nil, stride: Int = 1) throws(ShapeError) {
        append(try AveragePool(name, input: shape, window: window, stride: stride))
    }
}

extension LayerProbe.Kind {
    package static func averagePool(window: Int? = nil, stride: Int = 1) -> Self {
        Self { stack throws(ShapeError) in try stack.averagePool(probe, window: window, stride: stride) }
    }
}
