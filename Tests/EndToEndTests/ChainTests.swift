import FoundationEssentials
import FoveaControl
import FoveaModels
import FoveaSystem
import FoveaTestKit
import SystemPackage
import Testing

// `foveactl model chain`, as docs/plugins.md tells plugin authors to use it.

extension EndToEnd {
    /// The repository's folder.
    private static let package = FilePath(#filePath).removingLastComponent().removingLastComponent()
        .removingLastComponent()

    /// Builds a plugin of one C file by the command of docs/plugins.md.
    private func compile(_ source: FilePath, to library: FilePath) throws {
        let child = try ChildProcess(
            executable: "/usr/bin/cc",
            arguments: [
                "-std=c11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-I",
                Self.package.pushing("Sources/CFoveaPlugin/include").string, "-o", library.string, source.string, "-lm",
            ], environment: ["PATH=/usr/bin:/bin"])
        guard child.wait() == .exited(0) else { throw TestFailure(description: "\(source) does not compile") }
    }

    /// example.c under another name, so that it is the author's and not the one that stands beside the programs.
    private func compileOwnPlugin(
        in folder: TemporaryFolder, name: String = "nearest-colour", change: (String) -> String = { $0 }
    ) throws -> FilePath {
        let example = try String(
            decoding: Files.read(Self.package.pushing("Plugins/ExampleC/example.c")), as: UTF8.self)
        let source = try folder.write(
            "\(name).c", Array(change(example.replacing("\"example-c\"", with: "\"\(name)\"")).utf8))
        let library = folder.path.appending("libfovea-\(name).so")
        try compile(source, to: library)
        return library
    }

    private func picture(_ red: Int, _ green: Int, _ blue: Int) -> [UInt8] {
        SyntheticImage.blob(width: 40, height: 30, red: red, green: green, blue: blue, seed: 3).png
    }

    @Test(
        "A plugin in C that its author has just built serves: built, checked, made a model of, swapped, and images come out"
    )
    func theAuthorsPluginServes() throws {
        let daemon = try RunningDaemon()
        let library = try compileOwnPlugin(in: daemon.folder)
        let parameters = #"{"colours":[1,-1,-1, -1,1,-1]}"#
        let check = try daemon.ctl("plugin", "check", library.string, "--classes", "2", "--parameters", parameters)
        #expect(check.code == 0, "\(check.output) \(check.error)")

        let chain = try daemon.ctl(
            "model", "chain", "tiny", "--filters", "sharpen={\"amount\":0.5}", "--classifier", library.string,
            "--parameters",
            parameters, "--labels", "reddish,greenish", "--as", "colours")
        #expect(chain.code == 0 && chain.output == "colours@1\n", "\(chain.output) \(chain.error)")
        // It stands where the daemon searches, so the author's own file may go.
        #expect(try Files.statusIfPresent(daemon.state.pushing("plugins/libfovea-nearest-colour.so")) != nil)
        try Files.unlink(library)

        let swap = try daemon.ctl("model", "swap", "colours")
        #expect(swap.code == 0, "\(swap.error)")
        try daemon.drop("red.png", picture(220, 30, 30))
        try daemon.drop("green.png", picture(30, 220, 30))
        try daemon.waitForDocuments(2)
        let results = try daemon.results
        #expect(Set(results.map(\.path.string)) == ["reddish/red.png", "greenish/green.png"])
        #expect(
            results.allSatisfy { $0.record.chain.steps.map(\.plugin) == ["sharpen", "normalize", "nearest-colour"] })
        // The models say so, too.
        let shown = try daemon.ctl("model", "show", "colours", "--json")
        let model = try JSONDecoder().decode(ModelConfiguration.self, from: Data(shown.output.utf8))
        #expect(model.labels == ["reddish", "greenish"] && model.network == nil && model.metrics == nil)
        #expect(model.chain.first?.parameters["amount"]?.double == 0.5)
    }

