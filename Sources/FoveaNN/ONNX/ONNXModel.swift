import FoveaSystem

/// An ONNX file: a graph from uint8 images to probabilities, and what is to be known about it.
///
/// Field numbers are those of onnx.proto. Opset 21 with IR version 10 is ONNX 1.16 of 2024: no operator used here has
/// gained anything since, and runtimes of two years read it.
package struct ONNXModel: Sendable {
    package static let opset = 21
    private static let representation = 10
    /// Protocol buffers' own limit, with room for what is not a constant.
    package static let bytesLimit = Int(Int32.max) - 1 << 24

    package var name: String
    /// The model's version where that is a number.
    package var version = 0
    package var description = ""
    /// Of the images; `channels` is 3.
    package var input: Shape
    package var classes: Int
    /// Text that travels with the graph.
    package var metadata: [String: String] = [:]
    package var graph: ONNXGraph

    package init(name: String, input: Shape, classes: Int, graph: ONNXGraph) {
        (self.name, self.input, self.classes, self.graph) = (name, input, classes, graph)
    }

    private enum ElementType: Int {
        case float = 1
        case uint8 = 2
        case int64 = 7
    }

    /// ModelProto.
    package func encode() -> [UInt8] {
        var writer = ProtobufWriter()
        writer.integer(1, Self.representation)
        writer.string(2, "fovea")
        writer.integer(5, version)
        writer.string(6, description)
        writer.message(7, encodeGraph)
        writer.message(8) {
            $0.string(1, "")
            $0.integer(2, Self.opset)
        }
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            writer.message(14) {
                $0.string(1, key)
                $0.string(2, value)
            }
        }
        return writer.bytes
    }

    /// GraphProto.
    private func encodeGraph(_ writer: inout ProtobufWriter) {
        for node in graph.nodes { writer.message(1) { Self.encode(node, &$0) } }
        writer.string(2, name)
        for constant in graph.constants { writer.message(5) { Self.encode(constant, &$0) } }
        let (height, width) = (input.height, input.width)
        writer.message(11) { Self.value(ONNXGraph.input, .uint8, [height, width, input.channels], &$0) }
        writer.message(12) { Self.value(ONNXGraph.output, .float, [classes], &$0) }
    }

    /// NodeProto.
    private static func encode(_ node: ONNXGraph.Node, _ writer: inout ProtobufWriter) {
        for input in node.inputs { writer.string(1, input) }
        writer.string(2, node.name)
        writer.string(3, node.name)
        writer.string(4, node.operation)
        for (name, value) in node.attributes {
            // AttributeProto: the value in a field of its type, and the type's number in field 20.
            writer.message(5) {
                $0.string(1, name)
                switch value {
                case .float(let value):
                    $0.float(2, value)
                    $0.integer(20, 1)
                case .integer(let value):
                    $0.integer(3, value)
                    $0.integer(20, 2)
                case .text(let value):
                    $0.string(4, value)
                    $0.integer(20, 3)
                case .integers(let values):
                    $0.integers(8, values)
                    $0.integer(20, 7)
                }
            }
        }
    }

    /// TensorProto. Raw data are little-endian, as all machines are that Fovea runs on.
    private static func encode(_ constant: ONNXGraph.Constant, _ writer: inout ProtobufWriter) {
        writer.integers(1, constant.shape)
        switch constant.values {
        case .floats(let values):
            writer.integer(2, ElementType.float.rawValue)
            writer.string(8, constant.name)
            writer.data(9, values.withUnsafeBytes { Array($0) })
        case .integers(let values):
            writer.integer(2, ElementType.int64.rawValue)
            writer.string(8, constant.name)
            writer.data(9, values.map { Int64($0) }.withUnsafeBytes { Array($0) })
        }
    }

    /// ValueInfoProto of batch × `sizes`.
    private static func value(
        _ name: String, _ type: ElementType, _ sizes: [Int], _ writer: inout ProtobufWriter
    ) {
        writer.string(1, name)
        // TypeProto, TypeProto.Tensor, TensorShapeProto, Dimension.
        writer.message(2) {
            $0.message(1) {
                $0.integer(1, type.rawValue)
                $0.message(2) {
                    $0.message(1) { $0.string(2, "batch") }
                    for size in sizes { $0.message(1) { $0.integer(1, size) } }
                }
            }
        }
    }
}
