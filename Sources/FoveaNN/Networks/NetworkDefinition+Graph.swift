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
        graph.add(try Architectures.build(Architectures.resolved(self), mode: .training))
        graph.add("probabilities", "Softmax", graph.last)
        return graph.nodes
    }
}

/// Walks over layers and writes down what they are.
private struct GraphBuilder {
    private(set) var nodes: [GraphNode]
    var last: Shape { nodes[nodes.count - 1].output }

    init(input: Shape) {
        nodes = [GraphNode(name: "images", operation: "Placeholder", inputs: [], output: input, tensors: [])]
    }

    /// Adds an operation on the last one's result, and on another's.
    mutating func add(
        _ name: String, _ operation: String, _ output: Shape, _ tensors: [TensorSpecification] = [],
        with other: String? = nil
    ) {
        nodes.append(
            GraphNode(
                name: name.replacing(".", with: "/"), operation: operation,
                inputs: [nodes[nodes.count - 1].name] + (other.map { [$0] } ?? []), output: output,
                tensors: tensors.map { TensorInfo(name: $0.name, shape: $0.shape, kind: $0.kind) }))
    }

    mutating func add(_ layers: [any Layer]) {
        for layer in layers {
            if let residual = layer as? Residual {
                let entrance = nodes[nodes.count - 1].name
                add(residual.branch)
                add("\(residual.name).sum", "Add", residual.output, with: entrance)
            } else {
                add(layer.name, layer.operation, layer.output, layer.tensors)
                if let norm = layer as? BatchNorm, let activation = norm.activation {
                    add("\(norm.name)_\(activation.rawValue)", activation.operation, norm.output)
                }
            }
        }
    }
}

extension Activation {
    /// Its name in a graph.
    fileprivate var operation: String {
        switch self {
        case .relu: "ReLU"
        case .silu: "SiLU"
        case .gelu: "GELU"
        }
    }
}

extension Layer {
    /// Its name in a graph.
    fileprivate var operation: String {
        switch self {
        case is Convolution: "Conv2D"
        case is DepthwiseConvolution: "DepthwiseConv2D"
        case is FullyConnected: "MatMul"
        case is BatchNorm: "BatchNorm"
        case let layer as ActivationLayer: layer.kind.operation
        case is MaxPool: "MaxPool"
        case is GlobalPool: "GlobalMaxPlusMean"
        case let layer as Dropout: layer.block == 1 ? "Dropout" : "DropBlock"
        case is Scale: "Scale"
        case is HierarchicalSoftmax: "HierarchicalLogSoftmax"
        default: preconditionFailure("\(type(of: self)) has no name in a graph")
        }
    }
}
