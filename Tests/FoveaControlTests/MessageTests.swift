import FoundationEssentials
import FoveaControl
import FoveaSystem
import Testing

@Suite struct MessageTests {
    private let model = ModelIdentity(name: "cifar100", version: "3", sha256: "ab12")

    private func record(
        file: String = "a/cat.png", superclass: String? = "pets", unknown: Float? = nil,
        status: ResultRecord.Status = .unsure
    ) -> ResultRecord {
        ResultRecord(
            id: "id1", file: file, sha256: "00ff", bytes: 1234, width: 32, height: 24, label: "cat",
            confidence: 0.1, top: [.init(label: "cat", confidence: 0.1), .init(label: "dog", confidence: 1e-9)],
            superclass: superclass, unknown: unknown, status: status, model: model,
            chain: ChainDescription([
                ChainStep(plugin: "sharpen", version: "1.0", parameters: .object(["amount": .int(1)])),
                ChainStep(plugin: "classifier-net"),
            ]),
            received: Timestamp(milliseconds: 1_764_000_000_123), published: Timestamp(milliseconds: 1_764_000_000_200),
            timings: ["decode": 1.25, "wait": 0.1])
    }

    @Test func aResultIsExactlyItsSchema() {
        let expected = """
            {"schema":"fovea.result/1","id":"id1","file":"a/cat.png","sha256":"00ff","bytes":1234,"width":32,\
            "height":24,"label":"cat","confidence":0.1,"top":[{"label":"cat","confidence":0.1},\
            {"label":"dog","confidence":1e-09}],"superclass":"pets","status":"unsure",\
            "model":{"name":"cifar100","version":"3","sha256":"ab12"},\
            "chain":[{"parameters":{"amount":1},"plugin":"sharpen","version":"1.0"},\
            {"parameters":{},"plugin":"classifier-net"}],\
            "received":"2025-11-24T16:00:00.123Z","published":"2025-11-24T16:00:00.200Z",\
            "timings":{"decode":1.25,"wait":0.1}}
            """
        #expect(String(decoding: record().json(), as: UTF8.self) == expected)
        let unknown = expected.replacing(
            "\"status\":\"unsure\"", with: "\"unknown\":1.25,\"status\":\"unknown\"")
        #expect(String(decoding: record(unknown: 1.25, status: .unknown).json(), as: UTF8.self) == unknown)
    }

    /// What an older version has published is still read.
    @Test func aResultWithoutUnknownIsRead() throws {
        #expect(try JSONDecoder().decode(ResultRecord.self, from: Data(record().json())).unknown == nil)
    }

    @Test(arguments: [
        "a/cat.png", "quote\" and \\ slash/", "line\nbreak\ttab\u{1}\u{1f}\u{7f}", "Bär 😀 \u{2028}", "",
    ])
    func theFastEncoderAndCodableAgree(_ file: String) throws {
        for superclass in [nil, "s"] {
            let record = record(file: file, superclass: superclass, unknown: superclass == nil ? 0.1 : nil)
            let fast = record.json()
            #expect(try JSONDecoder().decode(ResultRecord.self, from: Data(fast)) == record)
            let slow = try JSONEncoder().encode(record)
            let values = try [Data(fast), slow].map { try JSONDecoder().decode(JSONValue.self, from: $0) }
            #expect(values[0] == values[1])
        }
    }

    @Test func floatsComeBackBitForBit() throws {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<500 {
            var record = record()
            record.confidence = Float.random(in: 0...1, using: &generator)
            record.timings = ["a": Double.random(in: 0...1000, using: &generator)]
            let back = try JSONDecoder().decode(ResultRecord.self, from: Data(record.json()))
            #expect(back.confidence.bitPattern == record.confidence.bitPattern)
            #expect(back.timings == record.timings)
        }
    }

    @Test(arguments: [true, false])
    func anErrorIsExactlyItsSchema(_ full: Bool) throws {
        let record = ErrorRecord(
            id: "i", file: "x.png", sha256: full ? "aa" : nil, bytes: 0, reason: "empty", message: "It has no bytes.",
            received: Timestamp(milliseconds: 0), published: Timestamp(milliseconds: 1), attempts: 1,
            model: full ? model : nil)
        let sha256 = full ? "\"sha256\":\"aa\"," : ""
        let end = full ? ",\"model\":{\"name\":\"cifar100\",\"version\":\"3\",\"sha256\":\"ab12\"}" : ""
        let expected =
            "{\"schema\":\"fovea.error/1\",\"id\":\"i\",\"file\":\"x.png\",\(sha256)\"bytes\":0,\"reason\":\"empty\","
            + "\"message\":\"It has no bytes.\",\"received\":\"1970-01-01T00:00:00.000Z\","
            + "\"published\":\"1970-01-01T00:00:00.001Z\",\"attempts\":1\(end)}"
        #expect(String(decoding: record.json(), as: UTF8.self) == expected)
        #expect(try JSONDecoder().decode(ErrorRecord.self, from: Data(record.json())) == record)
    }

