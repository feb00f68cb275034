import Foundation
import FoundationXML
import FoveaData
import FoveaReport
import FoveaSystem
import FoveaTestKit
import FoveaTraining
import SystemPackage
import Testing

@Suite struct ReportTests {
    static let hasGnuplot = Gnuplot() != nil
    private static let drawn = ["curves", "learning-rate", "confusion", "calibration", "classes", "predictions"]

    private func names(_ plots: [String]) -> Set<String> {
        Set(plots.flatMap { ["\($0).png", "\($0).svg"] })
    }

    private func noted(_ report: TrainingRecord, _ gnuplot: Gnuplot?) throws -> ([String: [UInt8]], [String]) {
        var notes: [String] = []
        return (try report.reportFiles(gnuplot: gnuplot) { notes.append($0) }, notes)
    }

    /// All words in a picture; throws where it is not well-formed.
    private func words(_ svg: [UInt8]) throws -> [String] {
        final class Reader: NSObject, XMLParserDelegate {
            var words: [String] = []
            var text: String?
            func parser(
                _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
                attributes: [String: String]
            ) {
                if name == "text" { text = "" }
            }
            func parser(_ parser: XMLParser, foundCharacters string: String) { text? += string }
            func parser(
                _ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?
            ) {
                if name == "text", let text { words.append(text.trimmingCharacters(in: .whitespacesAndNewlines)) }
                if name == "text" { text = nil }
            }
        }
        let reader = Reader()
        let parser = XMLParser(data: Data(svg))
        parser.delegate = reader
        guard parser.parse() else { throw parser.parserError ?? CocoaError(.fileReadCorruptFile) }
        return reader.words
    }

