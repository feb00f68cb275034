import FoveaModels
import FoveaSystem
import FoveaTestKit
import Testing

@Suite struct ModelConfigurationTests {
    private func read(_ change: (inout [String: JSONValue]) -> Void) throws -> ModelConfiguration {
        guard case .object(var members) = try JSONValue(encoding: Sample.configuration()) else { fatalError() }
        change(&members)
        return try ModelConfiguration(bytes: Array(JSONValue.object(members).text.utf8), subject: "config.json")
    }

    @Test func returnsWhatWasWritten() throws {
        let configuration = Sample.configuration()
        #expect(try ModelConfiguration(bytes: configuration.encode(), subject: "config.json") == configuration)
        #expect(try configuration.identifier.description == "tiny@1")
    }

    @Test func whatMayBeMissingMayBeMissing() throws {
        let configuration = try read {
            for key in ["superclasses", "superclassOf", "training", "metrics", "description", "weights"] {
                $0[key] = nil
            }
        }
        #expect(configuration.superclasses == nil && configuration.metrics == nil && configuration.description == "")
    }

    @Test(arguments: [
        ImageTarget(height: 4, width: 5), ImageTarget(height: 4, width: 5, framing: .crop(share: 0.875)),
        ImageTarget(height: 4, width: 5, framing: .fit(fill: RGBColour(1, 2, 255)), resample: .bicubic),
    ])
    func recordsTheFraming(_ target: ImageTarget) throws {
        var configuration = Sample.configuration()
        configuration.input = ModelConfiguration.Input(target)
        let read = try ModelConfiguration(bytes: configuration.encode(), subject: "config.json")
        #expect(read == configuration && read.input.target == target)
    }

    /// A model from before framing says nothing of it, is stretched, and is written as it was.
    @Test func aModelWithoutFramingIsStretched() throws {
        let old: JSONValue = .object(["height": .int(4), "width": .int(5), "channels": .int(3)])
        let configuration = try read { $0["input"] = old }
        #expect(configuration.input.target == ImageTarget(height: 4, width: 5, framing: .stretch, resample: .bilinear))
        #expect(try JSONValue(encoding: configuration.input) == old)
    }

    @Test(arguments: [
        ("stretch", "stretch"), ("crop", "crop 0.875"), ("crop=0.5", "crop 0.5"), ("fit", "fit 7,8,9"), ("crop=2", nil),
        ("crop=0.01", nil), ("crop=x", nil), ("Crop", nil), ("", nil),
    ])
    func readsTheOption(_ text: String, _ expected: String?) {
        #expect(Framing(option: text, mean: RGBColour(7, 8, 9))?.description == expected)
    }

    @Test func marginsHaveTheMeanColour() {
        func colour(_ parameters: JSONValue) -> RGBColour {
            RGBColour(meanOf: [
                StageConfiguration(plugin: "sharpen"), StageConfiguration(plugin: "normalize", parameters: parameters),
                StageConfiguration(plugin: "classifier-net"),
            ])
        }
        #expect(colour(.object(["mode": .string("signed")])) == RGBColour(127, 127, 127))
        let mean: JSONValue = .array([.number(0.5), .number(0.25), .number(1)])
        #expect(colour(.object(["mean": mean, "std": mean])) == RGBColour(127, 63, 255))
    }

    private func input(_ more: [String: JSONValue]) -> JSONValue {
        JSONValue.object(["height": .int(4), "width": .int(5), "channels": .int(3)]).merging(.object(more))
    }

