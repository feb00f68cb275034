import FoveaControl
import FoveaTraining

extension Plot {
    /// A reliability diagram: how often answers of a confidence are right, and below how many answers have it.
    static func calibration(_ record: TrainingRecord, _ heldOut: TrainingRecord.HeldOut) -> Plot {
        let reliability = Reliability(heldOut.outcomes)
        let width = 100 / Double(reliability.bins.count)
        let rows = reliability.bins.enumerated().filter { $0.element.images > 0 }.map { index, bin in
            "\((Double(index) + 0.5) * width) \(100 * bin.accuracy) \(bin.images)"
        }
        let title = [
            "Calibration of \(record.title) on \(heldOut.words)",
            "expected calibration error \(Figures.percent(reliability.expectedError, decimals: 2))",
        ]
        return Plot(
            name: "calibration", width: 620, height: 720,
            commands: """
                $bins << EOD
                \(rows.joined(separator: "\n"))
                EOD
                set multiplot
                set boxwidth \(width * 0.92) absolute
                set style fill solid 1.0 noborder
                set xrange [0:100]
                set xtics 20
                set lmargin at screen 0.13
                set rmargin at screen 0.96
                set tmargin at screen 0.91
                set bmargin at screen 0.36
                set format x ''
                set yrange [0:100]
                set ytics 20
                set ylabel 'accuracy (%)'
                set key top left Left reverse
                set title \(PlotText.quoted(title)) \(PlotStyle.titleFont)
                plot $bins using 1:2 with boxes linecolor rgb '\(PlotStyle.blue)' title 'answers', \\
                    x with lines linewidth 2 dashtype 2 linecolor rgb '\(PlotStyle.ink)' title 'perfect calibration'
                unset title
                unset key
                set tmargin at screen 0.32
                set bmargin at screen 0.10
                set format x '%.0f'
                set xlabel 'confidence (%), 15 bins'
                set yrange [0:*]
                set ytics \(PlotStyle.step(reliability.bins.map(\.images).max() ?? 1))
                set ylabel 'images'
                plot $bins using 1:3 with boxes linecolor rgb '\(PlotStyle.grey)' notitle
                unset multiplot

                """)
    }
}
