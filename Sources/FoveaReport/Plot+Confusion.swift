import FoveaControl
import FoveaTraining

extension Plot {
    /// Most labels that one picture shows: more can be read nowhere.
    private static let most = 120

    /// The confusion matrix as a heat map: for each true label the shares of the answers.
    ///
    /// Where there are superclasses, their labels stand together. Of too many labels those with the most mistakes are shown.
    static func confusion(_ record: TrainingRecord, _ heldOut: TrainingRecord.HeldOut) -> Plot {
        let labels = record.configuration.labels
        let shown = shownLabels(record, heldOut)
        let count = shown.count
        let places = Dictionary(uniqueKeysWithValues: shown.enumerated().map { ($1, $0) })

        var images = [Int](repeating: 0, count: count)
        var cells: [Int: Int] = [:]
        for outcome in heldOut.outcomes {
            guard let row = places[outcome.label] else { continue }
            images[row] += 1
            if let column = places[outcome.top[0].label] { cells[row * count + column, default: 0] += 1 }
        }
        let rows = cells.sorted { $0.key < $1.key }.map { key, value in
            "\(key % count) \(key / count) \(Double(value) / Double(images[key / count]))"
        }

        // Cells that are large enough for a number, and small enough for a hundred labels.
        let cell = max(10, min(110, 800 / Double(count)), 360 / Double(count))
        let font = min(PlotStyle.fontSize, cell * 0.72)
        let small = "font ',\(Units.decimals(font, 1))' textcolor rgb '\(PlotStyle.ink)'"
        let names = shown.map { PlotText.shortened(labels[$0], to: 24) }
        let room = (names.map { PlotStyle.width($0, size: font) }.max() ?? 0) + 44
        let groups = groups(record, shown)
        let groupRoom = (groups.map { PlotStyle.width($0.name, size: font) }.max() ?? -12) + 24
        let side = cell * Double(count)
        let (left, right, top) = (room + 12, groupRoom + 110, 70.0)
        let (width, height) = (left + side + right, top + side + room + 8)

        var lines = [
            "set lmargin at screen \(left / width)", "set rmargin at screen \((left + side) / width)",
            "set tmargin at screen \(1 - top / height)", "set bmargin at screen \(1 - (top + side) / height)",
            "set xrange [-0.5:\(Double(count) - 0.5)]", "set yrange [\(Double(count) - 0.5):-0.5]",
            "set border 15 linecolor rgb '#B0B0B0'", "unset grid", "unset key",
            "unset xtics", "unset ytics",
            "set xtics nomirror out scale 0.3 rotate by 90 right \(small) ()",
            "set ytics nomirror out scale 0.3 \(small) ()",
        ]
        for (place, name) in names.enumerated() {
            lines.append("set xtics add (\(PlotText.tic(name)) \(place))")
            lines.append("set ytics add (\(PlotText.tic(name)) \(place))")
        }
        for group in groups {
            let middle = (Double(group.range.lowerBound) + Double(group.range.upperBound) - 1) / 2
            lines.append(
                "set label \(PlotText.quoted(group.name)) at graph 1, first \(middle) offset character 0.8,0 left "
                    + small)
            let edge = Double(group.range.upperBound) - 0.5
            for line in [
                "-0.5,\(edge) to \(Double(count) - 0.5),\(edge)", "\(edge),-0.5 to \(edge),\(Double(count) - 0.5)",
            ]
            where group.range.upperBound < count {
                lines.append("set arrow from \(line) nohead front linewidth 0.5 linecolor rgb '#C8C8C8'")
            }
        }
        let keyLeft = left + side + groupRoom + 8
        lines += [
            PlotStyle.palette + "set cbrange [0:1]", "set cbtics 0.2 scale 0.3 format '%.1f'",
            "set cblabel 'share of the true label''s images' offset 1,0 textcolor rgb '\(PlotStyle.ink)'",
            "set colorbox user origin screen \(keyLeft / width), screen \(1 - (top + min(side, 300)) / height) "
                + "size screen \(14 / width), screen \(min(side, 300) / height)",
            "set label 'true label' at screen \(16 / width), graph 0.5 center rotate by 90 textcolor rgb '\(PlotStyle.ink)'",
            "set label 'answered label' at graph 0.5, screen \(16 / height) center textcolor rgb '\(PlotStyle.ink)'",
            "set label \(PlotText.quoted(title(record, heldOut, count))) at screen 0.5, screen \(1 - 24 / height) center "
                + "\(PlotStyle.titleFont) textcolor rgb '\(PlotStyle.ink)'",
        ]
        // As labels of the picture, not of data: gnuplot 5.4 crashes on data of which every label is left out.
        for (key, value) in cells.sorted(by: { $0.key < $1.key }) where cell >= 34 {
            let share = Double(value) / Double(images[key / count])
            lines.append(
                "set label '\(Figures.percent(share, decimals: cell >= 60 ? 1 : 0))' at \(key % count),\(key / count) center "
                    + "front font ',\(cell >= 60 ? 11 : 9)' "
                    + "textcolor rgb '\(PlotStyle.isDark(share) ? "#FFFFFF" : PlotStyle.ink)'")
        }
        return Plot(
            name: "confusion", width: Int(width), height: Int(height),
            commands: "$cells << EOD\n\(rows.joined(separator: "\n"))\nEOD\n" + lines.joined(separator: "\n")
                + """

                plot $cells using 1:2:($1-0.5):($1+0.5):($2-0.5):($2+0.5):3 with boxxyerror \
                fillstyle solid 1.0 noborder linecolor palette

                """)
    }

    private static func title(
        _ record: TrainingRecord, _ heldOut: TrainingRecord.HeldOut, _ count: Int
    ) -> [String] {
        let all = record.configuration.labels.count
        return ["Answers of \(record.title) to \(heldOut.words)"]
            + (count < all ? ["the \(count) of \(Figures.grouped(all)) labels with the most mistakes"] : [])
    }

    /// By superclass, then in the model's order.
    private static func shownLabels(_ record: TrainingRecord, _ heldOut: TrainingRecord.HeldOut) -> [Int] {
        let count = record.configuration.labels.count
        var shown = Array(0..<count)
        if count > most {
            var mistakes = [Int](repeating: 0, count: count)
            for outcome in heldOut.outcomes where !outcome.isRight { mistakes[outcome.label] += 1 }
            shown = Array(shown.sorted { (-mistakes[$0], $0) < (-mistakes[$1], $1) }.prefix(most))
        }
        guard let superclassOf = record.configuration.superclassOf else { return shown.sorted() }
        return shown.sorted { (superclassOf[$0], $0) < (superclassOf[$1], $1) }
    }

    /// Runs of labels with one superclass.
    private static func groups(_ record: TrainingRecord, _ shown: [Int]) -> [(name: String, range: Range<Int>)] {
        guard let names = record.configuration.superclasses, let superclassOf = record.configuration.superclassOf else {
            return []
        }
        var groups: [(name: String, range: Range<Int>)] = []
        var start = 0
        for place in shown.indices
        where place + 1 == shown.count || superclassOf[shown[place]] != superclassOf[shown[place + 1]] {
            groups.append((PlotText.shortened(names[superclassOf[shown[place]]], to: 30), start..<place + 1))
            start = place + 1
        }
        return groups
    }
}
