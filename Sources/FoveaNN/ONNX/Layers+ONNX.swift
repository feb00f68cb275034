// What each layer is in ONNX, as it is computed in inference.

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

extension Activation {
    func describe(_ x: ONNXValue, _ name: String, in export: inout ONNXExport) -> ONNXValue {
        switch self {
        case .relu: return export.add(name, "Relu", x)
        case .gelu: return export.add(name, "Gelu", x, [], ["approximate": .text("tanh")])
        case .silu:
            // An operator of its own (Swish) only from opset 24 on.
            let gate = export.add("\(name).sigmoid", "Sigmoid", x)
            return export.add(name, "Mul", x, [gate.name])
        }
    }
}

extension ActivationLayer {
    func describe(_ x: ONNXValue, in export: inout ONNXExport) -> ONNXValue { kind.describe(x, name, in: &export) }
}

extension BatchNorm {
    func describe(_ x: ONNXValue, in export: inout ONNXExport) -> ONNXValue {
        let (mean, variance) = (tensors[0], tensors[1])
        let (scale, shift): (String, String)
        if affine {
            (scale, shift) = (export.constant(tensors[2]), export.constant(tensors[3]))
        } else {
            let channels = input.channels
            scale = export.graph.constant(
                "\(name).scale", floats: [Float](repeating: 1, count: channels), shape: [channels])
            shift = export.graph.constant(
                "\(name).shift", floats: [Float](repeating: 0, count: channels), shape: [channels])
        }
        let y = export.add(
            name, "BatchNormalization", x, [scale, shift, export.constant(mean), export.constant(variance)],
            ["epsilon": .float(Float(epsilon))])
        return activation?.describe(y, "\(name).\(activation!.rawValue)", in: &export) ?? y
    }
}

extension Convolution {
    /// Filters [k, k, in, out] become [out, in, k, k].
    func describe(_ x: ONNXValue, in export: inout ONNXExport) -> ONNXValue {
        let shape = algorithm.shape
        let (kernel, pad) = (shape.kernel, shape.pad)
        let filters = export.constant(
            tensors[0], from: tensors[0].shape, order: [3, 2, 0, 1], to: [shape.outputs, shape.inputs, kernel, kernel])
        let bias = hasBias ? [export.constant(tensors[1])] : []
        var y = export.add(
            name, "Conv", x, [filters] + bias,
            ["kernel_shape": .integers([kernel, kernel]), "pads": .integers([pad, pad, pad, pad])])
        if let norm { y = norm.describe(y, in: &export) }
        return activation?.describe(y, "\(y.name).\(activation!.rawValue)", in: &export) ?? y
    }
}

extension DepthwiseConvolution {
    /// Filters [k, k, channels] become [channels, 1, k, k].
    func describe(_ x: ONNXValue, in export: inout ONNXExport) -> ONNXValue {
        let (filters, channels) = (tensors[0], input.channels)
        let kernel = filters.shape[0]
        let pad = kernel / 2
        return export.add(
            name, "Conv", x,
            [export.constant(filters, from: filters.shape, order: [2, 0, 1], to: [channels, 1, kernel, kernel])],
            [
                "group": .integer(channels), "kernel_shape": .integers([kernel, kernel]),
                "pads": .integers([pad, pad, pad, pad]),
            ])
    }
}

extension MaxPool {
    /// Windows of 3 begin one pixel outside where the side is odd, and end one outside always.
    func describe(_ x: ONNXValue, in export: inout ONNXExport) -> ONNXValue {
        let pads = window == 3 ? [input.height % 2, input.width % 2, 1, 1] : [0, 0, 0, 0]
        return export.add(
            name, "MaxPool", x, [],
            [
                "kernel_shape": .integers([window, window]), "strides": .integers([2, 2]), "pads": .integers(pads),
            ])
    }
}

