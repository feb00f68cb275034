import CKernels

/// The largest of each 2×2 square, stride 2; the last row or column of an odd side is left out. Ties go to the first in
/// reading order.
final class MaxPool: Layer {
    let name: String
    let input: Shape
    let output: Shape
    /// Which of the four won, one byte per output.
    private var which: UnsafeMutablePointer<UInt8>?
    private let mode: Mode

    init(_ name: String, input: Shape, mode: Mode) throws(ShapeError) {
        guard input.height >= 2, input.width >= 2 else {
            throw ShapeError("\(name) (2×2 maximum)", given: "\(input)", expected: "at least 2×2 pixels")
        }
        self.name = name
        self.input = input
        self.mode = mode
        output = Shape(height: input.height / 2, width: input.width / 2, channels: input.channels)
    }

    func needs(maxBatch: Int, mode: Mode) -> LayerNeeds {
        LayerNeeds(own: mode == .training ? (maxBatch * output.count + 3) / 4 : 0)
    }

    func bind(_ memory: LayerMemory) {
        if mode == .training { which = UnsafeMutableRawPointer(memory.own).assumingMemoryBound(to: UInt8.self) }
    }

    func forward(_ x: Floats, _ y: Floats, count: Int, _ pass: Pass) {
        let (input, output, which) = (input, output, pass.training ? which : nil)
        pass.pool.split(count) { _, images in
            for n in images {
                ck_maxpool(
                    x + n * input.count, Int32(input.height), Int32(input.width), Int32(input.channels),
                    y + n * output.count, which.map { $0 + n * output.count })
            }
        }
    }

    func backward(_ x: Floats, _ dy: Floats, _ dx: Floats?, count: Int, _ pass: Pass) {
        guard let dx, let which else { return }
        let (input, output) = (input, output)
        pass.pool.split(count) { _, images in
            for n in images {
                ck_maxpool_back(
                    dy + n * output.count, which + n * output.count, Int32(input.height), Int32(input.width),
                    Int32(input.channels), dx + n * input.count)
            }
        }
    }
}
