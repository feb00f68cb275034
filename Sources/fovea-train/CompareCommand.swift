import ArgumentParser
import FoveaCLI
import FoveaControl
import FoveaExchange
import FoveaModels
import FoveaRetraining
import FoveaSystem
import FoveaTraining
import Glibc
import SystemPackage

struct CompareCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare", abstract: "On which images two models give different labels.",
        discussion: """
            Without --data they are the last of the images that the daemon has classified and that are still in the outbox. \
            With a data set an image's name is its number, under which `foveactl dataset export` writes it. Both models \
            classify all images anew. Exit code 0 whether they differ or not.
            """)

    @Argument(help: "NAME, NAME@VERSION, or a model's folder (with a / in it).")
    var old: String

    @Argument(help: "The same, of the other model.")
    var new: String

    @Option(help: ArgumentHelp("So many images of the outbox, otherwise 500.", valueName: "n"))
    var last: Int?

    @Option(help: ArgumentHelp("A data set's name, an archive, a CIFAR folder or a folder per class.", valueName: "d"))
    var data: String?

    @Option(help: "With --data: test or train.")
    var split: String?

    @Option(help: ArgumentHelp("Write a page with the images that differ.", valueName: "file"))
    var html: String?

    @Option(help: "With --data: threads, one per processor where it is 0 or not given.")
    var threads: Int?

    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard last == nil || data == nil else {
            throw ValidationError("--last is of the outbox, --data of a data set: give one of them.")
        }
        guard split == nil || data != nil else { throw ValidationError("--split is a part of --data.") }
        guard last.map({ $0 > 0 }) ?? true else { throw ValidationError("--last must be above 0.") }
        guard threads == nil || data != nil else {
            throw ValidationError("--threads goes with --data: the outbox's images are read by one sandboxed worker.")
        }
        try CommonOptions.check(threads: threads ?? 0)
    }

    func run() throws { try Program.reporting("compare", compare) }

    private func compare() throws {
        let configuration = try common.load()
        // Before all the work.
        if let html { try NewPath.existingFolder(of: FilePath(html)) }
        let models = try [old, new].map { try ComparedModel($0, configuration) }
        let source: any ComparedImages =
            try data.map {
                try LabelledComparison(
                    $0, split: split, threads: threadCount(threads),
                    console: Console(quiet: common.quiet), configuration)
            } ?? PublishedImages(last ?? 500, configuration)
        for note in source.notes { Console(quiet: common.quiet).note(note) }
        let (answers, failures) = try source.answers(of: models[0], and: models[1])
        let comparison = ModelComparison(
            old: models[0].name, new: models[1].name, answers: answers, failures: failures)
        if let html {
            var thumbnails: [String: [UInt8]] = [:]
            for difference in comparison.differences {
                thumbnails[difference.image] = try source.thumbnail(of: difference.image, models[1])
            }
            let page = ComparisonPage(comparison, thumbnails: thumbnails)
            try Files.writeAnswer(FilePath(html), page.html.utf8)
        }
        Console.data(common.json ? JSONText.pretty(comparison) : Array(comparison.text.utf8))
    }
}
