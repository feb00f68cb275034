import FoveaControl

/// How all plots look: little ink, and colours that colour-blind people tell apart (Okabe & Ito 2008, "Color Universal
/// Design").
enum PlotStyle {
    static let blue = "#0072B2"
    static let vermilion = "#D55E00"
    static let green = "#009E73"
    static let grey = "#9A9A9A"
    static let ink = "#333333"
    /// Of text, in points.
    static let fontSize = 11.0
    static let titleFont = "font ',13'"

    static func terminal(_ plot: Plot, _ format: Gnuplot.Format) -> String {
        // A point of the PNG's is 1.33 pixels, one of the SVG's a pixel.
        let (kind, font) =
            format == .png
            ? ("pngcairo", "font 'Sans,\(Int(fontSize))'")
            : ("svg", "font 'sans-serif,\(Int(fontSize))' fontscale 1.25")
        return "set terminal \(kind) noenhanced size \(plot.width),\(plot.height) background '#FFFFFF' \(font)\n"
    }

    static let prologue = """
        set encoding utf8
        set border 3 linecolor rgb '#B0B0B0'
        set tics nomirror out scale 0.6 textcolor rgb '\(ink)'
        set grid back linetype 1 linewidth 1 linecolor rgb '#E8E8E8'
        set key textcolor rgb '\(ink)' samplen 2 spacing 1.2
        set title textcolor rgb '\(ink)'
        set xlabel textcolor rgb '\(ink)'
        set ylabel textcolor rgb '\(ink)'

        """

    /// A sequential palette of one hue for shares from 0 to 1. Its colours go by the square root, so that one in a hundred can
    /// be seen; its key shows shares as they are.
    static let palette: String = {
        let dark = (r: 8.0, g: 48.0, b: 107.0)
        let stops = (0...20).map { index in
            let root = Double(index) / 20
            func channel(_ end: Double) -> String {
                let value = Int((255 + (end - 255) * root).rounded())
                return (value < 16 ? "0" : "") + String(value, radix: 16)
            }
            return "\(Units.decimals(root * root, 4)) '#\(channel(dark.r))\(channel(dark.g))\(channel(dark.b))'"
        }
        return "set palette defined (\(stops.joined(separator: ", ")))\n"
    }()

    /// Whether white is easier to read than black on a share's colour.
    static func isDark(_ share: Double) -> Bool { share > 0.3 }

    /// Between the tics of an axis from 0 to `most` that has room for four: 1, 2 or 5 times a power of ten.
    static func step(_ most: Int) -> Int {
        var power = 1
        while true {
            for factor in [1, 2, 5] where most <= 4 * factor * power { return factor * power }
            power *= 10
        }
    }

    /// About how many pixels text takes in a font of `size` points.
    static func width(_ text: String, size: Double = fontSize) -> Double {
        text.unicodeScalars.reduce(0) { $0 + ($1.value >= 0x1100 ? 1.2 : 0.68) * size }
    }
}
