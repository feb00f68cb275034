import FoveaControl
import FoveaData
import FoveaImage
import FoveaTraining

extension Plot {
    /// Images with what was answered: the most confident mistakes first, framed and marked.
    static func predictions(_ record: TrainingRecord, _ heldOut: TrainingRecord.HeldOut) -> Plot {
        let grid = ExampleGrid(heldOut.outcomes)
        let labels = record.configuration.labels
        let (side, gap, text, top) = (96, 28, 40, 64)
        let columns = min(ExampleGrid.columns, max(4, grid.places.count))
        let rows = (grid.places.count + columns - 1) / columns
        let (width, height) = (columns * (side + gap) + gap, top + rows * (side + text) + 12)
        let characters = Int(Double(side + gap - 4) / PlotStyle.width("n", size: 9))

        var data: [String] = []
        var lines = [
            "set lmargin at screen 0", "set rmargin at screen 1", "set tmargin at screen 1", "set bmargin at screen 0",
            "set xrange [0:\(width)]", "set yrange [0:\(height)]", "unset border", "unset tics", "unset key",
            "unset grid",
            label(
                "\(record.title) on \(heldOut.words): "
                    + (grid.mistakes > 0
                        ? "the \(grid.mistakes) most confident mistakes, then right answers" : "no mistakes"),
                x: width / 2, y: height - 22, size: 13),
            label(
                "✗ answered label, confidence; below it the true label      ✓ right answer, confidence",
                x: width / 2, y: height - 42, size: 9),
        ]
        var plots: [String] = []
        for (number, place) in grid.places.enumerated() {
            let outcome = heldOut.outcomes[place]
            let image = heldOut.images.image(place).fitting(side)
            let scale = min(Double(side) / Double(image.width), Double(side) / Double(image.height))
            let x = gap + number % columns * (side + gap)
            let y = height - top - number / columns * (side + text) - side
            // The image's lower left corner; it need not be square.
            let (left, low) = (
                Double(x) + (Double(side) - scale * Double(image.width)) / 2,
                Double(y) + (Double(side) - scale * Double(image.height)) / 2
            )
            var pixels: [String] = []
            for row in 0..<image.height {
                for column in 0..<image.width {
                    let rgb = image.pixels[(row * image.width + column) * 3..<(row * image.width + column) * 3 + 3]
                    pixels.append(
                        "\(left + (Double(column) + 0.5) * scale) "
                            + "\(low + (Double(image.height - row) - 0.5) * scale) \(rgb.map { "\($0)" }.joined(separator: " "))"
                    )
                }
            }
            data.append("$i\(number) << EOD\n\(pixels.joined(separator: "\n"))\nEOD")
            plots.append("$i\(number) with rgbimage")

            let colour = outcome.isRight ? PlotStyle.blue : PlotStyle.vermilion
            lines.append(
                "set object rectangle from \(x - 2),\(y - 2) to \(x + side + 2),\(y + side + 2) front "
                    + "fillstyle empty border linecolor rgb '\(colour)' linewidth \(outcome.isRight ? 1 : 2.5)")
            let confidence = Figures.percent(Double(outcome.top[0].probability), decimals: 0)
            let answer = PlotText.shortened(labels[outcome.top[0].label], to: characters - confidence.count - 3)
            lines.append(
                label(
                    "\(outcome.isRight ? "✓" : "✗") \(answer) \(confidence)", x: x + side / 2, y: y - 11, size: 9,
                    colour: colour))
            if !outcome.isRight {
                lines.append(
                    label(
                        PlotText.shortened(labels[outcome.label], to: characters), x: x + side / 2, y: y - 24, size: 9))
            }
        }
        return Plot(
            name: "predictions", width: width, height: height,
            commands: (data + lines).joined(separator: "\n") + "\nplot \(plots.joined(separator: ", "))\n")
    }

    private static func label(
        _ text: String, x: Int, y: Int, size: Int, colour: String = PlotStyle.ink
    ) -> String {
        "set label \(PlotText.quoted(text)) at \(x),\(y) center font ',\(size)' textcolor rgb '\(colour)'"
    }
}

extension RGBImage {
    /// The image no larger than a square, and with the two pixels each way that gnuplot asks for.
    fileprivate func fitting(_ side: Int) -> RGBImage {
        let most = max(width, height, side)
        let (fitWidth, fitHeight) = (max(2, width * side / most), max(2, height * side / most))
        return fitWidth == width && fitHeight == height ? self : resized(width: fitWidth, height: fitHeight)
    }
}
