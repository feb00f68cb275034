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
import FoveaTraining

extension TrainingRecord {
    /// The files, by name.
    ///
    /// - Parameters:
    ///   - gnuplot: nil leaves out the plots.
    ///   - note: told what is left out, and why.
    package func reportFiles(gnuplot: Gnuplot? = Gnuplot(), note: (String) -> Void) throws -> [String: [UInt8]] {
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
