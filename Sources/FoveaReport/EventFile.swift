// TensorBoard's event file: a sequence of records, each an Event message (tensorflow/core/util/event.proto).
//
//   length u64 LE │ masked CRC-32C of the length, u32 LE │ message │ masked CRC-32C of the message, u32 LE
//
// Scalars and images are in the form that summaries had before TensorFlow 2 (simple_value, image), which TensorBoard
// converts when it loads; it needs no metadata of plugins, and PyTorch writes it too.

import FoveaNN
import FoveaSystem
import FoveaTraining

/// A training as TensorBoard reads it.
package struct EventFile: Sendable {
    package private(set) var bytes: [UInt8] = []

    /// Scalars of each epoch, the network's graph, and of the report's pictures the predictions and the confusion matrix.
    ///
    /// Only the durations of epochs are recorded: their times are reckoned back from the training's end.
    package init(_ record: TrainingRecord, graph: [GraphNode], pictures: [String: [UInt8]]) {
        // The seconds left after each epoch, from all of them to none: times that are summed forwards instead may end a
        // rounding error after the training.
        let left = Array(
            record.epochs.reversed().reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.seconds) }.reversed())
        let start = record.finished - left[0]
        append(time: start) { $0.string(3, "brain.Event:2") }
        if !graph.isEmpty {
            append(time: start) { $0.data(4, GraphMessage.bytes(graph)) }
        }
        for (epoch, left) in zip(record.epochs, left.dropFirst()) {
            var scalars = [
                ("loss/training", epoch.loss), ("accuracy/training", epoch.top1),
                ("learning-rate", epoch.learningRate), ("images-per-second", epoch.imagesPerSecond),
            ]
            if let development = epoch.development {
                scalars += [("loss/development", development.loss), ("accuracy/development", development.top1)]
            }
            append(time: record.finished - left, step: epoch.epoch) { event in
                event.message(5) { summary in
                    for (tag, value) in scalars {
                        summary.message(1) {
                            $0.string(1, tag)
                            $0.float(2, Float(value))
                        }
                    }
                }
            }
        }
        for name in ["predictions", "confusion"] {
            guard let png = pictures["\(name).png"], png.count > 24 else { continue }
            append(time: record.finished, step: record.keptEpoch) { event in
                event.message(5) { summary in
                    summary.message(1) { value in
                        value.string(1, name)
                        value.message(4) { image in
                            image.integer(1, Self.bigEndian(png[20..<24]))
                            image.integer(2, Self.bigEndian(png[16..<20]))
                            image.integer(3, 3)  // RGB
                            image.data(4, png)
                        }
                    }
                }
            }
        }
    }

    /// The file's name, by which TensorBoard finds it. It usually ends in the host's, which is nobody's business.
    package static func name(time: Double) -> String { "events.out.tfevents.\(Int(time)).fovea" }

    /// A number of a PNG's header.
    private static func bigEndian(_ bytes: ArraySlice<UInt8>) -> Int { bytes.reduce(0) { $0 << 8 | Int($1) } }

    // MARK: - Records

    private mutating func append(time: Double, step: Int? = nil, _ write: (inout ProtobufWriter) -> Void) {
        var event = ProtobufWriter()
        event.double(1, time)
        if let step { event.integer(2, step) }
        write(&event)
        bytes += Self.record(event.bytes)
    }

    /// A message with its frame.
    package static func record(_ message: [UInt8]) -> [UInt8] {
        let length = withUnsafeBytes(of: UInt64(message.count).littleEndian) { Array($0) }
        return length + masked(crc32c(length)) + message + masked(crc32c(message))
    }

    /// Turned and shifted, since a CRC over data with CRCs in them says little.
    private static func masked(_ sum: UInt32) -> [UInt8] {
        let value = (sum >> 15 | sum << 17) &+ 0xA282_EAD8
        return withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
}

/// A graph as TensorFlow's GraphDef (tensorflow/core/framework/graph.proto), which TensorBoard draws.
private enum GraphMessage {
    static func bytes(_ nodes: [GraphNode]) -> [UInt8] {
        var graph = ProtobufWriter()
        for node in nodes {
            graph.message(1) { message in
                message.string(1, node.name)
                message.string(2, node.operation)
                for input in node.inputs { message.string(3, input) }
                attribute("_output_shapes", &message) { value in
                    value.message(1) { list in
                        // −1: any number of images.
                        let sides = [-1, node.output.height, node.output.width, node.output.channels]
                        list.message(7) { shape(sides, &$0) }
                    }
                }
                attribute("T", &message) { $0.integer(6, 1) }  // DT_FLOAT
                if !node.tensors.isEmpty { attribute("parameters", &message) { $0.integer(3, node.parameters) } }
                for tensor in node.tensors {
                    let name = tensor.name.split(separator: ".").last.map(String.init) ?? tensor.name
                    attribute(name, &message) { $0.message(7) { shape(tensor.shape, &$0) } }
                }
            }
        }
        graph.message(4) { $0.integer(1, 22) }  // versions: producer
        return graph.bytes
    }

    /// An entry of a node's map of attributes.
    private static func attribute(
        _ name: String, _ message: inout ProtobufWriter, _ write: (inout ProtobufWriter) -> Void
    ) {
        message.message(5) { entry in
            entry.string(1, name)
            entry.message(2, write)
        }
    }

    private static func shape(_ sides: [Int], _ message: inout ProtobufWriter) {
        for side in sides { message.message(2) { $0.integer(1, side) } }
    }
}