    @Test func namesTheKeyAtFault() {
        let cases: [(String, JSONValue?, String)] = [
            ("schema", .string("fovea.model/9"), "fovea.model/1"), ("schema", nil, "schema: missing"),
            ("nmae", .string("x"), "nmae: unknown key"), ("name", .string("../x"), "name: "),
            ("version", .string(""), "version: "), ("name", .int(3), "name: must be a string"),
            ("labels", .array([.string("a")]), "labels: 1 of them"),
            ("labels", .array([.string("a"), .string("a"), .string("b")]), "twice"),
            ("superclasses", nil, "superclasses: "), ("superclassOf", .array([.int(0)]), "superclassOf: has 1"),
            ("superclassOf", .array([.int(0), .int(0), .int(2)]), "superclassOf: 2 is not"),
            ("input", .object(["height": .int(4), "width": .int(5), "channels": .int(1)]), "channels: must be 3"),
            ("input", .object(["height": .int(0), "width": .int(5), "channels": .int(3)]), "height: must be"),
            ("input", input(["framing": .string("crop")]), "framing: must be"),
            ("input", input(["framing": .object(["kind": .string("zoom")])]), "kind: is 'zoom'"),
            ("input", input(["framing": .object(["kind": .string("fit")])]), "fill: must be three"),
            (
                "input", input(["framing": .object(["kind": .string("crop"), "share": .int(2)])]), "share: must be from"
            ),
            ("input", input(["resample": .string("lanczos")]), "resample: must be"),
            ("chain", .array([]), "chain: has 0 stages"),
            ("chain", .array([.object(["plugin": .string("a/b")])]), "plugin: 'a/b'"),
            ("chain", .array([.object(["plugin": .string("a"), "parameter": .null])]), "parameter: unknown"),
            ("chain", .array([.object(["plugin": .string("a"), "parameters": .int(1)])]), "parameters: must be"),
            ("network", nil, "network: missing"), ("weights", .object(["dtype": .string("U8")]), "dtype: must be"),
        ]
        for (key, value, expected) in cases {
            let message = refusal { _ = try read { $0[key] = value } }
            #expect(
                message.hasPrefix("damaged: config.json: ") && message.contains(expected), "\(expected): \(message)")
        }
    }

    @Test func refusesADuplicateKey() {
        let text = String(decoding: Sample.configuration().encode(), as: UTF8.self)
        let doubled = text.replacing("\"version\"", with: "\"name\" : \"other\",\n  \"version\"")
        #expect(refusal { _ = try ModelConfiguration(bytes: Array(doubled.utf8), subject: "c") }.contains("twice"))
    }

    @Test func labelsMustBeNamesOfFolders() {
        #expect(Labels.problem("maple tree") == nil)
        #expect(Labels.problem("Ahornbäume, große") == nil)
        #expect(Labels.problem(String(repeating: "ä", count: 50)) == nil)
        for bad in ["", ".hidden", "a/b", "failed", "unsure", "a\u{0}b", "a\nb", String(repeating: "ä", count: 51)] {
            #expect(Labels.problem(bad) != nil)
        }
    }

    /// Older versions made models with this label, which serve on; data sets and new models may not have it.
    @Test func unknownIsALabelOfOldModelsOnly() throws {
        #expect(Labels.problem("unknown") == nil)
        #expect(Labels.problem("unknown", isNew: true)?.contains("rename the folder") == true)
        #expect(Labels.problem("failed", isNew: true)?.contains("rename the folder") == true)
        try Labels.check(["cat", "unknown"])
        #expect(throws: LabelError.self) { try Labels.check(["cat", "unknown"], areNew: true) }
        var configuration = Sample.configuration()
        configuration.labels[1] = "unknown"
        let read = try ModelConfiguration(bytes: configuration.encode(), subject: "c")
        #expect(read.labels == ["cat", "unknown", "naïve owl"])
        configuration.labels[1] = "unsure"
        #expect(
            refusal { _ = try ModelConfiguration(bytes: configuration.encode(), subject: "c") }.contains("reserved"))
    }

    @Test func versionsCompareByNumberThenText() throws {
        let ordered = ["1", "1.1", "1-rc", "2", "9", "10", "10.0.1", "10.0.2", "10.0.10", "10-a", "10-b", "a"]
        for (i, left) in ordered.enumerated() {
            for (j, right) in ordered.enumerated() {
                #expect(ModelIdentifier.isOlder(left, than: right) == (i < j), "\(left) and \(right)")
            }
        }
        let huge = String(repeating: "9", count: 40)
        #expect(ModelIdentifier.isOlder(huge, than: "1" + huge.dropLast() + "00"))
        #expect(ModelIdentifier.isOlder("1", than: "01") != ModelIdentifier.isOlder("01", than: "1"))
    }

    @Test func referencesAreNamesWithOrWithoutVersion() throws {
        #expect(try ModelReference("cifar100").version == nil)
        #expect(try ModelReference("cifar100-vanilla@1.2").version == "1.2")
        for bad in ["", "@1", "a@", "a@b@c", "A", "-a", "../a", "a/b", String(repeating: "a", count: 65)] {
            #expect(refusal { _ = try ModelReference(bad) }.hasPrefix("invalidName"), "\(bad)")
        }
    }
}
