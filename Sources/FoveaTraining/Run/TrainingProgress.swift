import FoveaCLI
import FoveaControl
import FoveaNN

/// What a person sees of a training: a bar that is redrawn on a terminal, and one line for each epoch.
final class TrainingProgress {
    private let console: Console
    private let settings: TrainingSettings
    /// Images of an epoch that are used: whole batches.
    private let perEpoch: Int
    private var bar: ProgressBar?
    private var barEpoch = 0
    private var rate = 0.0
    private var loss = 0.0
    private var top1 = 0.0
    private var steps = 0.0

    init(_ console: Console, settings: TrainingSettings, images: Int) {
        self.console = console
        self.settings = settings
        perEpoch = settings.stepsPerEpoch(images: images) * settings.batch
    }

    func step(_ report: StepReport) {
        guard console.isTerminal else { return }
        if barEpoch != report.epoch {
            barEpoch = report.epoch
            (loss, top1, steps) = (0, 0, 0)
            bar = ProgressBar(
                console, "epoch \(report.epoch)/\(settings.epochs)", total: perEpoch,
                earlier: (report.epoch - 1) * perEpoch, overall: settings.epochs * perEpoch)
        }
        // Steps differ: a slow mean gives a rate and a remaining time that can be read.
        rate = rate == 0 ? report.imagesPerSecond : 0.95 * rate + 0.05 * report.imagesPerSecond
        loss += report.loss
        top1 += report.top1
        steps += 1
        bar?.update(
            report.step * settings.batch, rate: rate,
            "loss \(Units.decimals(loss / steps, 3))  acc \(Figures.percent(top1 / steps))")
    }

    func epoch(_ report: EpochReport) {
        bar?.finish()
        var line =
            "epoch \(report.epoch)/\(report.epochs)  loss \(Units.decimals(report.loss, 4))  "
            + "acc \(Figures.percent(report.top1))"
        if let development = report.development {
            line +=
                "  dev loss \(Units.decimals(development.loss, 4))  dev acc \(Figures.percent(development.top1, decimals: 2))"
            if report.best { line += " *" }
        }
        line +=
            "  lr \(Units.decimals(report.learningRate, 6))  \(Figures.grouped(Int(report.imagesPerSecond))) images/s"
            + "  \(Figures.time(report.seconds))"
        console.note(line)
    }

    func finish() { bar?.finish() }
}