    @Test func theBestAreInOrder() {
        let labels = ["a", "b", "c", "d", "e", "f"]
        let best = ResultRecord.Candidate.best(of: [0.1, 0.3, 0.1, 0.25, 0.2, 0.05], labels: labels)
        #expect(best.map(\.label) == ["b", "d", "e", "a", "c"])
        #expect(ResultRecord.Candidate.best(of: [0.5, 0.5], labels: ["x", "y"]).map(\.label) == ["x", "y"])
        #expect(ResultRecord.Candidate.indices(of: [0.1, 0.5, 0.2, 0.15, 0.05], count: 3) == [1, 2, 3])
        #expect(
            ResultRecord.Candidate.indices(of: [0.25, 0.25, 0.25, 0.25]) == [0, 1, 2, 3], "of equal ones the first")
        #expect(ResultRecord.Candidate.indices(of: [0.2, 0.3, 0.3, 0.2], count: 3) == [1, 2, 0])
        #expect(ResultRecord.Candidate.indices(of: []).isEmpty)
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            let scores = (0..<20).map { _ in Float(Int.random(in: 0..<6, using: &generator)) / 8 }
            let sorted = scores.indices.sorted { (scores[$1], $0) < (scores[$0], $1) }
            #expect(ResultRecord.Candidate.indices(of: scores) == Array(sorted.prefix(5)))
        }
    }

    @Test func timestampsAreTheCalendars() {
        #expect(Timestamp(milliseconds: 951_782_400_000).description == "2000-02-29T00:00:00.000Z")
        #expect(Timestamp(milliseconds: -1).description == "1969-12-31T23:59:59.999Z")
        #expect(Timestamp(milliseconds: 4_107_542_399_999).description == "2100-02-28T23:59:59.999Z")
        for milliseconds in stride(from: -5_000_000_000_000, to: 9_000_000_000_000, by: 86_399_999_983) {
            let time = Timestamp(milliseconds: milliseconds)
            #expect(Timestamp(time.description) == time)
        }
        for text in [
            "", "2025-11-24", "2025-13-24T16:00:00.123Z", "2025-11-24T16:00:00.123z", "2025-11-24T1a:00:00.123Z",
        ] {
            #expect(Timestamp(text) == nil)
        }
    }

    @Test func theOtherMessagesRoundTrip() throws {
        let receipt = SwapReceipt(
            outcome: .switched, old: model, new: model, loadMs: 1, warmUpMs: 2, goldenMs: 3, goldenDifference: 0.0001,
            switchedAt: Timestamp(milliseconds: 5), lastOnOld: .init(id: "1", file: "a"), drainedImages: 3,
            memoryBefore: 4, memoryAfter: 5)
        let status = Status(
            version: "0.1", pid: 1, since: Timestamp(milliseconds: 0), uptime: 1.5, mode: .running, model: model,
            chain: [ChainStep(plugin: "sharpen")], generation: 2, sandbox: "full",
            watch: .init(mode: .inotify, overflows: 1), queue: .init(waiting: 3, ignored: ["junk": 1], etaSeconds: 1),
            rates: .init(tenSeconds: 1, minute: 2),
            workers: [.init(pid: 2, state: "idle", generation: 2, batches: 1, images: 64, rss: 1)],
            intake: .init(taking: false, reason: "paused", freeSpace: 9), lastSwap: receipt,
            unknown: .init(tells: true, above: 1.5), warnings: ["w"])
        func roundTrip<Message: Codable & Equatable>(_ message: Message) throws {
            #expect(try JSONDecoder().decode(Message.self, from: JSONEncoder().encode(message)) == message)
        }
        try roundTrip(status)
        try roundTrip(receipt)
        try roundTrip(SwapRequest(model: "m@1"))
        try roundTrip(SwapRequest(model: "m@1", replacing: "00ff"))
        try roundTrip(QueueAnswer(verb: .drain, mode: .draining, images: 3))
        try roundTrip(ErrorAnswer(code: "c", message: "m", hint: "h"))
        try roundTrip(
            WhyAnswer(id: "i", file: "f", events: [.init(time: Timestamp(milliseconds: 1), what: "w", detail: "d")]))
        try roundTrip(
            ModelAnswer(model: model, generation: 1, chain: [], labels: 100, since: Timestamp(milliseconds: 1)))
    }
}
