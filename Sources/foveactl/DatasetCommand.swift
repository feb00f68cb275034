import ArgumentParser
import FoveaCLI
import FoveaControl
import FoveaData
import FoveaImage
import FoveaModels
import FoveaSystem
import Glibc
import Synchronization
import SystemPackage

struct DatasetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dataset", abstract: "Data sets to train and evaluate with.",
        subcommands: [List.self, Info.self, Fetch.self, Import.self, Export.self, Remove.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "The imported data sets.")
        @OptionGroup var common: CommonOptions
        @OptionGroup var place: StateOption

        /// As `--json` tells it: what the description says, or why it cannot be read.
        private struct Entry: Encodable {
            let name: String
            let info: DatasetInfo?
            let fault: String?
        }

        func run() throws {
            let entries = try Dataset.list(common.configuration(place).datasets).map { name, info in
                switch info {
                case .success(let info): Entry(name: name, info: info, fault: nil)
                case .failure(let error): Entry(name: name, info: nil, fault: "\(error)")
                }
            }
            if common.json { return try Console.json(entries) }
            if entries.isEmpty {
                return common.note(
                    "There are no data sets. `foveactl dataset fetch cifar100` or `foveactl dataset import PATH --name N` "
                        + "makes one.")
            }
            Console.table(
                entries.map { entry in
                    func images(_ split: String) -> String { entry.info?.splits[split]?.images.formatted() ?? "-" }
                    return [
                        safe(entry.name), entry.info.map { "\($0.labels.count)" } ?? "-", images("train"),
                        images("test"),
                        entry.info.map { $0.keepsPictures ? "as it was" : "\($0.height) × \($0.width)" } ?? "-",
                        entry.fault.map { Console.red(safe($0)) } ?? "",
                    ]
                }, header: ["data set", "labels", "train", "test", "size", ""], right: [1, 2, 3])
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Removes an imported data set.",
            discussion:
                "Not one that `foveactl retrain` learns from: that the configuration or the serving model names.")
        @Argument(help: "Its name.")
        var name: String
        @OptionGroup var common: CommonOptions
        @OptionGroup var place: StateOption

        func run() throws {
            let configuration = try common.configuration(place)
            try refuseIfNeeded(configuration)
            try Dataset.remove(name, from: configuration.datasets)
            if common.json { return try Console.json(["removed": name]) }
            common.note("\(safe(name)) is removed.")
        }

        private func refuseIfNeeded(_ configuration: Configuration) throws {
            let named = configuration.retrain.data
            if named.contains(name) {
                throw Failure(
                    "\(safe(name)) is needed: retrain.data of the configuration names it. Take it out there first.",
                    .noPermission)
            }
            let store = ModelCommand.store(configuration)
            guard named.isEmpty, let active = ModelCommand.active(configuration, store),
                let learnt = try? store.resolve(active.description).configuration.training?.dataSets()
            else { return }
            if learnt.contains(name) {
                throw Failure(
                    "\(safe(name)) is needed: \(active), which serves, was trained on it, and `foveactl retrain` learns from it. "
                        + "Let another model serve, or name other data sets in retrain.data of the configuration.",
                    .noPermission)
            }
        }
    }

    struct Fetch: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Fetches a public data set; goes on where it was interrupted.")
        @Argument(help: "cifar100.")
        var name: String
        @OptionGroup var common: CommonOptions
        @OptionGroup var place: StateOption

        func run() throws {
            guard name == "cifar100" else {
                throw Failure(
                    "\(safe(name)): only cifar100 is known. `foveactl dataset import PATH --name N` takes your own images.",
                    .usage)
            }
            let folder = try common.configuration(place).datasets
            let known = try Files.statusIfPresent(folder.appending(name).appending("dataset.json"))
            guard known == nil else {
                common.note("cifar100 is there already.")
                return try DatasetCommand.show(folder.appending(name), common)
            }
            let archive = folder.appending("cifar-100-binary.tar.gz")
            let bar = ProgressLine(enabled: isatty(2) == 1 && !common.quiet)
            try Download.cifar100.fetch(to: archive) { done, total in
                bar.show("fetching cifar100  \(Units.show(bytes: done)) of \(Units.show(bytes: total))")
                return true
            }
            bar.end()
            try DatasetCommand.keep(
                DataSource.archive(archive).load(ImportOptions(name: name)), in: folder, replacing: false, common)
            try? Files.unlink(archive)
        }
    }

    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Imports a folder per class of PNG and JPEG, an archive of such folders, or CIFAR-100.",
            discussion: """
                Expected is FOLDER/LABEL/picture.jpg, or FOLDER/train/LABEL/picture.jpg with test and validation beside train. \
                Pictures are kept as they are, so that models of any size can be trained on them.
                """)
        @Argument(help: "A folder with a folder per class, a zip or tar of one, or CIFAR-100's archive or folder.")
        var path: String
        @Option(help: ArgumentHelp("What the data set will be called.", valueName: "n"))
        var name: String
        @Option(
            help: ArgumentHelp(
                "Pixels along a side that `train` takes where it gets no --size; of CIFAR-100, of every image.",
                valueName: "pixels"))
        var size: Int?
        @Option(help: "The share of each class to test with, where a folder has no test part.")
        var testFraction = 0.1
        @Option(help: "Chooses that share.")
        var seed: UInt64 = 0
        @Flag(help: "Replace a data set of that name.")
        var replace = false
        @OptionGroup var common: CommonOptions
        @OptionGroup var place: StateOption

        func validate() throws {
            guard size.map({ (1...1024).contains($0) }) ?? true else {
                throw ValidationError("--size must be from 1 to 1024.")
            }
            guard (0..<1).contains(testFraction) else {
                throw ValidationError("--test-fraction must be at least 0 and below 1.")
            }
        }

        func run() throws {
            let configuration = try common.configuration(place)
            let folder = configuration.datasets
            try Dataset.place(of: name, in: folder, replacing: replace)
            let side = size ?? 32
            var options = ImportOptions(
                name: name, target: ImageTarget(height: side, width: side), testFraction: testFraction, seed: seed,
                limits: ImageLimits(configuration.limits))
            guard (try? Files.statusIfPresent(FilePath(path), followingLinks: true)) ?? nil != nil else {
                throw Failure("\(safe(path)): there is no such file or folder.", .noInput)
            }
            // The path is always taken as a path, never as the name of a data set.
            let source = try DataSource.find(path.contains("/") ? path : "./\(path)", datasets: folder)
            let bar = ProgressLine(enabled: isatty(2) == 1 && !common.quiet)
            options.progress = { done in if done % 50 == 0 { bar.show("\(done) files looked at") } }
            guard var imported = try source.pictures(options, scratch: folder) else {
                var imported = try source.load(options)
                imported.dataset.info.name = name
                return try DatasetCommand.keep(imported, in: folder, replacing: replace, common)
            }
            imported.set.info.name = name
            if let size { (imported.set.info.height, imported.set.info.width) = (size, size) }
            bar.end()
            DatasetCommand.report(imported.refused, imported.notes, common)
            let count = imported.set.splits.values.reduce(0) { $0 + $1.count }
            let place = try imported.set.save(in: folder, replacing: replace) { done in
                if done % 50 == 0 { bar.show("\(done) of \(count) pictures kept") }
            }
            bar.end()
            try DatasetCommand.show(place, common)
        }
    }

    struct Info: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "What a data set holds.")
        @Argument(help: "Its name.")
        var name: String
        @OptionGroup var common: CommonOptions
        @OptionGroup var place: StateOption

        func run() throws { try DatasetCommand.show(DatasetCommand.folder(of: name, common, place), common) }
    }

    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Writes the images as files, a folder per class.",
            discussion: "Pictures come as they were imported; images of CIFAR-100 become PNG.")
        @Argument(help: "The data set's name.")
        var name: String
        @Option(help: "Which part: train, validation or test.")
        var split: String
        @Option(help: ArgumentHelp("A folder that is new or empty.", valueName: "dir"))
        var output: PathArgument
        @OptionGroup var common: CommonOptions
        @OptionGroup var place: StateOption

        func run() throws {
            let source = DataSource.dataset(try DatasetCommand.folder(of: name, common, place))
            let limits = ImageLimits(try common.configuration(place).limits)
            let bar = ProgressLine(enabled: isatty(2) == 1 && !common.quiet)
            let count: Int
            if let set = try source.pictures(ImportOptions(limits: limits))?.set {
                let pictures = try set.pictures(split)
                count = pictures.count
                try DatasetExport.write(pictures, labels: set.info.labels, limits: limits, to: output.path) { done in
                    if done % 500 == 0 { bar.show("\(done) of \(count) images") }
                }
            } else {
                let dataset = try source.load(only: [split]).dataset
                let images = try dataset.images(split)
                count = images.count
                try DatasetExport.write(images, labels: dataset.info.labels, to: output.path) { done in
                    if done % 500 == 0 { bar.show("\(done) of \(count) images") }
                }
            }
            bar.end()
            if common.json { return try Console.json(["images": count]) }
            common.note("\(count) images are in \(safe(output.path.escaped)).")
        }
    }

    /// Of a data set that must be there.
    private static func folder(
        of name: String, _ common: CommonOptions, _ place: StateOption
    ) throws -> FilePath {
        let datasets = try common.configuration(place).datasets
        guard case .dataset(let folder) = try DataSource.find(name, datasets: datasets) else {
            throw Failure(
                "\(safe(name)) is not an imported data set. `foveactl dataset import \(safe(name)) --name N` makes it one.",
                .noInput)
        }
        return folder
    }

    private static func keep(
        _ imported: ImportedData, in folder: FilePath, replacing: Bool, _ common: CommonOptions
    ) throws {
        report(imported.refused, imported.notes, common)
        let place = try imported.dataset.save(in: folder, replacing: replacing)
        try show(place, common)
    }

    private static func report(_ leftOut: [RefusedFile], _ notes: [String], _ common: CommonOptions) {
        for file in leftOut.prefix(20) { common.note("left out \(safe(file.path)): \(safe(file.reason))") }
        if leftOut.count > 20 { common.note("left out \(leftOut.count - 20) more") }
        for note in notes { common.note(safe(note)) }
    }

    /// As `--json` tells it: the description, and the counts by part and label.
    private struct Report: Encodable {
        let info: DatasetInfo
        let counts: [String: [Int]]

        private enum Key: String, CodingKey { case counts }

        func encode(to encoder: any Encoder) throws {
            try info.encode(to: encoder)
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(
                counts.mapValues { counts in
                    Dictionary(zip(info.labels, counts).filter { $0.1 > 0 }, uniquingKeysWith: +)
                }, forKey: .counts)
        }
    }

    private static func show(_ folder: FilePath, _ common: CommonOptions) throws {
        let info = try Dataset.info(of: folder)
        let counts = try Dataset.counts(of: folder)
        if common.json { return try Console.json(Report(info: info, counts: counts)) }
        let size = "\(info.height) × \(info.width)"
        var facts = [
            ["data set", safe(info.name)],
            [
                "images",
                info.keepsPictures
                    ? "pictures as they were" + (info.height > 0 ? ", \(size) to train from scratch" : "") : size,
            ],
        ]
        for (name, split) in info.splits.sorted(by: { $0.key < $1.key }) {
            facts.append([safe(name), "\(split.images) images: \(byLabel(counts[name] ?? [], info.labels))"])
        }
        facts.append(["source", safe(info.source)])
        facts.append(["folder", folder.escaped])
        if let superclasses = info.superclasses { facts.append(["superclasses", "\(superclasses.count)"]) }
        facts.append(["labels", "\(info.labels.count): \(safe(info.labels.joined(separator: ", ")))"])
        Console.table(facts)
    }

    /// Each label's count, or of many labels the smallest and the largest.
    private static func byLabel(_ counts: [Int], _ labels: [String]) -> String {
        if labels.count <= 20 { return zip(labels, counts).map { "\(safe($0)) \($1)" }.joined(separator: ", ") }
        let (fewest, most) = (counts.min() ?? 0, counts.max() ?? 0)
        return (fewest == most ? "\(most)" : "\(fewest) to \(most)") + " of each label"
    }
}

/// A line on standard error that is written over, from any thread; nothing where that is no terminal.
final class ProgressLine: Sendable {
    private let enabled: Bool
    private let last = Mutex(ContinuousClock.Instant.now - .seconds(1))

    init(enabled: Bool) { self.enabled = enabled }

    func show(_ text: String) {
        guard enabled else { return }
        let isDue = last.withLock { last in
            guard .now - last > .milliseconds(100) else { return false }
            last = .now
            return true
        }
        guard isDue else { return }
        Console.raw("\r\u{1B}[K\(text)")
    }

    func end() { if enabled { Console.raw("\r\u{1B}[K") } }
}
