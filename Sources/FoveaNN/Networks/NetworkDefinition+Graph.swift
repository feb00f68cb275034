/// An operation of a network, as data: for those who draw networks or hand them on, and have no use for the engine's layers.
package struct GraphNode: Sendable, Equatable {
    /// Unique in its graph; parts with slashes between them, so that programs that draw graphs can fold groups up.
    package let name: String
    /// What it does, such as `Conv2D`.
    package let operation: String
    /// Names of the nodes whose results it takes.
    package let inputs: [String]
    /// Of one image.
    package let output: Shape
    /// What it owns: filters, statistics, and so on.
    package let tensors: [TensorInfo]

    /// Floats that training learns.
    package var parameters: Int { tensors.reduce(0) { $0 + ($1.kind == .parameter ? $1.count : 0) } }
}

extension NetworkDefinition {
    /// The network's operations from the pixels to the probabilities, each after those whose results it takes.
    ///
    /// It is the network as its paper has it, whatever the engine does in one pass: an activation stands alone, and so does
    /// the sum of a residual branch.
    ///
    /// - Throws: `NetworkDefinitionError`, `ShapeError` where it cannot be built.
    package func graph() throws -> [GraphNode] {
        var graph = GraphBuilder(input: input)
        _ = graph.follow(try Architectures.build(Architectures.resolved(self), mode: .training), from: graph.last)
        graph.add("probabilities", "Softmax", graph.shape)
        return graph.nodes
    }
}

/// Where layers draw themselves.
struct GraphBuilder {
    private(set) var nodes: [GraphNode]
    /// The node whose result the next one takes.
    private(set) var last: String
    private(set) var shape: Shape

    init(input: Shape) {
        (last, shape) = ("images", input)
        nodes = [GraphNode(name: last, operation: "Placeholder", inputs: [], output: input, tensors: [])]
    }

    /// Adds an operation on the last one's result, and on another's.
    ///
    /// - Parameter name: parts with dots between them.
    mutating func add(
        _ name: String, _ operation: String, _ output: Shape, _ tensors: [TensorSpecification] = [],
        with other: String? = nil
    ) {
        let name = name.replacing(".", with: "/")
        nodes.append(
            GraphNode(
                name: name, operation: operation, inputs: [last] + (other.map { [$0] } ?? []), output: output,
                tensors: tensors.map { TensorInfo(name: $0.name, shape: $0.shape, kind: $0.kind) }))
        (last, shape) = (name, output)
    }

    /// Adds layers one after the other, the first of which takes the result of a given node.
    ///
    /// - Returns: the last of their nodes; the given one where there is no layer.
    mutating func follow(_ layers: [any Layer], from start: String) -> String {
        last = start
        for layer in layers { layer.draw(in: &self) }
        return last
    }
}
