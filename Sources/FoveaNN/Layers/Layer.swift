/// One operation of a network, forward and backward side by side.
///
/// A layer says at construction what it needs (shapes, tensors, memory); the network lays out its arenas, hands the
/// pointers over in `bind`, and then only calls `forward` and `backward`.
///
/// Laws, each a test: `backward` is the derivative of `forward` (finite differences); in inference an image's output
/// has the same bits whatever the other images of the batch are; the same pool size gives the same bits.
///
/// Memory is N × H × W × C, image after image, for `count` images. A layer that works in place gets the same pointer
/// as x and y, and as dy and dx.
protocol Layer: AnyObject {
    var name: String { get }
    var input: Shape { get }
    var output: Shape { get }
    var inPlace: Bool { get }
    var tensors: [TensorSpecification] { get }
    /// Multiplications and additions of its definition, forward, for one image; only where there are many.
    var multiplications: Int { get }
    func needs(maxBatch: Int, mode: Mode) -> LayerNeeds

    /// Takes the layer's memory; called once. `tensors` are in the order of `tensors`; buffers have no gradient.
    func bind(_ memory: LayerMemory)

    /// The parameters have new values: what was computed from them is stale.
    func parametersChanged()

    /// x → y.
    func forward(_ x: Floats, _ y: Floats, count: Int, _ pass: Pass)

    /// dy → dx (nil: nobody needs it) and the gradients of the parameters, which are overwritten.
    /// x is what `forward` got, still in place.
    func backward(_ x: Floats, _ dy: Floats, _ dx: Floats?, count: Int, _ pass: Pass)

    /// What it does in one word, such as `Conv2D`: its name in a drawing.
    var operation: String { get }

    /// Adds itself to a drawing; one node, where it is no group of layers.
    func draw(in graph: inout GraphBuilder)

    /// Writes down the nodes of an ONNX graph that take x and give y in inference; see ONNX/.
    func describe(_ x: ONNXValue, in export: inout ONNXExport) -> ONNXValue
}

extension Layer {
    var inPlace: Bool { false }
    var tensors: [TensorSpecification] { [] }
    var multiplications: Int { 0 }
    func needs(maxBatch: Int, mode: Mode) -> LayerNeeds { LayerNeeds() }
    func bind(_ memory: LayerMemory) {}
    func parametersChanged() {}
    func draw(in graph: inout GraphBuilder) { graph.add(name, operation, output, tensors) }
}

/// What a network is built for. Inference keeps neither gradients nor what backward would need.
package enum Mode: Sendable {
    case training, inference
}

/// A tensor that a layer owns, before it has memory.
struct TensorSpecification {
    enum Start {
        case constant(Float)
        case xavier(fanIn: Int, fanOut: Int)
        /// For filters [k, k, in, out]: see `Convolution.Filters`.
        case dirac
        /// Uniform within ±1/√fanIn, as PyTorch begins a linear layer.
        case uniform(fanIn: Int)
    }
    var name: String
    var shape: [Int]
    var kind: TensorInfo.Kind
    var start: Start
    /// Weight decay applies to matrices and filters, not to batch norm and biases.
    var decays = false
    var count: Int { shape.reduce(1, *) }

    /// Elements of the largest tensor: one GiB of floats.
    static let most = 1 << 28

    /// Refuses a tensor that no machine should be asked for, before anything is computed from its size.
    static func check(_ layer: String, _ shape: Int...) throws(ShapeError) {
        var count = 1
        for size in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: size)
            guard !overflow, product <= most else {
                throw ShapeError(
                    layer, given: shape.map(String.init).joined(separator: "×") + " weights",
                    expected: "\(most) at most")
            }
            count = product
        }
    }
}

/// Memory of a layer beside its tensors, in floats.
struct LayerNeeds {
    /// For the whole batch, its own.
    var own = 0
    /// For the whole batch, only while the layer runs: all layers have the same.
    var shared = 0
    /// For each thread, only while the layer runs: for intermediate values, and for partial sums of gradients.
    var scratch = 0
    var partial = 0
}

/// Where a layer's memory is.
struct LayerMemory {
    var tensors: [Floats]
    var gradients: [Floats?]
    var own: Floats
    var shared: Floats
}

/// What a pass through the network is: given to each layer by the network.
struct Pass {
    /// Statistics of the batch, dropout and so on; false in evaluation, also on a network built for training.
    var training: Bool
    /// In training too batch norm takes its running statistics, and leaves them as they are.
    var freezesStatistics = false
    let pool: ThreadPool
    /// One scratch buffer per thread.
    let scratch: [Floats]
    /// One buffer per thread for partial sums of weight gradients.
    let partial: [Floats]
    /// Training steps already made with this network, and what randomness is drawn from.
    var step = 0
    /// Epochs already finished.
    var epoch = 0
    var seed: UInt64 = 0
    /// Told how long each layer takes, where somebody measures.
    var clock: LayerClock?
}

/// Seconds that each layer has taken, by name, in the order of their first call. For measurements.
package final class LayerClock {
    package struct Line {
        package let name: String
        package var forward = 0.0
        package var backward = 0.0
    }
    package private(set) var lines: [Line] = []
    private var places: [String: Int] = [:]

    package init() {}

    func time(_ name: String, _ part: WritableKeyPath<Line, Double>, _ body: () -> Void) {
        let start = seconds()
        body()
        let place = places[name] ?? lines.count
        if place == lines.count {
            places[name] = place
            lines.append(Line(name: name))
        }
        lines[place][keyPath: part] += seconds() - start
    }
}

extension Layer {
    /// `forward`, under the clock.
    func run(_ x: Floats, _ y: Floats, count: Int, _ pass: Pass) {
        guard let clock = pass.clock else { return forward(x, y, count: count, pass) }
        clock.time(name, \.forward) { forward(x, y, count: count, pass) }
    }

    /// `backward`, under the clock.
    func runBack(_ x: Floats, _ dy: Floats, _ dx: Floats?, count: Int, _ pass: Pass) {
        guard let clock = pass.clock else { return backward(x, dy, dx, count: count, pass) }
        clock.time(name, \.backward) { backward(x, dy, dx, count: count, pass) }
    }
}

extension Pass {
    /// Whether floats that a layer writes are so many that they should go past the caches: training keeps them all, and none
    /// is read before all are written.
    func streams(_ floats: Int) -> Int32 { training && floats > 4 << 20 ? 1 : 0 }
}

/// Images that inference takes at a time through all layers on each thread, where they are small: their activations stay in
/// the cache.
let imageBlock = 16
