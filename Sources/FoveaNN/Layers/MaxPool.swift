import CKernels

/// The largest of each window, stride 2. Ties go to the first in reading order.
///
/// Windows of 2×2 leave out the last row or column of an odd side. Windows of 3×3 overlap and reach beyond the border, as
/// TensorFlow's SAME has it: ceil(side / 2) of them, the first of an odd side one pixel outside.
final class MaxPool: Layer {
    let name: String
    let input: Shape
    let output: Shape
    let window: Int
    /// Which place of its window won, one byte per output.
    private var which: UnsafeMutablePointer<UInt8>?
    private let mode: Mode

    init(_ name: String, input: Shape, window: Int = 2, mode: Mode) throws(ShapeError) {
        guard window == 3 || window == 2 && input.height >= 2 && input.width >= 2 else {
            throw ShapeError(
                "\(name) (\(window)×\(window) maximum)", given: "\(input)",
                expected: "at least 2×2 pixels and a window of 2 or 3")
        }
        self.name = name
        self.input = input
        self.window = window
        self.mode = mode
        let up = window == 3 ? 1 : 0
        output = Shape(height: (input.height + up) / 2, width: (input.width + up) / 2, channels: input.channels)
    }

    func needs(maxBatch: Int, mode: Mode) -> LayerNeeds {
        LayerNeeds(own: mode == .training ? (maxBatch * output.count + 3) / 4 : 0)
    }

    func bind(_ memory: LayerMemory) {
        if mode == .training { which = UnsafeMutableRawPointer(memory.own).assumingMemoryBound(to: UInt8.self) }
    }

    func forward(_ x: Floats, _ y: Floats, count: Int, _ pass: Pass) {
        let (input, output, which) = (input, output, pass.training ? which : nil)
        let kernel = window == 2 ? ck_maxpool : ck_maxpool3
        pass.pool.split(count) { _, images in
            for n in images {
                kernel(
                    x + n * input.count, Int32(input.height), Int32(input.width), Int32(input.channels),
                    y + n * output.count, which.map { $0 + n * output.count })
            }
        }
    }

    func backward(_ x: Floats, _ dy: Floats, _ dx: Floats?, count: Int, _ pass: Pass) {
        guard let dx, let which else { return }
        let (input, output) = (input, output)
        let kernel = window == 2 ? ck_maxpool_back : ck_maxpool3_back
        pass.pool.split(count) { _, images in
            for n in images {
                kernel(
                    dy + n * output.count, which + n * output.count, Int32(input.height), Int32(input.width),
                    Int32(input.channels), dx + n * input.count, pass.streams(count * input.count))
            }
        }
    }
}
