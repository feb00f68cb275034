import CKernels
import Glibc

/// Each channel convolved by a filter of its own (Howard et al. 2017, MobileNets), k×k, stride 1, SAME, no bias. Filters are
/// [k, k, channels]. So little is multiplied that only memory counts: the kernels work on the maps as they lie.
final class DepthwiseConvolution: Layer {
    let name: String
    let input: Shape
    var output: Shape { input }
    let tensors: [TensorSpecification]
    private let kernel: Int
    private let isNaive: Bool
    private var memory: LayerMemory?

    /// - Parameter naive: the oracle of the tests.
    init(_ name: String, input: Shape, kernel: Int, naive: Bool = false) throws(ShapeError) {
        guard [1, 3, 5, 7].contains(kernel) else {
            throw ShapeError("\(name) (depthwise convolution)", given: "kernel \(kernel)", expected: "1, 3, 5 or 7")
        }
        self.name = name
        self.input = input
        self.kernel = kernel
        isNaive = naive
        tensors = [
            TensorSpecification(
                name: "\(name).weight", shape: [kernel, kernel, input.channels], kind: .parameter,
                start: .xavier(fanIn: kernel * kernel, fanOut: kernel * kernel), decays: true)
        ]
    }

    var multiplications: Int { filters * input.pixels }

    private var filters: Int { kernel * kernel * input.channels }

    private var patches: ck_patches {
        ck_patches(
            height: Int32(input.height), width: Int32(input.width), channels: Int32(input.channels), k: Int32(kernel),
            pad: Int32(kernel / 2))
    }

    /// A map with its border.
    func needs(maxBatch: Int, mode: Mode) -> LayerNeeds {
        LayerNeeds(
            scratch: (input.height + kernel - 1) * (input.width + kernel - 1) * input.channels,
            partial: mode == .training ? filters : 0)
    }
    func bind(_ memory: LayerMemory) { self.memory = memory }

    private func convolve(_ x: Floats, _ y: Floats, flip: Bool, count: Int, _ pass: Pass) {
        let (size, weights) = (input.count, memory!.tensors[0])
        pass.pool.split(count) { [patches] thread, images in
            var patches = patches
            for n in images {
                ck_border(x + n * size, &patches, pass.scratch[thread])
                ck_depthwise(pass.scratch[thread], weights, &patches, flip ? 1 : 0, y + n * size)
            }
        }
    }

    func forward(_ x: Floats, _ y: Floats, count: Int, _ pass: Pass) {
        if isNaive {
            y.update(repeating: 0, count: count * input.count)
            return eachProduct(count: count) { y[$2] += x[$0] * self.memory!.tensors[0][$1] }
        }
        convolve(x, y, flip: false, count: count, pass)
    }

    func backward(_ x: Floats, _ dy: Floats, _ dx: Floats?, count: Int, _ pass: Pass) {
        let (size, filters) = (input.count, filters)
        if isNaive {
            let gradient = memory!.gradients[0]!
            gradient.update(repeating: 0, count: filters)
            dx?.update(repeating: 0, count: count * size)
            return eachProduct(count: count) {
                gradient[$1] += x[$0] * dy[$2]
                dx?[$0] += dy[$2] * self.memory!.tensors[0][$1]
            }
        }
        if let gradient = memory!.gradients[0] {
            pass.pool.split(count) { [patches] thread, images in
                var patches = patches
                let sum = thread == 0 ? gradient : pass.partial[thread]
                memset(sum, 0, filters * 4)
                for n in images {
                    ck_border(x + n * size, &patches, pass.scratch[thread])
                    ck_depthwise_filters(pass.scratch[thread], dy + n * size, &patches, sum)
                }
            }
            for thread in 1..<max(1, pass.pool.threads) { ck_add(pass.partial[thread], gradient, filters) }
        }
        if let dx { convolve(dy, dx, flip: true, count: count, pass) }
    }

    /// Every triple (input element, filter element, output element) that meets in a multiplication.
    private func eachProduct(count: Int, _ body: (_ x: Int, _ w: Int, _ y: Int) -> Void) {
        let (h, w, c, pad) = (input.height, input.width, input.channels, kernel / 2)
        for n in 0..<count {
            for y in 0..<h {
                for x in 0..<w {
                    for v in 0..<kernel where (0..<h).contains(y + v - pad) {
                        for u in 0..<kernel where (0..<w).contains(x + u - pad) {
                            let from = ((n * h + y + v - pad) * w + x + u - pad) * c
                            for i in 0..<c { body(from + i, (v * kernel + u) * c + i, ((n * h + y) * w + x) * c + i) }
                        }
                    }
                }
            }
        }
    }
}
