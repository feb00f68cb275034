import FoveaControl
import FoveaModels
import FoveaSystem
import FoveaTestKit
import Glibc
import SystemPackage
import Testing

/// What goes wrong around the daemon while it runs or before it starts, other than the images.
extension EndToEnd {
    @Test func aDamagedActiveModelDoesNotKeepTheDaemonFromServing() throws {
        let daemon = try RunningDaemon()
        try daemon.makeModel("sound")
        #expect(try daemon.ctl("model", "swap", "sound").code == 0)
        try daemon.stop()
        let weights = daemon.state.pushing(FilePath("models/sound/1/\(ModelFolder.weightsName)"))
        try Files.replace(weights, with: Array(try Files.read(weights).dropLast(8)))
        try daemon.start()
        #expect(try daemon.status().model?.name == "tiny")
        #expect(daemon.log.contains("sound@1") && daemon.log.contains("tiny@1 is tried instead"), "\(daemon.log)")
        let image = daemon.fixture.images[0]
        try daemon.drop([image])
        try daemon.waitForDocuments(1)
        try daemon.expectResults([image.name], of: 1)
        // The damaged one is not what a rollback goes to.
        let rollback = try daemon.ctl("model", "rollback")
        #expect(rollback.code != 0 && !rollback.error.contains("sound"), "\(rollback.error)")
        try daemon.stop()
    }

    @Test func withoutAnyGoodModelItSaysSo() throws {
        let daemon = try RunningDaemon(["model": "nosuchmodel"], starting: false)
        #expect(try daemon.spawn().wait() == .exited(65))
        #expect(daemon.log.contains("nosuchmodel") && daemon.log.contains("foveactl model list"), "\(daemon.log)")
    }

    @Test func stoppingWhileTheFirstModelLoadsIsAnOrdinaryStop() throws {
        let daemon = try RunningDaemon(starting: false)
        let process = try daemon.spawn()
        try eventually("it runs\n\(daemon.log)") { daemon.log.contains("watches") }
        process.signal(SIGTERM)
        #expect(process.wait() == .exited(0), "\(daemon.log)")
    }

    @Test func aLabelThatCannotBeAFolderHoldsUpNoOther() throws {
        let daemon = try RunningDaemon()
        let images = daemon.fixture.images.prefix(40)
        let best = Dictionary(
            uniqueKeysWithValues: images.map { ($0.name, daemon.fixture.expected["tiny"]![$0.name]![0].label) })
        let label = try #require(best[images[0].name])
        let stuck = best.values.count { $0 == label }
        try Files.replace(daemon.outbox.appending(label), with: [])
        try daemon.drop(images)
        try daemon.waitForDocuments(images.count - stuck)
        try eventually("the others are held") { try daemon.status().queue.held == stuck }
        #expect(daemon.publishedCount == images.count - stuck)
        let why = try daemon.ctl("why", images[0].name)
        #expect(why.code == 0 && why.output.contains("outbox"), "\(why.output)\(why.error)")
        try eventually("STATUS.txt tells") {
            String(decoding: try Files.read(daemon.outbox.appending("STATUS.txt")), as: UTF8.self).contains("held")
        }
        // Across a start as well.
        try daemon.stop()
        try daemon.start()
        #expect(try daemon.status().queue.held == stuck)
        try Files.unlink(daemon.outbox.appending(label))
        try daemon.waitForDocuments(images.count)
        try daemon.expectResults(images.map(\.name), of: images.count)
        try daemon.stop()
    }

    @Test func aFolderThatIsRenamedIsWatchedOn() throws {
        let daemon = try RunningDaemon()
        let images = daemon.fixture.images
        func dropAndWait(_ index: Int, in folder: String) throws {
            try daemon.drop([images[index]], prefix: folder + "/")
            // The scan that finds what was missed comes once a minute.
            try daemon.waitForDocuments(index + 1)
        }
        try dropAndWait(0, in: "a/b")
        try Files.rename(daemon.inbox.appending("a"), to: daemon.inbox.appending("c"))
        try dropAndWait(1, in: "c/b")
        try dropAndWait(2, in: "c")
        try dropAndWait(3, in: "a/b")
        try Files.removeTree(daemon.inbox.appending("c"))
        try dropAndWait(4, in: "c/b")
        try dropAndWait(5, in: "c/b")
        try Files.rename(daemon.inbox.appending("c"), to: daemon.inbox.appending("d"))
        try dropAndWait(6, in: "d/b")
        #expect(
            try Set(daemon.results.map(\.record.file))
                == Set(
                    zip(["a/b", "c/b", "c", "a/b", "c/b", "c/b", "d/b"], images).map { "\($0)/\($1.name)" }))
        try daemon.stop()
    }

    @Test func aDrainEndsWhereImagesNeverDo() throws {
        let daemon = try RunningDaemon()
        let images = daemon.fixture.images
        #expect(try daemon.ctl("queue", "pause").code == 0)
        try daemon.drop(images.prefix(20))
        let drain = try ChildProcess(
            executable: try Programs.path("foveactl"),
            arguments: ["queue", "drain", "--config", daemon.configuration.string],
            environment: ["PATH=/usr/bin:/bin"])
        var ending: ChildProcess.Ending?
        for number in 0..<1500 where ending == nil {
            try daemon.drop([images[number % 200]], prefix: "\(number)-")
            usleep(20_000)
            ending = drain.endingIfEnded()
        }
        #expect(ending == .exited(0), "it waited for what came after it")
        #expect(
            try images.prefix(20).allSatisfy { image in
                try Files.statusIfPresent(daemon.inbox.appending(image.name)) == nil
            })
        try daemon.stop()
    }

    @Test func aHistoryThatCannotBeOpenedKeepsNoImageBack() throws {
        let daemon = try RunningDaemon(starting: false)
        try daemon.folder.write("var/history.sqlite/x", [])
        try daemon.start()
        let image = daemon.fixture.images[0]
        try daemon.drop([image])
        try daemon.waitForDocuments(1)
        #expect(daemon.log.contains("history.sqlite"))
        try eventually("why still works") { try daemon.ctl("why", image.name).code == 0 }
        try daemon.stop()
        let text = String(decoding: try Files.read(daemon.outbox.appending("STATUS.txt")), as: UTF8.self)
        #expect(text.contains("stopped"), "\(text)")
    }
}
