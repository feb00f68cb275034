extension Network {
    /// Adds the network to a graph, from prepared pixels to the probabilities, with its weights and temperature as they are.
    ///
    /// - Parameters:
    ///   - images: what the normalizer gives, N×C×H×W.
    ///   - views: of each image, whose answers are averaged as `AveragedNetwork` does it.
    package func describe(_ images: String, views: [AveragedNetwork.View], in graph: inout ONNXGraph) {
        var export = ONNXExport(graph: graph, floats: read)
        var x = ONNXValue(name: images, isMap: true)
        if views.count > 1 { x = Self.copies(of: x, views, input, in: &export) }
        x = layers.reduce(x) { $1.describe($0, in: &export) }
        if x.isMap {
            // Only a network without a matrix at its end, whose logits are single pixels.
            x = ONNXValue(
                name: export.add("logits.flat", "Flatten", x, [], ["axis": .integer(1)]).name, isMap: false)
        }
        if temperature != 1 {
            let divisor = export.graph.constant("temperature", floats: [temperature])
            x = export.add("logits.tempered", "Div", x, [divisor])
        }
        let isAverage = views.count > 1
        x = export.add(
            isAverage ? "views.probabilities" : ONNXGraph.output, "Softmax", x, [], ["axis": .integer(1)])
        if isAverage { Self.average(x, views, classes: classes, in: &export) }
        graph = export.graph
    }

    /// The views of all images, one view after the other along the batch: each pixel is gathered from where it comes.
    private static func copies(
        of x: ONNXValue, _ views: [AveragedNetwork.View], _ shape: Shape, in export: inout ONNXExport
    ) -> ONNXValue {
        var copies: [String] = []
        for (index, view) in views.enumerated() {
            let name = "views.\(index)"
            var copy = x
            if view.move != 0 {
                let rows = (0..<shape.height).map { min(max($0 - view.move, 0), shape.height - 1) }
                let constant = export.graph.constant("\(name).rows", integers: rows)
                copy = export.add("\(name).moved", "Gather", copy, [constant], ["axis": .integer(2)])
            }
            if view.move != 0 || view.mirrored {
                let columns = (0..<shape.width).map {
                    let column = min(max($0 - view.move, 0), shape.width - 1)
                    return view.mirrored ? shape.width - 1 - column : column
                }
                let constant = export.graph.constant("\(name).columns", integers: columns)
                copy = export.add(name, "Gather", copy, [constant], ["axis": .integer(3)])
            }
            copies.append(copy.name)
        }
        return ONNXValue(name: export.graph.add("views", "Concat", copies, ["axis": .integer(0)]), isMap: true)
    }

    private static func average(
        _ x: ONNXValue, _ views: [AveragedNetwork.View], classes: Int, in export: inout ONNXExport
    ) {
        let shape = export.graph.constant("views.shape", integers: [views.count, -1, classes])
        var x = export.add("views.apart", "Reshape", x, [shape])
        let weights = export.graph.constant("views.weights", floats: views.map(\.weight), shape: [views.count, 1, 1])
        x = export.add("views.weighted", "Mul", x, [weights])
        let axis = export.graph.constant("views.axis", integers: [0])
        _ = export.add(ONNXGraph.output, "ReduceSum", x, [axis], ["keepdims": .integer(0)])
    }
}
