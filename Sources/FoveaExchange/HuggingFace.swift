// A model in the layout of the Hugging Face Hub:
//
//     config.json               labels and sizes, for programs that know that layout
//     preprocessor_config.json  what is done to an image before the network
//     model.safetensors         the weights
//     README.md                 the model card
//     fovea.json                Fovea's own config.json
//     golden.safetensors        images with the scores that the model gives them
//     manifest.json             size and SHA-256 of Fovea's three files
//     training/
//
// Weights, golden set, manifest and fovea.json are Fovea's own files byte for byte, so that a model that has been
// through it is the same model with the same hash. The rest is made from them and dropped on the way back.

import FoveaModels
import FoveaSystem

/// The files of the layout that Fovea itself does not have.
enum HuggingFace {
    /// Where Fovea's config.json travels, since the layout has a file of that name.
    static let ownConfiguration = "fovea.json"
    static let preprocessing = "preprocessor_config.json"
    static let card = "README.md"

    /// The files that go back into a model, with the names that they have there. All others are the layout's.
    static let ours = [
        ownConfiguration: ModelFolder.configurationName, ModelFolder.weightsName: ModelFolder.weightsName,
        ModelFolder.goldenName: ModelFolder.goldenName, ModelFolder.manifestName: ModelFolder.manifestName,
    ]

    /// The layout's `config.json`.
    static func configuration(_ model: VerifiedModel) -> [UInt8] {
        let configuration = model.configuration
        let (height, width) = (configuration.input.height, configuration.input.width)
        let labels = configuration.labels.enumerated()
        var members: [String: JSONValue] = [
            "architectures": .array([.string("FoveaForImageClassification")]),
            "model_type": .string("fovea"),
            "problem_type": .string("single_label_classification"),
            "num_labels": .int(configuration.labels.count),
            "id2label": .object(Dictionary(uniqueKeysWithValues: labels.map { ("\($0)", .string($1)) })),
            "label2id": .object(Dictionary(uniqueKeysWithValues: labels.map { ($1, .int($0)) })),
            "image_size": height == width ? .int(height) : .array([.int(height), .int(width)]),
            "num_channels": .int(configuration.input.channels),
            "fovea": .object([
                "name": .string(configuration.name), "version": .string(configuration.version),
                "sha256": .string(model.sha256), "network": configuration.network ?? .null,
            ]),
        ]
        if let type = configuration.weights?.dtype {
            members["torch_dtype"] = .string(type == .float16 ? "float16" : "float32")
        }
        return JSONText.pretty(JSONValue.object(members))
    }

    /// `preprocessor_config.json`. A class of image processors is named only where one does all that Fovea does: none
    /// sharpens, and none fills margins.
    static func preprocessing(_ configuration: ModelConfiguration) -> [UInt8] {
        let input = configuration.input
        // Pillow's numbers of the filters.
        let (bilinear, bicubic) = (2, 3)
        let size: JSONValue = .object(["height": .int(input.height), "width": .int(input.width)])
        var members: [String: JSONValue] = [
            "do_convert_rgb": .bool(true),
            "do_resize": .bool(true),
            "size": size,
            "resample": .int(input.resample == .bilinear ? bilinear : bicubic),
            "do_rescale": .bool(true),
            "rescale_factor": .number(1.0 / 255),
            "do_normalize": .bool(false),
            "fovea_chain": (try? JSONValue(encoding: configuration.chain)) ?? .null,
        ]
        let stages = configuration.chain.dropLast().map(PixelStage.init)
        if case .normalize(let mean, let std)?? = stages.last {
            members["do_normalize"] = .bool(true)
            members["image_mean"] = .array(mean.map { .number($0) })
            members["image_std"] = .array(std.map { .number($0) })
            if stages.count == 1 { members["image_processor_type"] = .string("ViTImageProcessor") }
        }
        switch input.framing {
        case .stretch: break
        case .crop(let share):
            members["do_center_crop"] = .bool(true)
            members["crop_size"] = size
            if input.height == input.width {
                members["size"] = .object(["shortest_edge": .int(Int(Double(input.height) / share + 1e-6))])
            }
            if members["image_processor_type"] != nil {
                members["image_processor_type"] =
                    input.height == input.width ? .string("CLIPImageProcessor") : nil
            }
        case .fit: members["image_processor_type"] = nil
        }
        if input.framing != .stretch {
            members["fovea_framing"] = (try? JSONValue(encoding: input.framing)) ?? .null
        }
        return JSONText.pretty(JSONValue.object(members))
    }

    /// A model card for a model that brings none.
    static func card(_ model: VerifiedModel) -> [UInt8] {
        let configuration = model.configuration
        let (height, width) = (configuration.input.height, configuration.input.width)
        let architecture = configuration.network?["architecture"]?.string.map { "`\($0)`, a network" } ?? "A classifier"
        var lines = [
            "---", "library_name: fovea", "pipeline_tag: image-classification", "tags:", "- image-classification",
            "- fovea", "---", "",
            "# \(configuration.name)@\(configuration.version)", "",
            configuration.description, "",
            "\(architecture) for \(configuration.labels.count) labels on images of \(width) × \(height) pixels, "
                + "trained by Fovea on a CPU.", "",
        ]
        for (part, images) in [("test", "test images"), ("dev", "\(configuration.heldOut) images")] {
            guard let figures = configuration.metrics?[part], let top1 = figures["top1"]?.double else { continue }
            let count = figures["images"]?.double.flatMap { Int(exactly: $0) }.map { "\($0) " } ?? ""
            lines += ["Right on \(Double((top1 * 1000).rounded()) / 10) % of \(count)\(images).", ""]
        }
        lines += [
            "`foveactl model import` takes this folder. Other programs find the labels in `config.json`, what is "
                + "done to an image in `preprocessor_config.json` (\(configuration.input.target.sentence), then the stages of `fovea_chain`) and "
                + "in `golden.safetensors` images with the scores that the model gives them. Filters in "
                + "`model.safetensors` are height × width × inputs × outputs.", "",
            "SHA-256 of `manifest.json`: `\(model.sha256)`",
        ]
        return Array((lines.joined(separator: "\n") + "\n").utf8)
    }
}
