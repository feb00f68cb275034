import ArgumentParser
import FoveaCLI
import FoveaControl
import FoveaData
import FoveaSystem
import Glibc
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
                        entry.info.map { "\($0.height) × \($0.width)" } ?? "-",
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
            abstract: "Imports CIFAR-100 (archive or folder) or a folder per class of PNG and JPEG.")
        @Argument(help: "An archive, a CIFAR binary folder, or a folder with a folder per class.")
        var path: String
        @Option(help: ArgumentHelp("What the data set will be called.", valueName: "n"))
        var name: String
        @Option(help: ArgumentHelp("Pixels along a side of every image.", valueName: "pixels"))
        var size = 32
        @Option(help: "The share of each class to test with, where a folder has no test part.")
        var testFraction = 0.1
        @Option(help: "Chooses that share.")
        var seed: UInt64 = 0
        @Flag(help: "Replace a data set of that name.")
        var replace = false
        @OptionGroup var common: CommonOptions
        @OptionGroup var place: StateOption

        func validate() throws {
            guard (1...1024).contains(size) else { throw ValidationError("--size must be from 1 to 1024.") }
            guard (0..<1).contains(testFraction) else {
                throw ValidationError("--test-fraction must be at least 0 and below 1.")
            }
        }

        func run() throws {
            let folder = try common.configuration(place).datasets
            try Dataset.place(of: name, in: folder, replacing: replace)
            let options = ImportOptions(name: name, size: size, testFraction: testFraction, seed: seed)
            guard (try? Files.statusIfPresent(FilePath(path), followingLinks: true)) ?? nil != nil else {
                throw Failure("\(safe(path)): there is no such file or folder.", .noInput)
            }
            // The path is always taken as a path, never as the name of a data set.
            let source = try DataSource.find(path.contains("/") ? path : "./\(path)", datasets: folder)
            var imported = try source.load(options)
            imported.dataset.info.name = name
            try DatasetCommand.keep(imported, in: folder, replacing: replace, common)
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
        static let configuration = CommandConfiguration(abstract: "Writes PNG files, a folder per class.")
        @Argument(help: "The data set's name.")
        var name: String
        @Option(help: "Which part: train or test.")
        var split: String
        @Option(help: ArgumentHelp("A folder that is new or empty.", valueName: "dir"))
        var output: PathArgument
        @OptionGroup var common: CommonOptions
        @OptionGroup var place: StateOption

        func run() throws {
            let dataset = try Dataset.open(DatasetCommand.folder(of: name, common, place), only: [split])
            let images = try dataset.images(split)
            let bar = ProgressLine(enabled: isatty(2) == 1 && !common.quiet)
            try DatasetExport.write(images, labels: dataset.info.labels, to: output.path) { done in
                if done % 500 == 0 { bar.show("\(done) of \(images.count) images") }
            }
            bar.end()
            if common.json { return try Console.json(["images": images.count]) }
            common.note("\(images.count) images are in \(safe(output.path.escaped)).")
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
        for file in imported.refused.prefix(20) { common.note("left out \(safe(file.path)): \(safe(file.reason))") }
        if imported.refused.count > 20 { common.note("left out \(imported.refused.count - 20) more") }
        let place = try imported.dataset.save(in: folder, replacing: replacing)
        try show(place, common)
    }

    private static func show(_ folder: FilePath, _ common: CommonOptions) throws {
        let info = try Dataset.info(of: folder)
        if common.json { return try Console.json(info) }
        var facts = [
            ["data set", safe(info.name)],
            ["images", "\(info.height) × \(info.width)"],
        ]
        for (name, split) in info.splits.sorted(by: { $0.key < $1.key }) {
            facts.append([safe(name), "\(split.images) images"])
        }
        facts.append(["source", safe(info.source)])
        facts.append(["folder", folder.escaped])
        if let superclasses = info.superclasses { facts.append(["superclasses", "\(superclasses.count)"]) }
        facts.append(["labels", "\(info.labels.count): \(safe(info.labels.joined(separator: ", ")))"])
        Console.table(facts)
    }
}

/// A line on standard error that is written over; nothing where that is no terminal.
final class ProgressLine {
    private let enabled: Bool
    private var last = ContinuousClock.Instant.now - .seconds(1)

    init(enabled: Bool) { self.enabled = enabled }

    func show(_ text: String) {
        guard enabled, .now - last > .milliseconds(100) else { return }
        last = .now
        Console.raw("\r\u{1B}[K\(text)")
    }

    func end() { if enabled { Console.raw("\r\u{1B}[K") } }
}
