import FoundationEssentials
import FoveaControl
import FoveaSystem
import FoveaTestKit
import SystemPackage
import Testing

extension EndToEnd {
    /// Names of images, by what `evaluate` says of both models.
    private func expectedDifferences(_ fixture: Fixture) throws -> Set<String> {
        let (tiny, other) = (try #require(fixture.expected["tiny"]), try #require(fixture.expected["other"]))
        let names = tiny.keys.filter { tiny[$0]?.first?.label != other[$0]?.first?.label }
        #expect(!names.isEmpty && names.count < tiny.count, "the fixture's models must differ, and not everywhere")
        return Set(names)
    }

    private func comparison(_ outcome: Programs.Outcome) throws -> JSONValue {
        #expect(outcome.code == 0, "\(outcome)")
        return try JSONDecoder().decode(JSONValue.self, from: Data(outcome.output.utf8))
    }

    private func differences(_ value: JSONValue) -> [JSONValue] {
        guard case .array(let differences) = value["differences"] else { return [] }
        return differences
    }

    /// Of what the daemon has classified, in its outbox.
    @Test func compareListsExactlyTheImagesThatFlip() throws {
        let daemon = try RunningDaemon()
        let images = daemon.fixture.images
        try daemon.drop(images)
        try daemon.waitForDocuments(images.count)
        try eventually("the history has them") {
            try comparison(try daemon.ctl("model", "compare", "tiny", "other", "--last", "300", "--json"))["images"]
                == .int(300)
        }
        let page = daemon.root.appending("page.html")
        let value = try comparison(
            try daemon.ctl(
                "model", "compare", "tiny@1", "other@1", "--last", "300", "--html", page.string, "--json"))
        let differences = differences(value)
        let names = differences.compactMap { $0["image"]?.string.flatMap { FilePath($0).lastComponent?.string } }
        #expect(Set(names) == (try expectedDifferences(daemon.fixture)) && names.count == Set(names).count)
        for difference in differences {
            let name = try #require(difference["image"]?.string.flatMap { FilePath($0).lastComponent?.string })
            for (model, key) in [("tiny", "old"), ("other", "new")] {
                let best = try #require(daemon.fixture.expected[model]?[name]?.first)
                #expect(difference[key]?["label"]?.string == best.label)
                #expect(difference[key]?["confidence"]?.double.map { Float($0) } == best.confidence)
            }
        }
        let html = String(decoding: try Files.read(page), as: UTF8.self)
        #expect(html.split(separator: "<img src=\"data:image/png;base64,").count - 1 == names.count)

        // For people: each flip counted, each image named.
        let text = try daemon.ctl("model", "compare", "tiny", "other", "--last", "300").output
        #expect(text.hasPrefix("tiny@1 and other@1 differ on \(names.count) of 300 images"), "\(text)")
        for name in names { #expect(text.contains(name)) }
        // What has been taken away is said, and the rest compared.
        try Files.removeTree(daemon.outbox.appending(Fixture.labels[0]))
        let rest = try daemon.ctl("model", "compare", "tiny", "other", "--last", "300")
        #expect(rest.code == 0 && rest.error.contains("are no longer in the outbox"), "\(rest)")
        // Where enough are left, older ones take their place.
        let few = try daemon.ctl("model", "compare", "tiny", "other", "--last", "100", "--json")
        #expect(try comparison(few)["images"] == .int(100))
        #expect(few.error.isEmpty, "\(few)")
        try daemon.stop()
    }

    /// Of labelled images, with accuracy and a test of it.
    @Test func compareKnowsWhoIsRight() throws {
        let threads = try Programs.run("foveactl", ["model", "compare", "a", "b", "--threads", "2"])
        #expect(threads.code == 64 && threads.error.contains("--threads goes with --data"), "\(threads)")
        let daemon = try RunningDaemon(starting: false)
        let images = daemon.fixture.root.appending("images")
        let value = try comparison(
            try daemon.ctl("model", "compare", "tiny", "other", "--data", images.string, "--json"))
        let names = differences(value).compactMap { $0["image"]?.string.flatMap { FilePath($0).lastComponent?.string } }
        #expect(Set(names) == (try expectedDifferences(daemon.fixture)))
        for difference in differences(value) {
            let truth = try #require(difference["truth"]?.string)
            #expect(difference["image"]?.string?.hasPrefix("\(truth)/") == true)
        }
        let accuracy = try #require(value["accuracy"])
        let (gained, lost) = (
            differences(value).count { $0["new"]?["label"] == $0["truth"] },
            differences(value).count { $0["old"]?["label"] == $0["truth"] }
        )
        #expect(accuracy["gained"] == .int(gained) && accuracy["lost"] == .int(lost))
        #expect(
            try daemon.ctl("model", "compare", "tiny", "tiny@1", "--data", images.string).output.contains(
                "differ on 0 of 300"))

        let nothing = try daemon.ctl("model", "compare", "tiny", "other")
        #expect(nothing.code == 66 && nothing.error.contains("--data"), "\(nothing)")
        let unknown = try daemon.ctl("model", "compare", "tiny", "nobody", "--data", images.string)
        #expect(unknown.code == 66 && unknown.error.contains("nobody"), "\(unknown)")
    }
}
