// How a picture of any size becomes an input of one size. The words stand here, and not beside the decoder, because a
// model's config.json records them: whoever prepares an image for a model asks its `input.target`.

/// One colour, 8 bits a channel in sRGB.
package struct RGBColour: Sendable, Hashable {
    package let red: UInt8
    package let green: UInt8
    package let blue: UInt8

    package init(_ red: UInt8, _ green: UInt8, _ blue: UInt8) { (self.red, self.green, self.blue) = (red, green, blue) }
}

/// What becomes of a picture whose proportions differ from the input's.
package enum Framing: Sendable, Hashable {
    /// The whole picture fills the input; shapes change. Models without the key in config.json are of this kind.
    case stretch
    /// The picture is scaled until the input would be `share` of its shorter side; the centre is taken, the rest is lost.
    /// `share` is above 0 and at most 1. torchvision's `Resize(256)` and `CenterCrop(224)` are a share of 0.875 at 224.
    case crop(share: Double)
    /// The whole picture is scaled until it fits into the input; `fill` covers the margins (letterbox).
    case fit(fill: RGBColour)

    /// The share that most networks for photographs are trained with.
    package static let usualShare = 0.875
}

/// The filter that scales a picture; both are antialiased when a picture gets smaller, as Pillow's are.
package enum Resample: String, Sendable, Hashable, Codable, CaseIterable {
    /// The triangle.
    case bilinear
    /// Keys's cubic convolution with a = −0.5 (IEEE Transactions on Acoustics, Speech, and Signal Processing 29(6), 1981).
    case bicubic
}

/// What a decoder shall make of a picture: size, framing and filter.
package struct ImageTarget: Sendable, Hashable {
    /// Pixels, at least 1.
    package var height: Int
    package var width: Int
    package var framing: Framing
    package var resample: Resample

    package init(height: Int, width: Int, framing: Framing = .stretch, resample: Resample = .bilinear) {
        precondition(height > 0 && width > 0)
        (self.height, self.width, self.framing, self.resample) = (height, width, framing, resample)
    }

    /// Bytes of the result: height × width × 3.
    package var bytes: Int { height * width * 3 }

    /// What is done to a picture, for people: a clause that follows "a picture is".
    package var sentence: String {
        let size = "\(width) × \(height) pixels"
        return switch framing {
        case .stretch: "stretched to \(size)"
        case .crop(let share): "scaled, and its centre cut to \(size) (\(share) of its shorter side)"
        case .fit: "scaled to fit into \(size), and its margins filled with one colour"
        }
    }
}

extension ImageTarget: CustomStringConvertible {
    /// Short and unambiguous, also as a part of a cache's key: `224×224 crop 0.875 bicubic`.
    package var description: String { "\(width)×\(height) \(framing) \(resample.rawValue)" }
}

extension Framing: CustomStringConvertible {
    /// `stretch`, `crop 0.875`, `fit 127,127,127`.
    package var description: String {
        switch self {
        case .stretch: "stretch"
        case .crop(let share): "crop \(share)"
        case .fit(let fill): "fit \(fill.red),\(fill.green),\(fill.blue)"
        }
    }

    /// What `--framing` takes: `stretch`, `crop`, `crop=SHARE`, `fit`.
    ///
    /// - Parameter mean: fills the margins of `fit`.
    /// - Returns: nil for anything else.
    package init?(option text: String, mean: RGBColour) {
        switch text {
        case "stretch": self = .stretch
        case "crop": self = .crop(share: Self.usualShare)
        case "fit": self = .fit(fill: mean)
        default:
            guard text.hasPrefix("crop="), let share = Double(text.dropFirst(5)), Self.isShare(share) else {
                return nil
            }
            self = .crop(share: share)
        }
    }

    /// A smaller share would enlarge most pictures far beyond their pixels.
    package static func isShare(_ share: Double) -> Bool { share >= 0.05 && share <= 1 }
}

/// As `input.framing` in config.json: `{"kind": "crop", "share": 0.875}`, `{"fill": [127, 127, 127], "kind": "fit"}`.
extension Framing: Codable {
    private enum Keys: String, CodingKey { case kind, share, fill }

    package init(from decoder: any Decoder) throws {
        let keys = try StrictKeys(decoder, allowed: ["kind", "share", "fill"], what: "config.json input.framing")
        let kind: String = try keys.required("kind")
        let share: Double? = try keys.optional("share")
        let fill: [Int]? = try keys.optional("fill")
        if share != nil && kind != "crop" { throw keys.invalid("share", "goes with crop") }
        if fill != nil && kind != "fit" { throw keys.invalid("fill", "goes with fit") }
        switch kind {
        case "stretch": self = .stretch
        case "crop":
            let share = share ?? Self.usualShare
            guard Self.isShare(share) else { throw keys.invalid("share", "must be from 0.05 to 1") }
            self = .crop(share: share)
        case "fit":
            guard let fill, fill.count == 3, fill.allSatisfy((0...255).contains) else {
                throw keys.invalid("fill", "must be three whole numbers from 0 to 255")
            }
            self = .fit(fill: RGBColour(UInt8(fill[0]), UInt8(fill[1]), UInt8(fill[2])))
        default: throw keys.invalid("kind", "is '\(kind)'; known are stretch, crop and fit")
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Keys.self)
        switch self {
        case .stretch: try container.encode("stretch", forKey: .kind)
        case .crop(let share):
            try container.encode("crop", forKey: .kind)
            try container.encode(share, forKey: .share)
        case .fit(let fill):
            try container.encode("fit", forKey: .kind)
            try container.encode([fill.red, fill.green, fill.blue].map(Int.init), forKey: .fill)
        }
    }
}

extension RGBColour {
    /// The colour that a chain's normalizer makes zero of, which is the mean of the images that a network was trained on,
    /// or the middle of the range.
    package init(meanOf chain: [StageConfiguration]) {
        let stage = chain.compactMap(PixelStage.init).last
        guard case .normalize(let mean, _) = stage, mean.count == 3 else {
            self.init(127, 127, 127)
            return
        }
        let bytes = mean.map { UInt8(min(max($0 * 255, 0), 255)) }
        self.init(bytes[0], bytes[1], bytes[2])
    }
}
