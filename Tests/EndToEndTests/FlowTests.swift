import FoundationEssentials
import FoveaControl
import FoveaSystem
import FoveaTestKit
import Glibc
import SystemPackage
import Testing

/// Real processes on real files, one daemon after the other.
@Suite(.serialized) struct EndToEnd {
    @Test func everyImageHasItsResult() throws {
        let daemon = try RunningDaemon()
        let images = daemon.fixture.images
        try daemon.drop(images)
        try daemon.waitForDocuments(images.count)
        try daemon.expectResults(images.map(\.name), of: images.count)
        try eventually("the counters agree") {
            let status = try daemon.status()
            return status.queue.published == images.count && status.queue.failed == 0 && status.queue.waiting == 0
                && status.queue.spooled + status.queue.classifying == 0
        }
        for image in [images[0], images[150], images[299]] {
            try eventually("why knows \(image.name)") { try daemon.ctl("why", image.name).code == 0 }
            let answer = try JSONDecoder().decode(
                WhyAnswer.self, from: Data(try daemon.ctl("why", image.name, "--json").output.utf8))
            #expect(answer.file == image.name && answer.events.map(\.what) == ["received", "classified", "published"])
        }
        #expect(try daemon.ctl("why", "never.png").code != 0)
        try eventually("STATUS.txt is there") {
            try Files.statusIfPresent(daemon.outbox.appending("STATUS.txt")) != nil
        }
        try daemon.stop()
    }

    @Test func swapsLoseNothing() throws {
        let daemon = try RunningDaemon()
        let images = daemon.fixture.images
        for round in 0..<6 {
            try daemon.drop(images[(round * 50)..<(round * 50 + 50)])
            let outcome = try daemon.ctl("model", "swap", round % 2 == 0 ? "other" : "tiny", "--json")
            #expect(outcome.code == 0, "\(outcome.error)")
            let receipt = try JSONDecoder().decode(SwapReceipt.self, from: Data(outcome.output.utf8))
            #expect(receipt.outcome == .switched && receipt.new?.name == (round % 2 == 0 ? "other" : "tiny"))
            #expect(receipt.loadMs != nil && receipt.goldenMs != nil && receipt.switchedAt != nil)
        }
        try daemon.waitForDocuments(images.count)
        try daemon.expectResults(images.map(\.name), of: images.count)
        #expect(try daemon.status().generation == 7)
        try daemon.stop()
    }

    @Test(arguments: [UInt64(1), 2, 3]) func aKilledDaemonGoesOn(_ seed: UInt64) throws {
        let daemon = try RunningDaemon(["workers": "1", "batch": "4"])
        var random = SplitMix64(seed: seed)
        let images = daemon.fixture.images
        try daemon.drop(images.prefix(200))
        for kill in 1...3 {
            let count = Int.random(in: kill * 40...kill * 50, using: &random)
            try eventually("\(count) documents") { daemon.publishedCount >= count }
            usleep(UInt32.random(in: 0..<20_000, using: &random))
            daemon.kill()
            try daemon.start()
        }
        try daemon.drop(images.dropFirst(200))
        try daemon.waitForDocuments(images.count)
        try daemon.stop()
        try daemon.expectResults(images.map(\.name), of: images.count)
    }

    @Test func anOrderlyStopFinishesAndAnotherStartGoesOn() throws {
        let daemon = try RunningDaemon(["workers": "1", "batch": "4"])
        let images = daemon.fixture.images
        try daemon.drop(images)
        try eventually("the first results") { daemon.publishedCount >= 5 }
        try daemon.stop()
        let before = daemon.publishedCount
        #expect(try daemon.results.allSatisfy(\.hasImage))
        try daemon.start()
        try daemon.waitForDocuments(images.count)
        #expect(before <= images.count)
        try daemon.expectResults(images.map(\.name), of: images.count)
        try daemon.stop()
    }

    @Test func whatLiesThereAtTheStartIsTaken() throws {
        let daemon = try RunningDaemon(starting: false)
        try daemon.drop(daemon.fixture.images.prefix(10), prefix: "sub/deep/")
        try daemon.start()
        try daemon.waitForDocuments(10)
        try daemon.expectResults(
            daemon.fixture.images.prefix(10).map { "sub/deep/\($0.name)" }, of: 10,
            key: { FilePath($0).lastComponent!.string })
        for result in try daemon.results { #expect(result.path.components.dropFirst().first == "sub") }
        try daemon.stop()
    }

    @Test func aSlowWriterIsWaitedFor() throws {
        let daemon = try RunningDaemon(["settle": "3s"])
        let image = daemon.fixture.images[0]
        let file = try Files.open(daemon.inbox.appending(FilePath.Component(image.name)!), O_WRONLY | O_CREAT)
        for part in 0..<12 {
            let (start, end) = (image.bytes.count * part / 12, image.bytes.count * (part + 1) / 12)
            try Files.write(image.bytes[start..<end], to: file)
            usleep(100_000)
        }
        try file.close()
        try daemon.waitForDocuments(1)
        try daemon.expectResults([image.name], of: 1)
        try daemon.stop()
    }

    @Test func oneInboxHasOneDaemon() throws {
        let daemon = try RunningDaemon()
        let second = try daemon.spawn()
        #expect(second.wait() == .exited(75))
        #expect(daemon.log.contains("another fovead works on"))
        try daemon.drop(daemon.fixture.images.prefix(3))
        try daemon.waitForDocuments(3)
        try daemon.stop()
        let outcome = try daemon.ctl("status")
        #expect(outcome.code == 69 && !outcome.error.isEmpty && outcome.output.isEmpty)
    }

    @Test func withoutSpaceNothingIsTaken() throws {
        let daemon = try RunningDaemon(["min-free": "500000TiB"])
        try daemon.drop(daemon.fixture.images.prefix(5))
        try eventually("five wait") { try daemon.status().queue.waiting == 5 }
        let status = try daemon.status()
        #expect(!status.intake.taking && status.intake.reason?.contains("min-free") == true)
        #expect(daemon.publishedCount == 0)
        #expect(try Files.list(daemon.inbox).count == 5)
        try daemon.stop()
        #expect(try Files.list(daemon.inbox).count == 5)
    }
}
