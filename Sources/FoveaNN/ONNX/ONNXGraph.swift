// Networks as ONNX graphs, for whoever runs or draws them elsewhere.
//
//     images ── Transpose, Cast ── filters, normalizer ── views ── layers ── Softmax ── mean over views ── probabilities
//     uint8, N×H×W×3               float, N×3×H×W                                                    float, N×classes
//
// Each layer writes down its own nodes, from the tensors of a network that is built for inference, so
// that what is exported is what serves. ONNX convolves N×C×H×W where Fovea has N×H×W×C: filters, and the rows of a
// matrix after a map, are reordered where they are written down, and no node does it at run time. Batch norm stays a node
// of its own, with the statistics that training left: every runtime folds it into the convolution by itself.
//
// Nothing here reads ONNX: a network that Fovea has not trained has no golden set and no chain.

/// A graph of ONNX operators: nodes in the order in which they run, each with one result that has the node's name, and
/// constants.
package struct ONNXGraph: Sendable {
    /// The input's name.
    package static let input = "images"
    /// The output's name.
    package static let output = "probabilities"

    /// The value of a node's attribute.
    package enum Attribute: Sendable, Equatable {
        case integer(Int)
        case integers([Int])
        case float(Float)
        case text(String)
    }

    /// An operator at its place.
    package struct Node: Sendable {
        package let name: String
        /// Such as `Conv`.
        package let operation: String
        /// Names of nodes and constants, or the graph's input.
        package let inputs: [String]
        package let attributes: [(name: String, value: Attribute)]
    }

    /// A tensor that does not change.
    package struct Constant: Sendable {
        package enum Values: Sendable, Equatable {
            case floats([Float])
            /// int64.
            case integers([Int])
        }
        package let name: String
        /// Empty for a single value.
        package let shape: [Int]
        package let values: Values
    }

    package private(set) var nodes: [Node] = []
    package private(set) var constants: [Constant] = []
    private var names: Set = [Self.input]

    package init() {}

    /// Bytes of all constants.
    package var bytes: Int {
        constants.reduce(0) {
            switch $1.values {
            case .floats(let values): $0 + 4 * values.count
            case .integers(let values): $0 + 8 * values.count
            }
        }
    }

    /// Appends a node; traps on a name that is taken or an input that is not there yet, since a graph is only correct in
    /// order.
    ///
    /// - Returns: the name of its result.
    package mutating func add(
        _ name: String, _ operation: String, _ inputs: [String], _ attributes: KeyValuePairs<String, Attribute> = [:]
    ) -> String {
        for input in inputs { precondition(names.contains(input), "\(name) takes \(input), which is not there") }
        take(name)
        nodes.append(
            Node(
                name: name, operation: operation, inputs: inputs,
                attributes: attributes.map { (name: $0.key, value: $0.value) }))
        return name
    }

    /// Adds a constant of floats; without a shape a single one.
    package mutating func constant(_ name: String, floats: [Float], shape: [Int] = []) -> String {
        precondition(shape.reduce(1, *) == floats.count, "\(name): \(floats.count) floats for \(shape)")
        take(name)
        constants.append(Constant(name: name, shape: shape, values: .floats(floats)))
        return name
    }

    /// Adds a constant of whole numbers; without a shape a list.
    package mutating func constant(_ name: String, integers: [Int], shape: [Int]? = nil) -> String {
        let shape = shape ?? [integers.count]
        precondition(shape.reduce(1, *) == integers.count, "\(name): \(integers.count) integers for \(shape)")
        take(name)
        constants.append(Constant(name: name, shape: shape, values: .integers(integers)))
        return name
    }

    private mutating func take(_ name: String) {
        precondition(names.insert(name).inserted, "two things are called \(name)")
    }
}
