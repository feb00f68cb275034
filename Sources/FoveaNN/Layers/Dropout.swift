import CKernels
import FoveaSystem

/// Dropout (Srivastava et al. 2014) and DropBlock (Ghiasi et al. 2018), in place; nothing in inference.
///
/// Both clear elements and scale up the rest. Dropout clears single elements; DropBlock squares of one channel's
/// map, normalised by how many elements remain (here image by image). Masks come from a hash of (seed, step, layer,
/// image), so they depend neither on threads nor on what was drawn before, and a resumed training draws the same.
final class Dropout: Layer {
    let name: String
    let input: Shape
    var output: Shape { input }
    var inPlace: Bool { true }
    private let keep: Keep
    let block: Int
    private let salt: UInt64

    /// The probability that an element stays: at first, and less by `fall` each epoch, down to `least`, without which it
    /// does not fall.
    struct Keep: Sendable {
        var first: Double
        var fall = 0.0
        var least: Double?

        func at(_ epoch: Int) -> Double { max(least ?? first, first - fall * Double(epoch)) }
        var isAlwaysOne: Bool { first == 1 && fall == 0 }
    }
    private let mode: Mode
    private var mask: UnsafeMutablePointer<UInt8>?
    private var scales: [Float] = []

    /// - Parameters:
    ///   - keep: the probability that an element stays, always in (0, 1].
    ///   - block: the square's side; 1 is dropout by element, normalised as dropout is.
    init(_ name: String, input: Shape, keep: Keep, block: Int = 1, salt: UInt64, mode: Mode) throws(ShapeError) {
        let least = keep.least ?? keep.first
        guard least > 0, least <= keep.first, keep.first <= 1, keep.fall >= 0, block >= 1 else {
            throw ShapeError(
                "\(name) (dropout)", given: "keep \(keep.first), at least \(least), block \(block)",
                expected: "keep in (0, 1], at least no more than that, and a block of at least 1")
        }
        self.name = name
        self.input = input
        self.keep = keep
        self.salt = salt
        self.mode = mode
        self.block = min(block, input.height, input.width)
    }

    func needs(maxBatch: Int, mode: Mode) -> LayerNeeds {
        guard mode == .training, !keep.isAlwaysOne else { return LayerNeeds() }
        return LayerNeeds(own: (maxBatch * input.count + 3) / 4, scratch: (input.count + 3) / 4)
    }

    func bind(_ memory: LayerMemory) {
        if mode == .training { mask = UnsafeMutableRawPointer(memory.own).assumingMemoryBound(to: UInt8.self) }
    }

    /// The probability that an element is not the centre of a cleared square; equation 1 of the paper, for centres
    /// anywhere on the map.
    private func seedKeep(_ keep: Double) -> Double { 1 - (1 - keep) / Double(block * block) }

    func forward(_ x: Floats, _ y: Floats, count: Int, _ pass: Pass) {
        let keep = keep.at(pass.epoch)
        guard pass.training, keep < 1, let mask else { return }
        if scales.count < count { scales = [Float](repeating: 1, count: count) }
        let (input, block) = (input, block)
        let threshold = UInt32(min(4_294_967_295, seedKeep(keep) * 4_294_967_296))
        let (seed, step, salt) = (pass.seed, UInt64(pass.step), salt)
        scales.withUnsafeMutableBufferPointer { scales in
            let scales = scales.baseAddress!
            pass.pool.split(count) { thread, images in
                for n in images {
                    let at = n * input.count
                    var key = SplitMix64(seed: seed ^ salt &* 0xd6e8_feb8_6659_fd93)
                    key = SplitMix64(seed: key.next() ^ step)
                    key = SplitMix64(seed: key.next() ^ UInt64(n))
                    if block == 1 {
                        _ = ck_mask(mask + at, input.count, key.next(), threshold)
                        scales[n] = Float(1 / keep)
                    } else {
                        let seeds = UnsafeMutableRawPointer(pass.scratch[thread]).assumingMemoryBound(to: UInt8.self)
                        _ = ck_mask(seeds, input.count, key.next(), threshold)
                        let ones = ck_spread_blocks(
                            seeds, Int32(input.height), Int32(input.width), Int32(input.channels), Int32(block),
                            mask + at)
                        scales[n] = ones == 0 ? 0 : Float(input.count) / Float(ones)
                    }
                    ck_masked_scale(y + at, mask + at, input.count, scales[n])
                }
            }
        }
    }

    func backward(_ x: Floats, _ dy: Floats, _ dx: Floats?, count: Int, _ pass: Pass) {
        guard pass.training, keep.at(pass.epoch) < 1, let mask else { return }
        let size = input.count
        scales.withUnsafeBufferPointer { scales in
            let scales = scales.baseAddress!
            pass.pool.split(count) { _, images in
                for n in images { ck_masked_scale(dy + n * size, mask + n * size, size, scales[n]) }
            }
        }
    }

    // MARK: - Descriptions

    var operation: String { block == 1 ? "Dropout" : "DropBlock" }

    func describe(_ x: ONNXValue, in export: inout ONNXExport) -> ONNXValue { x }
}

extension LayerStack {
    /// Dropout for a block of 1, else DropBlock.
    mutating func dropout(_ name: String, keep: Dropout.Keep, block: Int = 1) throws(ShapeError) {
        // By its name, so that no two of a network draw the same masks: FNV-1a.
        let salt = name.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        append(try Dropout(name, input: shape, keep: keep, block: block, salt: salt, mode: mode))
    }
}

extension LayerProbe.Kind {
    package static func dropout(keep: Double, block: Int = 1) -> Self {
        Self { stack throws(ShapeError) in try stack.dropout(probe, keep: .init(first: keep), block: block) }
    }
}