    @Test("A network with another filter before it keeps its weights and answers differently")
    func aFilterIsAddedAndTakenAway() throws {
        let daemon = try RunningDaemon()
        for (name, filters) in [
            ("plain", "none"), ("strong", #"sharpen={"amount":4}"#), ("same", #"sharpen={"amount":1}"#),
        ] {
            let outcome = try daemon.ctl("model", "chain", "tiny", "--filters", filters, "--as", name, "--json")
            #expect(outcome.code == 0, "\(outcome.error)")
        }
        func golden(_ name: String) throws -> GoldenSet {
            try ModelFolder.verify(daemon.state.pushing(FilePath("models/\(name)/1"))).golden
        }
        let tiny = try ModelFolder.verify(daemon.fixture.models.pushing("tiny/1"))
        #expect(try golden("same").scores == tiny.golden.scores)
        #expect(try golden("plain").scores != tiny.golden.scores)
        #expect(try golden("strong").scores != golden("plain").scores)
        let swap = try daemon.ctl("model", "swap", "strong")
        #expect(swap.code == 0, "\(swap.error)")
        // A second one of that name is the next version.
        let again = try daemon.ctl("model", "chain", "tiny", "--filters", "none", "--as", "plain")
        #expect(again.output == "plain@2\n")
    }

    @Test("What cannot serve makes no model, and says why")
    func chainsThatCannotServe() throws {
        let daemon = try RunningDaemon(starting: false)
        func refuses(_ code: Int32, _ words: String, _ arguments: String...) throws {
            let outcome = try Programs.run(
                "foveactl",
                ["model", "chain", "tiny"] + arguments + ["--as", "new", "--config", daemon.configuration.string])
            #expect(outcome.code == code, "\(arguments): \(outcome.code) \(outcome.error)")
            #expect(outcome.error.contains(words), "\(outcome.error)")
            #expect(try Files.statusIfPresent(daemon.state.pushing("models/new")) == nil)
            let left = (try? Files.list(daemon.state.appending("models")).map(\.string)) ?? []
            #expect(left.isEmpty, "\(left)")
        }
        try refuses(66, "nothing", "--filters", "nothing")
        try refuses(66, "no such file", "--classifier", "./nothing.so")
        try refuses(64, "is a normalizer", "--filters", "normalize")
        try refuses(64, "--filters", "--filters", "sharpen={")
        try refuses(65, "amuont", "--filters", #"sharpen={"amuont":1}"#)
        try refuses(64, "4 scores", "--labels", "a,b")
        try refuses(65, "colours", "--classifier", "example-c", "--labels", "a,b")
        let text = try daemon.folder.write("text.so", Array("no library".utf8))
        try refuses(65, "text.so", "--classifier", text.string)
        let crashing = try compileOwnPlugin(in: daemon.folder, name: "crashing") {
            $0.replacing("size_t pixels =", with: "*(volatile int *)8 = 1; size_t pixels =")
        }
        try refuses(
            65, "ended the process", "--classifier", crashing.string, "--labels", "a,b", "--parameters",
            #"{"colours":[1,-1,-1, -1,1,-1]}"#)
        // Another plugin of a name that models use.
        let other = try compileOwnPlugin(in: daemon.folder, name: "normalize")
        try refuses(65, "used by", "--classifier", other.string, "--labels", "a,b")
    }

    @Test("The example under its own name serves too, and a changed one takes its place only where that is asked for")
    func aPluginIsChanged() throws {
        let daemon = try RunningDaemon()
        func chain(_ library: FilePath, _ options: String...) throws -> Programs.Outcome {
            try Programs.run(
                "foveactl",
                [
                    "model", "chain", "tiny", "--classifier", library.string, "--labels", "a,b", "--parameters",
                    #"{"colours":[1,-1,-1, -1,1,-1]}"#, "--as", "colours", "--config", daemon.configuration.string,
                ] + options)
        }
        // As docs/plugins.md has it: built by hand, beside the one that make has built.
        let first = try chain(compileOwnPlugin(in: daemon.folder, name: "example-c"))
        #expect(first.code == 0 && first.output == "colours@1\n", "\(first.error)")
        let changed = try compileOwnPlugin(in: daemon.folder, name: "example-c") {
            $0.replacing("made->sharpness = 10", with: "made->sharpness = 1").replacing("1.0.0", with: "1.0.1")
        }
        let refused = try chain(changed)
        #expect(refused.code == 65 && refused.error.contains("colours@1") && refused.error.contains("--replace"))
        let second = try chain(changed, "--replace")
        #expect(second.code == 0 && second.output == "colours@2\n", "\(second.error)")
        let swap = try daemon.ctl("model", "swap", "colours@2")
        #expect(swap.code == 0, "\(swap.error)")
        // The first one no longer gives its golden scores.
        let back = try daemon.ctl("model", "swap", "colours@1")
        #expect(back.code == 65 && back.error.contains("golden set"), "\(back.error)")
    }
}