    @Test(
        .enabled(if: ReportTests.hasGnuplot),
        arguments: [(2, nil, 40), (3, nil, 1), (100, 20, 500), (500, nil, 700)] as [(Int, Int?, Int)])
    func reportsOfFewAndManyLabels(_ classes: Int, _ groups: Int?, _ images: Int) throws {
        let labels = (0..<classes).map { "label number \($0)" }
        let report = try Sample.report(
            labels: labels, groups: groups, heldOut: Sample.heldOut(images, classes: classes))
        let (files, notes) = try noted(report, Gnuplot())
        #expect(notes.isEmpty, "\(notes)")
        #expect(
            Set(files.keys)
                == names(Self.drawn).union(["README.md", "metrics.jsonl", "events.out.tfevents.1750000000.fovea"]))
        for (name, bytes) in files where name.hasSuffix(".svg") {
            let words = try words(bytes)
            #expect(words.contains { $0.contains("sample@7") }, "\(name)")
            if classes <= 100, images >= classes, name == "confusion.svg" || name == "classes.svg" {
                #expect(Set(labels).isSubset(of: words), "\(name)")
            }
        }
        #expect(files.values.map(\.count).reduce(0, +) < 8 << 20)
        let card = String(decoding: files["README.md"]!, as: UTF8.self)
        #expect(card.contains("![Confusion matrix](confusion.png)") && card.contains("62.50%"))
        #expect(String(decoding: files["metrics.jsonl"]!, as: UTF8.self).split(separator: "\n").count == 3)
    }

    /// They come out as they are, and run nothing.
    @Test(.enabled(if: ReportTests.hasGnuplot)) func labelsOfAllKinds() throws {
        let trap = "/tmp/trap\(getpid())"
        let labels = [
            "it's", #"back\slash"#, #"end\"#, #""double""#, "`touch \(trap)`", "@ARG0", "100%d %s",
            "<b>&amp;", "under_score{x}^2", "日本語", "🐈", "#hash; plot x", "a\u{85}b\u{FFFF}",
        ]
        let report = try Sample.report(labels: labels, heldOut: Sample.heldOut(78, classes: labels.count))
        let (files, notes) = try noted(report, Gnuplot())
        #expect(notes.isEmpty, "\(notes)")
        for name in ["confusion.svg", "classes.svg"] {
            let words = try words(files[name]!)
            for label in labels.dropLast() { #expect(words.contains(label), "\(name): \(label)") }
            #expect(words.contains("a\u{FFFD}b\u{FFFD}"), "\(name)")
        }
        #expect(try Files.statusIfPresent(FilePath(trap)) == nil)
    }

    @Test(.enabled(if: ReportTests.hasGnuplot)) func withoutHeldOutImages() throws {
        let (files, notes) = try noted(try Sample.report(labels: ["a", "b"], heldOut: nil, epochs: 1), Gnuplot())
        #expect(notes.isEmpty, "\(notes)")
        #expect(
            Set(files.keys)
                == names(["curves", "learning-rate"]).union([
                    "README.md", "metrics.jsonl", "events.out.tfevents.1750000000.fovea",
                ]))
        let card = String(decoding: files["README.md"]!, as: UTF8.self)
        #expect(card.contains("neither an accuracy nor a confusion matrix") && !card.contains("confusion.png"))
    }

    @Test func withoutGnuplot() throws {
        let report = try Sample.report(labels: ["a", "b"], heldOut: Sample.heldOut(40, classes: 2))
        let (files, notes) = try noted(report, nil)
        #expect(notes.count == 1 && notes[0].contains("apt-get install gnuplot-nox"), "\(notes)")
        #expect(Set(files.keys) == ["README.md", "metrics.jsonl", "events.out.tfevents.1750000000.fovea"])
        #expect(!String(decoding: files["README.md"]!, as: UTF8.self).contains("## Plots"))
    }

    /// Larger than their place in the picture, and not square; or a single column of pixels.
    @Test(.enabled(if: ReportTests.hasGnuplot), arguments: [(40, 300), (8, 1)])
    func imagesOfAnyShape(_ height: Int, _ width: Int) throws {
        let count = 3
        let images = LabelledImages(
            height: height, width: width,
            pixels: (0..<count).flatMap {
                SyntheticImage.gradient(width: width, height: height, seed: UInt64($0 + 1)).pixels
            }, labels: [0, 1, 0])
        let report = try Sample.report(
            labels: ["a", "b"],
            heldOut: .init(.test, images: images, outcomes: Sample.outcomes(count, classes: 2)))
        let (files, notes) = try noted(report, Gnuplot())
        #expect(notes.isEmpty && files["predictions.png"] != nil, "\(notes)")
        #expect(try words(files["predictions.svg"]!).contains { $0.contains("3 test images") })
    }

    @Test(.enabled(if: ReportTests.hasGnuplot)) func whatGnuplotRefusesIsSaid() throws {
        let plot = Plot(name: "x", width: 100, height: 100, commands: "plot nonsense(x)\nplot x\n")
        #expect { try Gnuplot()!.draw(plot, as: .png) } throws: { "\($0)".contains("nonsense") }
    }

    @Test func theCardTellsWhatIsKnown() throws {
        let report = try Sample.report(
            labels: ["lawn_mower", "<i>"], groups: 2, heldOut: Sample.heldOut(40, classes: 2),
            description: "one | two\n# three")
        let card = String(decoding: try noted(report, nil).0["README.md"]!, as: UTF8.self)
        #expect(card.hasPrefix("---\nlibrary_name: fovea\n"))
        #expect(card.contains("# sample@7\n") && card.contains(#"one \| two # three"#))
        #expect(card.contains("foveactl model swap sample@7") && card.contains("foveactl evaluate sample@7"))
        #expect(card.contains("300 images of shades. 40 more were held out"))
        #expect(card.contains("| 40 development | 62.50% | 100.00% | 1.5000 | 5.00% |"), "\(card)")
        #expect(card.contains(#"lawn\_mower"#) && card.contains("&lt;i&gt;") && !card.contains("<i>"))
        #expect(card.contains("| `model.safetensors` | `cd` |") && card.contains("`ab`"))
    }
}
