/// A result in a graph.
struct ONNXValue {
    let name: String
    /// N×C×H×W; else N×C.
    let isMap: Bool
}

/// Where layers write themselves down.
struct ONNXExport {
    var graph: ONNXGraph
    /// A tensor's floats by its name.
    let floats: (String) -> [Float]

    mutating func add(
        _ name: String, _ operation: String, _ x: ONNXValue, _ more: [String] = [],
        _ attributes: KeyValuePairs<String, ONNXGraph.Attribute> = [:]
    ) -> ONNXValue {
        ONNXValue(name: graph.add(name, operation, [x.name] + more, attributes), isMap: x.isMap)
    }

    mutating func constant(_ tensor: TensorSpecification) -> String {
        graph.constant(tensor.name, floats: floats(tensor.name), shape: tensor.shape)
    }

    /// A tensor with its axes in another order.
    ///
    /// - Parameters:
    ///   - shape: as the tensor is to be seen.
    ///   - order: which axes come one after the other.
    ///   - result: the shape it then has.
    mutating func constant(
        _ tensor: TensorSpecification, from shape: [Int], order: [Int], to result: [Int]
    ) -> String {
        graph.constant(tensor.name, floats: transposed(floats(tensor.name), shape, order), shape: result)
    }
}

/// Values, row-major, with their axes in another order.
package func transposed(_ values: [Float], _ shape: [Int], _ order: [Int]) -> [Float] {
    var strides = [Int](repeating: 1, count: shape.count)
    for axis in shape.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * shape[axis + 1] }
    var places = [0]
    for axis in order {
        places = places.flatMap { place in (0..<shape[axis]).map { place + $0 * strides[axis] } }
    }
    return places.map { values[$0] }
}

extension ConvolutionShape {
    /// Of ONNX's Conv. Its pads are those before all rows and columns, then those after.
    func attributes(groups: Int = 1) -> KeyValuePairs<String, ONNXGraph.Attribute> {
        let below = max(0, bordered.height - height - top)
        let right = max(0, bordered.width - width - left)
        return [
            "group": .integer(groups), "kernel_shape": .integers([kernel, kernel]),
            "pads": .integers([top, left, below, right]), "strides": .integers([stride, stride]),
        ]
    }
}