extension GlobalPool {
    func describe(_ x: ONNXValue, in export: inout ONNXExport) -> ONNXValue {
        let largest = export.add("\(name).max", "GlobalMaxPool", x)
        let mean = export.add("\(name).mean", "GlobalAveragePool", x)
        return export.add(name, "Add", largest, [mean.name])
    }
}

extension FullyConnected {
    /// A map is flattened as ONNX has it, channel by channel; the matrix's rows come in that order.
    func describe(_ x: ONNXValue, in export: inout ONNXExport) -> ONNXValue {
        let matrix = tensors[0]
        var x = x
        if x.isMap {
            x = ONNXValue(
                name: export.add("\(name).flat", "Flatten", x, [], ["axis": .integer(1)]).name, isMap: false)
        }
        let weights = export.constant(
            matrix, from: [input.height, input.width, input.channels, matrix.shape[1]], order: [2, 0, 1, 3],
            to: matrix.shape)
        let bias = tensors.count > 1 ? [export.constant(tensors[1])] : []
        return export.add(name, "Gemm", x, [weights] + bias)
    }
}

extension Dropout {
    func describe(_ x: ONNXValue, in export: inout ONNXExport) -> ONNXValue { x }
}

extension Scale {
    func describe(_ x: ONNXValue, in export: inout ONNXExport) -> ONNXValue {
        let factor = export.graph.constant("\(name).factor", floats: [factor])
        return export.add(name, "Mul", x, [factor])
    }
}

extension Residual {
    func describe(_ x: ONNXValue, in export: inout ONNXExport) -> ONNXValue {
        let y = branch.reduce(x) { $1.describe($0, in: &export) }
        return export.add("\(name).sum", "Add", x, [y.name])
    }
}

extension HierarchicalSoftmax {
    /// Classes are gathered by their superclass, N × superclasses × the most classes of one; what is over in smaller ones
    /// is a logit that counts for nothing.
    func describe(_ x: ONNXValue, in export: inout ONNXExport) -> ONNXValue {
        let (classes, groups) = (groupOf.count, sizes.count)
        let most = Int(sizes.max() ?? 0)
        var members = [[Int]](repeating: [], count: groups)
        var places: [Int] = []
        for (label, group) in groupOf.enumerated() {
            places.append(group * most + members[group].count)
            members[group].append(label)
        }
        var logits = x
        if members.contains(where: { $0.count < most }) {
            let pads = export.graph.constant("\(name).pads", integers: [0, 0, 0, 1])
            let nothing = export.graph.constant("\(name).nothing", floats: [-1e30])
            logits = export.add("\(name).padded", "Pad", x, [pads, nothing])
        }
        let order = export.graph.constant(
            "\(name).members", integers: members.flatMap { $0 + Array(repeating: classes, count: most - $0.count) },
            shape: [groups, most])
        var inside = export.add("\(name).gathered", "Gather", logits, [order], ["axis": .integer(1)])
        inside = export.add("\(name).inside", "LogSoftmax", inside, [], ["axis": .integer(2)])
        inside = export.add("\(name).flat", "Flatten", inside, [], ["axis": .integer(1)])
        let back = export.graph.constant("\(name).places", integers: places)
        inside = export.add("\(name).given", "Gather", inside, [back], ["axis": .integer(1)])

        var shares = [Float](repeating: 0, count: classes * groups)
        for (label, group) in groupOf.enumerated() { shares[label * groups + group] = Float(1 / sizes[group]) }
        let means = export.graph.constant("\(name).means", floats: shares, shape: [classes, groups])
        var own = export.add("\(name).logits", "MatMul", x, [means])
        own = export.add("\(name).groups", "LogSoftmax", own, [], ["axis": .integer(1)])
        let groupOf = export.graph.constant("\(name).of", integers: groupOf)
        own = export.add("\(name).group", "Gather", own, [groupOf], ["axis": .integer(1)])
        return export.add(name, "Add", own, [inside.name])
    }
}
