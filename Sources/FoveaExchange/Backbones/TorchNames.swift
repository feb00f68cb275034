import FoveaModels
import FoveaTorch

/// Where the tensors of EfficientNet-Lite stand in a PyTorch state dictionary, by the names of `efficientnet_lite_pytorch`
/// (github.com/ml-illustrated/EfficientNet-Lite-PyTorch).
///
///     stem.conv.weight                _conv_stem.weight
///     stem.norm.*                     _bn0.*
///     blocks.N.expand.conv.weight     _blocks.N._expand_conv.weight        blocks.N.expand.norm.*       _blocks.N._bn0.*
///     blocks.N.depthwise.conv.weight  _blocks.N._depthwise_conv.weight     blocks.N.depthwise.norm.*    _blocks.N._bn1.*
///     blocks.N.project.conv.weight    _blocks.N._project_conv.weight       blocks.N.project.norm.*      _blocks.N._bn2.*
///     head.conv.weight                _conv_head.weight
///     head.norm.*                     _bn1.*
///     head.linear.weight, .bias       _fc.weight, .bias
///
///     norm.scale, shift, mean, variance    weight, bias, running_mean, running_var
package enum TorchNames {
    /// A tensor as Fovea's network has it.
    package struct Target: Sendable {
        package let name: String
        package let shape: [Int]

        package init(name: String, shape: [Int]) { (self.name, self.shape) = (name, shape) }
    }

    /// PyTorch's name of a tensor, nil where it has none.
    package static func source(of name: String) -> String? {
        let parts = name.split(separator: ".").map(String.init)
        guard let first = parts.first, let last = parts.last else { return nil }
        let statistic = ["scale": "weight", "shift": "bias", "mean": "running_mean", "variance": "running_var"][last]
        switch (first, parts.count) {
        case ("stem", 3), ("head", 3):
            switch parts[1] {
            case "conv" where last == "weight": return "_conv_\(first).weight"
            case "norm": return statistic.map { "_bn\(first == "stem" ? 0 : 1).\($0)" }
            case "linear" where first == "head" && ["weight", "bias"].contains(last): return "_fc.\(last)"
            default: return nil
            }
        case ("blocks", 5):
            guard UInt16(parts[1]).map({ "\($0)" == parts[1] }) == true,
                let step = ["expand", "depthwise", "project"].firstIndex(of: parts[2])
            else { return nil }
            switch parts[3] {
            case "conv" where last == "weight": return "_blocks.\(parts[1])._\(parts[2])_conv.weight"
            case "norm": return statistic.map { "_blocks.\(parts[1])._bn\(step).\($0)" }
            default: return nil
            }
        default: return nil
        }
    }

    /// The values of all `targets`, by their names.
    ///
    /// - Throws: `.damaged` for a tensor that is missing, has another shape, or is left over.
    package static func tensors(
        _ targets: [Target], from file: TorchFile, subject: String
    ) throws(ModelError) -> [String: [Float]] {
        func refusal(_ problem: String) -> ModelError { ModelError(.damaged, subject, problem) }
        var tensors: [String: [Float]] = [:]
        // PyTorch counts batches for its own use.
        var unused = Set(file.tensors.map(\.name).filter { !$0.hasSuffix(".num_batches_tracked") })
        for target in targets {
            guard let source = source(of: target.name), let tensor = file.tensor(source) else {
                throw refusal("has no tensor '\(source(of: target.name) ?? target.name)': not this network")
            }
            unused.remove(source)
            guard let order = order(tensor.shape, for: target.shape) else {
                throw refusal("tensor '\(source)' has the shape \(tensor.shape): not this network's")
            }
            let values: [Float]
            do throws(TorchError) { values = try file.floats(source) } catch { throw refusal(error.problem) }
            if let index = values.firstIndex(where: { !$0.isFinite }) {
                throw refusal("tensor '\(source)': element \(index) is \(values[index])")
            }
            tensors[target.name] = permuted(values, shape: tensor.shape, order: order)
        }
        if let name = unused.min() {
            throw refusal("has \(unused.count) tensors that this network has not, such as '\(name)'")
        }
        return tensors
    }

    /// The dimensions of PyTorch's layout in the order of Fovea's, nil where the shapes do not belong together.
    ///
    ///     filters      O × I × H × W  →  H × W × I × O
    ///     depthwise    C × 1 × H × W  →  H × W × C
    ///     matrix       O × I          →  I × O
    ///     vector       C              →  C
    package static func order(_ shape: [Int], for target: [Int]) -> [Int]? {
        let order: [Int]
        switch (shape.count, target.count) {
        case (4, 4): order = [2, 3, 1, 0]
        case (4, 3) where shape[1] == 1: order = [2, 3, 0]
        case (2, 2): order = [1, 0]
        case (1, 1): order = [0]
        default: return nil
        }
        return order.map { shape[$0] } == target ? order : nil
    }

    /// Values in C order with their dimensions in another order; a dimension that `order` leaves out has one element.
    package static func permuted(_ values: [Float], shape: [Int], order: [Int]) -> [Float] {
        var strides = shape
        var stride = 1
        for dimension in shape.indices.reversed() {
            strides[dimension] = stride
            stride *= shape[dimension]
        }
        let (extents, steps) = (order.map { shape[$0] }, order.map { strides[$0] })
        var index = [Int](repeating: 0, count: order.count)
        var place = 0
        return values.map { _ in
            defer {
                for dimension in index.indices.reversed() {
                    index[dimension] += 1
                    place += steps[dimension]
                    if index[dimension] < extents[dimension] { break }
                    place -= index[dimension] * steps[dimension]
                    index[dimension] = 0
                }
            }
            return values[place]
        }
    }
}
