/// Why bytes did not become an image, with a sentence for whoever put them there.
package struct ImageError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kind of fault.
    package enum Code: Sendable, Equatable {
        /// An image, of a format that Fovea does not read: `HEIC`, `TIFF`, `12-bit JPEG`, …
        case unsupported(format: String)
        /// The data end inside the image.
        case truncated
        /// The data break the rules of their format.
        case corrupt
        /// `what` (`bytes`, `width`, `height`, `pixels`, `scans`) is above its limit.
        case tooLarge(what: String, value: Int, limit: Int)
        /// No image; `looksLike` says what else it may be, such as `plain text`.
        case notAnImage(looksLike: String)
        /// The process has no memory for it.
        case outOfMemory
        /// The descriptor could not be read; `errno` as read(2) left it.
        case unreadable(errno: Int32)
    }

    package let code: Code
    /// One sentence: what is wrong and what to do.
    package let description: String

    init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }

    /// A stable word for programs: `unsupported`, `truncated`, `corrupt`, `too-large`, `not-an-image`,
    /// `out-of-memory`, `unreadable`.
    package var name: String {
        switch code {
        case .unsupported: "unsupported"
        case .truncated: "truncated"
        case .corrupt: "corrupt"
        case .tooLarge: "too-large"
        case .notAnImage: "not-an-image"
        case .outOfMemory: "out-of-memory"
        case .unreadable: "unreadable"
        }
    }
}

extension ImageError {
    static func unsupported(_ format: String) -> ImageError {
        ImageError(.unsupported(format: format), "\(format) is not supported: save the image as PNG or JPEG")
    }

    static func notAnImage(_ looksLike: String) -> ImageError {
        ImageError(
            .notAnImage(looksLike: looksLike), "not an image but \(looksLike): PNG and JPEG are read, whatever the name"
        )
    }

    static func truncated(_ format: ImageFormat, bytes: Int) -> ImageError {
        ImageError(
            .truncated, "the \(format.title) ends early, after \(bytes) bytes: it was cut off, copy it again")
    }

    static func corrupt(_ format: ImageFormat, _ detail: String) -> ImageError {
        let said = detail.isEmpty ? "" : " (\(detail))"
        return ImageError(.corrupt, "the \(format.title) is damaged\(said): copy it again or save it anew")
    }

    static func tooLarge(_ what: String, _ value: Int, limit: Int) -> ImageError {
        let key: String? =
            switch what {
            case "bytes": "limits.file"
            case "width", "height", "side": "limits.side"
            case "pixels": "limits.pixels"
            default: nil
            }
        let advice =
            key.map { "make the image smaller, or raise \($0) in the configuration" }
            ?? "no camera writes so many: save the image anew"
        return ImageError(
            .tooLarge(what: what, value: value, limit: limit),
            "too large: \(what) \(value), the limit is \(limit): \(advice)")
    }

    static let outOfMemory = ImageError(
        .outOfMemory, "no memory for this image: make it smaller or raise the memory limit")
}
