import FoveaModels

// From a picture's size to the places of its pixels in the target. Each side has three lengths:
//
//     source ──scale──▶ scaled ──cut──▶ window ──place──▶ target
//     (as decoded)      (virtual)       (a range of scaled)  (from `offset` on; the rest is fill)
//
// `crop` cuts and fills nothing, `fit` cuts nothing and fills, `stretch` does neither. The scaled picture is never made:
// the resizer computes the window alone.

/// One side of a picture on its way to the target.
struct FramedSide: Equatable {
    /// Pixels of the whole side once it is scaled.
    var scaled: Int
    /// Those of them that are kept.
    var window: Range<Int>
    /// Where the first of them lies in the target.
    var offset: Int
    /// Pixels of the target's side.
    var target: Int

    /// The same side, counted from its other end.
    var reversed: FramedSide {
        FramedSide(
            scaled: scaled, window: scaled - window.upperBound..<scaled - window.lowerBound,
            offset: target - offset - window.count, target: target)
    }
}

/// Both sides. Fractions are rounded as torchvision's `Resize` and `CenterCrop` and Pillow's `ImageOps.pad` round them.
struct FramingGeometry: Equatable {
    var columns: FramedSide
    var rows: FramedSide

    /// - Parameters:
    ///   - width: of the picture as shown, at least 1.
    ///   - height: the same.
    init(width: Int, height: Int, target: ImageTarget) {
        switch target.framing {
        case .stretch:
            columns = Self.whole(target.width, in: target.width)
            rows = Self.whole(target.height, in: target.height)
        case .crop(let share):
            // Whole pixels of the picture that the target is cut from: 224 / 0.875 is 256.
            let wide = Int((Double(target.width) / share + 1e-6).rounded(.down))
            let high = Int((Double(target.height) / share + 1e-6).rounded(.down))
            // The side that is scaled to its length exactly; the other one follows and is at least as long.
            if wide * height >= high * width {
                columns = Self.centred(target.width, in: wide)
                rows = Self.centred(target.height, in: max(wide * height / width, target.height))
            } else {
                columns = Self.centred(target.width, in: max(high * width / height, target.width))
                rows = Self.centred(target.height, in: high)
            }
        case .fit:
            if target.width * height >= target.height * width {
                columns = Self.padded(Self.scaled(width, target.height, height), in: target.width)
                rows = Self.whole(target.height, in: target.height)
            } else {
                columns = Self.whole(target.width, in: target.width)
                rows = Self.padded(Self.scaled(height, target.width, width), in: target.height)
            }
        }
    }

    /// The geometry of the stored picture, of which `orientation` makes the one that is shown.
    func stored(_ orientation: Orientation) -> FramingGeometry {
        var result = self
        if orientation.swapsSides { swap(&result.columns, &result.rows) }
        if orientation.reversesStoredColumns { result.columns = result.columns.reversed }
        if orientation.reversesStoredRows { result.rows = result.rows.reversed }
        return result
    }

    /// Whether some of the target is left to be filled.
    var hasMargins: Bool { columns.window.count < columns.target || rows.window.count < rows.target }

    private static func whole(_ length: Int, in target: Int) -> FramedSide {
        FramedSide(scaled: length, window: 0..<length, offset: 0, target: target)
    }

    private static func centred(_ target: Int, in scaled: Int) -> FramedSide {
        // Python rounds halves to the even number.
        let first = Int((Double(scaled - target) / 2).rounded(.toNearestOrEven))
        return FramedSide(scaled: scaled, window: first..<first + target, offset: 0, target: target)
    }

    private static func padded(_ length: Int, in target: Int) -> FramedSide {
        let offset = Int((Double(target - length) / 2).rounded(.toNearestOrEven))
        return FramedSide(scaled: length, window: 0..<length, offset: offset, target: target)
    }

    /// `length` × `to` ÷ `from`, rounded, at least 1.
    private static func scaled(_ length: Int, _ to: Int, _ from: Int) -> Int {
        max(1, Int((Double(length) * Double(to) / Double(from)).rounded(.toNearestOrEven)))
    }
}
