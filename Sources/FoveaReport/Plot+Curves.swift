import FoveaNN
import FoveaTraining

extension Plot {
    /// Loss and accuracy of each epoch, side by side.
    static func curves(_ record: TrainingRecord) -> Plot {
        let epochs = record.epochs
        let rows = epochs.map { epoch in
            let development = epoch.development.map { "\($0.loss) \(100 * $0.top1)" } ?? "NaN NaN"
            return "\(epoch.epoch) \(epoch.loss) \(100 * epoch.top1) \(development)"
        }
        let hasDevelopment = epochs.contains { $0.development != nil }
        func lines(_ training: Int, _ development: Int) -> String {
            let style = epochs.count > 60 ? "lines linewidth 2" : "linespoints linewidth 2 pointtype 7 pointsize 0.5"
            var parts = [
                "$epochs using 1:\(training) with \(style) linecolor rgb '\(PlotStyle.grey)' "
                    + "title 'training, augmented'"
            ]
            if hasDevelopment {
                parts.append(
                    "$epochs using 1:\(development) with \(style) linecolor rgb '\(PlotStyle.blue)' "
                        + "title 'development, as served'")
            }
            return parts.joined(separator: ", ")
        }
        let kept =
            "set arrow 1 from \(record.keptEpoch), graph 0 to \(record.keptEpoch), graph 1 nohead back dashtype 2 "
            + "linecolor rgb '\(PlotStyle.green)'\n"
            + "set label 1 'kept' at \(record.keptEpoch), graph 1.02 center textcolor rgb '\(PlotStyle.green)'\n"
        return Plot(
            name: "curves", width: 1200, height: 460,
            commands: """
                $epochs << EOD
                \(rows.joined(separator: "\n"))
                EOD
                set multiplot layout 1,2 title \(PlotText.quoted("Training of \(record.title)")) \(PlotStyle.titleFont)
                \(epochAxis(epochs.count))\(record.keptEpoch > 0 ? kept : "")set ylabel 'cross-entropy (nats)'
                set key outside below center horizontal maxrows 1 height 0.6
                set title 'Loss' offset 0,0.6
                plot \(lines(2, 4))
                set ylabel 'accuracy (%)'
                set title 'Accuracy' offset 0,0.6
                plot \(lines(3, 5))
                unset multiplot

                """)
    }

    /// The learning rate at each step by the schedule, and the recorded one at each epoch's end.
    static func learningRate(_ record: TrainingRecord) -> Plot {
        let settings = record.settings
        let perEpoch = settings.stepsPerEpoch(images: record.perEpoch)
        let total = perEpoch * settings.epochs
        let done = perEpoch * record.epochs.count
        let warmup = Int((settings.warmup * Double(perEpoch)).rounded())
        // A thousand points look like all of them; the steps around the warm-up's end are among them.
        let steps = Set(stride(from: 0, to: done, by: max(1, done / 1000)))
            .union([warmup - 1, warmup, done - 1].filter { (0..<done).contains($0) }).sorted()
        let scheduled = steps.map { step in
            let factor = settings.schedule.factor(step: step, total: total, perEpoch: perEpoch, warmup: warmup)
            return "\(Double(step + 1) / Double(perEpoch)) \(settings.learningRate * factor) "
                + "\(settings.muonLearningRate * factor)"
        }
        let isMuon = settings.optimizer.usesMuon
        let rest = settings.optimizer == .muonAdam ? "Adam" : "Nesterov"
        var lines = [
            "$steps using 1:2 with lines linewidth 2 linecolor rgb '\(PlotStyle.blue)' title "
                + (isMuon ? "'\(rest): all but the filters'" : "'by the schedule \(settings.schedule.text)'")
        ]
        if isMuon {
            lines.append(
                "$steps using 1:3 with lines linewidth 2 linecolor rgb '\(PlotStyle.vermilion)' title 'Muon: filters'")
        }
        lines.append(
            "$epochs using 1:2 with points pointtype 7 pointsize 0.6 linecolor rgb '\(PlotStyle.ink)' "
                + "title 'recorded after each epoch'")
        return Plot(
            name: "learning-rate", width: 800, height: 420,
            commands: """
                $steps << EOD
                \(scheduled.joined(separator: "\n"))
                EOD
                $epochs << EOD
                \(record.epochs.map { "\($0.epoch) \($0.learningRate)" }.joined(separator: "\n"))
                EOD
                set title \(PlotText.quoted("Learning rate of \(record.title)")) \(PlotStyle.titleFont)
                \(epochAxis(record.epochs.count, from: 0))set ylabel 'learning rate'
                set yrange [0:*]
                set format y '%g'
                set key top right
                plot \(lines.joined(separator: ", "))

                """)
    }

    /// The x axis of epochs, with whole numbers only.
    private static func epochAxis(_ count: Int, from first: Double = 0.5) -> String {
        """
        set xlabel 'epoch' offset 0,0.3
        set xrange [\(first):\(Double(count) + 0.5)]
        set xtics \(count <= 12 ? "1" : "autofreq")
        set format x '%.0f'

        """
    }
}
