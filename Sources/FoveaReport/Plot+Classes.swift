import FoveaControl
import FoveaTraining

extension Plot {
    /// Accuracy of each label, best first.
    static func classes(_ record: TrainingRecord, _ heldOut: TrainingRecord.HeldOut) -> Plot {
        let most = 120
        let all = heldOut.score(record.configuration).ordered
        let shown = all.suffix(most)
        let row = min(26.0, max(13.0, 600 / Double(shown.count)))
        let names = shown.map { PlotText.shortened($0.label, to: 32) }
        let font = min(PlotStyle.fontSize, row * 0.72)
        let (left, right) = (30 + (names.map { PlotStyle.width($0, size: font) }.max() ?? 0), 110.0)
        let side = row * Double(shown.count)
        let (top, bottom) = (70.0, 56.0)
        let (width, height) = (left + 560 + right, top + side + bottom)

        let rows = shown.enumerated().map { "\($0.offset) \(100 * $0.element.score.top1)" }
        var lines = [
            "set lmargin at screen \(left / width)", "set rmargin at screen \(1 - right / width)",
            "set tmargin at screen \(1 - top / height)", "set bmargin at screen \(bottom / height)",
            "set xrange [0:100]", "set xtics 20", "set xlabel 'accuracy (%)'",
            "set yrange [\(Double(shown.count) - 0.5):-0.5]", "set grid noytics xtics", "set key off",
            "unset ytics",
            "set ytics nomirror scale 0 font ',\(Units.decimals(font, 1))' textcolor rgb '\(PlotStyle.ink)' ()",
        ]
        for (place, name) in names.enumerated() {
            let score = shown[shown.startIndex + place].score
            lines.append("set ytics add (\(PlotText.tic(name)) \(place))")
            lines.append(
                "set label '\(Figures.percent(score.top1, decimals: 0)) of \(Figures.grouped(score.images))' "
                    + "at graph 1.015, first \(place) left font ',\(Units.decimals(font, 1))' "
                    + "textcolor rgb '\(PlotStyle.ink)'")
        }
        let top1 = heldOut.score(record.configuration).top1
        lines += [
            "set arrow from \(100 * top1), graph 0 to \(100 * top1), graph 1 nohead front linewidth 1.5 "
                + "linecolor rgb '\(PlotStyle.vermilion)'",
            "set label 'all \(Figures.percent(top1))' at \(100 * top1), graph 1 offset 0,0.6 center font ',10' "
                + "textcolor rgb '\(PlotStyle.vermilion)'",
        ]
        let subtitle =
            shown.count < all.count
            ? ["the \(shown.count) worst of \(Figures.grouped(all.count)) labels"] : []
        lines.append(
            "set title \(PlotText.quoted(["Accuracy of \(record.title) on \(heldOut.words)"] + subtitle)) "
                + "offset 0,0.8 \(PlotStyle.titleFont)")
        return Plot(
            name: "classes", width: Int(width), height: Int(height),
            commands: "$classes << EOD\n\(rows.joined(separator: "\n"))\nEOD\n" + lines.joined(separator: "\n") + """

                plot $classes using ($2/2):1:(0):($2):($1-0.38):($1+0.38) with boxxyerror fillstyle solid 1.0 noborder \
                linecolor rgb '\(PlotStyle.blue)'

                """)
    }
}
