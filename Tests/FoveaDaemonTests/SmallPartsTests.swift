import FoveaControl
import FoveaDaemon
import Testing

@Suite struct SmallPartsTests {
    @Test func ratesAreOverWholeSeconds() {
        var meter = RateMeter()
        #expect(meter.rate(10) == 0)
        meter.count(30)
        #expect(meter.rate(10) == 0, "the running second does not count yet")
        meter.tick()
        #expect(meter.rate(10) == 30)
        meter.tick()
        #expect(meter.rate(10) == 15)
        for _ in 0..<8 { meter.tick() }
        #expect(meter.rate(10) == 3)
        meter.tick()
        #expect(meter.rate(10) == 0 && meter.rate(60) > 2)
        for _ in 0..<200 {
            meter.count(7)
            meter.tick()
        }
        #expect(meter.rate(10) == 7)
        #expect(abs(meter.rate(59) - 7) < 1e-9)
    }

    @Test func theStatusFileIsForPeople() {
        let identity = ModelIdentity(name: "tiny", version: "3", sha256: "00")
        let status = Status(
            version: "1", pid: 1, since: .now(), uptime: 1, mode: .paused, model: identity, chain: [], generation: 1,
            sandbox: "full", watch: .init(mode: .inotify, overflows: 0),
            queue: .init(
                waiting: 3, settling: 2, spooled: 4, classifying: 1, published: 17, failed: 2, unsure: 5, unknown: 4),
            rates: .init(tenSeconds: 1, minute: 1), workers: [],
            intake: .init(taking: false, reason: "paused by you", freeSpace: 1), lastSwap: nil,
            warnings: ["confidence: no such label"])
        let bytes = StatusFile.text(status)
        let lines = bytes.split(separator: 0x0A).map { String(decoding: $0, as: UTF8.self) }
        #expect(lines[0].utf8.count == 79 && lines[0].hasPrefix("Fovea, 20"))
        let text = lines.joined(separator: "\n")
        for part in [
            "paused by you", "tiny@3", "5 in the inbox, 5 taken", "17 since", "2 failed, 5 unsure, 4 unknown",
            "failed/",
            "warning     confidence: no such label",
        ] {
            #expect(text.contains(part), "\(part) is missing")
        }
    }
}
