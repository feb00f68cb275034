// What a training leaves for people beside its model, in the model's folder `training/`:
//
//     epochs, outcomes, a few images ─┬─ gnuplot ───▶ curves, learning-rate, confusion, … .png and .svg
//                                     ├─ EventFile ─▶ events.out.tfevents.*   (with two of the PNGs)
//                                     ├─ JSON ──────▶ metrics.jsonl
//                                     └─ ModelCard ─▶ README.md               (with all of them)
//
// The report is made when the training is over, from what is in memory by then. Nothing in it may lose a trained model:
// what cannot be drawn is left out, with a word.

import FoundationEssentials
import FoveaControl
import FoveaData
import FoveaModels
import FoveaNN
import FoveaSystem

/// A finished training and what its model said about images that it was not trained on.
package struct TrainingReport: Sendable {
    /// With metrics and training.
    package var configuration: ModelConfiguration
    package var settings: TrainingSettings
    /// Images that were trained on, and how many an epoch has: some may come more than once.
    package var images: Int
    package var perEpoch: Int
    package var epochs: [EpochReport]
    /// The epoch whose weights the model has; 0 where none was finished.
    package var keptEpoch: Int
    /// nil where none were measured.
    package var heldOut: HeldOut?
    /// SHA-256 of the model's files, by name.
    package var hashes: [String: String]
    /// When the training ended, in seconds since 1970.
    package var finished: Double

    /// Images that the model was not trained on, and its answers.
    package struct HeldOut: Sendable {
        package enum Part: String, Sendable {
            case development, test
            /// What a retraining is judged by.
            case heldBack = "held-back"
        }

        package let part: Part
        package let images: LabelledImages
        /// In the order of the images.
        package let outcomes: [Outcome]

        package init(_ part: Part, images: LabelledImages, outcomes: [Outcome]) {
            precondition(images.count == outcomes.count)
            (self.part, self.images, self.outcomes) = (part, images, outcomes)
        }

        /// Such as `1,000 development images`.
        var words: String { "\(Figures.grouped(outcomes.count)) \(part.rawValue) images" }

        func score(_ model: ModelConfiguration) -> Score {
            Score(outcomes, labels: model.labels, superclassOf: model.superclassOf)
        }
    }

    package init(
        configuration: ModelConfiguration, settings: TrainingSettings, images: Int, perEpoch: Int? = nil,
        epochs: [EpochReport],
        keptEpoch: Int, heldOut: HeldOut?, hashes: [String: String], finished: Double
    ) {
        (self.configuration, self.settings, self.images, self.epochs) = (configuration, settings, images, epochs)
        self.perEpoch = perEpoch ?? images
        (self.keptEpoch, self.heldOut, self.hashes, self.finished) = (keptEpoch, heldOut, hashes, finished)
    }

    /// The model's name and version.
    var title: String { "\(configuration.name)@\(configuration.version)" }

    /// The files, by name.
    ///
    /// - Parameters:
    ///   - gnuplot: nil leaves out the plots.
    ///   - note: told what is left out, and why.
    package func files(gnuplot: Gnuplot? = Gnuplot(), note: (String) -> Void) throws -> [String: [UInt8]] {
        var files = ["metrics.jsonl": try lines()]
        if let gnuplot {
            draw(gnuplot, into: &files, note)
        } else {
            note(
                "the training's report has no plots: gnuplot is not on PATH. On Debian: apt-get install gnuplot-nox")
        }
        let graph = try? configuration.network?.decode(NetworkDefinition.self).graph()
        files[EventFile.name(time: finished)] = EventFile(self, graph: graph ?? [], pictures: files).bytes
        files["README.md"] = Array(ModelCard(self, graph: graph ?? [], files: Set(files.keys)).text.utf8)
        return files
    }

    /// One line of JSON for each epoch.
    private func lines() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return try epochs.flatMap { Array(try encoder.encode($0)) + [0x0A] }
    }

    private func draw(_ gnuplot: Gnuplot, into files: inout [String: [UInt8]], _ note: (String) -> Void) {
        var plots = [Plot.curves(self), .learningRate(self)]
        if let heldOut {
            plots += [
                .confusion(self, heldOut), .calibration(self, heldOut), .classes(self, heldOut),
                .predictions(self, heldOut),
            ]
        }
        for plot in plots {
            for format in Gnuplot.Format.allCases {
                let name = "\(plot.name).\(format)"
                do {
                    files[name] = try gnuplot.draw(plot, as: format)
                } catch {
                    note("the training's report has no \(name): \(error)")
                }
            }
        }
    }
}
