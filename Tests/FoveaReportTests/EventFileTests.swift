import FoveaNN
import FoveaReport
import FoveaSystem
import FoveaTestKit
import FoveaTraining
import Testing

/// That TensorBoard reads it is for Tests/Interchange to show; here is what can be said without it.
@Suite struct EventFileTests {
    /// The sum of the first length in every event file that TensorFlow or PyTorch writes.
    @Test func recordsAreFramed() {
        let record = EventFile.record([UInt8](repeating: 7, count: 24))
        #expect(record.count == 8 + 4 + 24 + 4)
        #expect(Array(record.prefix(12)) == [0x18, 0, 0, 0, 0, 0, 0, 0, 0xA3, 0x7F, 0x4B, 0x22])
    }

    /// The messages of a file whose every sum is right.
    private func messages(_ file: [UInt8]) -> [[UInt8]] {
        var messages: [[UInt8]] = []
        var rest = file[...]
        while rest.count >= 16 {
            let length = rest.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
            let message = Array(rest.dropFirst(12).prefix(length))
            #expect(Array(rest.prefix(16 + length)) == EventFile.record(message))
            messages.append(message)
            rest = rest.dropFirst(16 + length)
        }
        #expect(rest.isEmpty)
        return messages
    }

    @Test func versionGraphEpochsAndPicturesInOrder() throws {
        let report = try Sample.report(labels: ["dark", "light"], heldOut: Sample.heldOut(40, classes: 2))
        let graph = try #require(try report.configuration.network?.decode(NetworkDefinition.self).graph())
        let png = SyntheticImage.gradient(width: 5, height: 3).png
        let file = EventFile(report, graph: graph, pictures: ["predictions.png": png, "curves.png": png])
        let found = messages(file.bytes)
        // Version, graph, three epochs, one picture.
        #expect(found.count == 6)
        func contains(_ index: Int, _ text: String) -> Bool { found[index].contains(Array(text.utf8)) }
        #expect(contains(0, "brain.Event:2"))
        #expect(contains(1, "layer1/residual/sum") && contains(1, "_output_shapes"))
        for index in 2...4 {
            for tag in ["loss/training", "loss/development", "accuracy/training", "accuracy/development"] {
                #expect(contains(index, tag))
            }
            #expect(contains(index, "learning-rate") && contains(index, "images-per-second"))
        }
        #expect(contains(5, "predictions") && found[5].contains(png))
        // Height 3 and width 5, from the PNG itself.
        #expect(found[5].contains([0x08, 3, 0x10, 5, 0x18, 3]))
        // The last epoch ends when the training does.
        var time = ProtobufWriter()
        time.double(1, 1_750_000_000)
        time.integer(2, 3)
        #expect(found[4].starts(with: time.bytes))
    }

    /// Reckoned in binary fractions of seconds since 1970, an epoch may not end a rounding error after the training does.
    @Test func timesNeverGoBackAndEndWithTheTraining() throws {
        var report = try Sample.report(
            labels: ["dark", "light"], heldOut: Sample.heldOut(40, classes: 2), epochs: 50,
            seconds: { 0.1 * Double($0).squareRoot() })
        report.finished = 1_795_645_018.456_479_8
        let png = SyntheticImage.gradient(width: 5, height: 3).png
        let times = messages(EventFile(report, graph: [], pictures: ["predictions.png": png]).bytes).map { message in
            // The first field of each event, a double in little-endian bytes.
            Double(bitPattern: message[1..<9].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
        }
        #expect(times.count == 52)
        #expect(zip(times, times.dropFirst()).allSatisfy { $0 <= $1 })
        #expect(times[50] == report.finished && times[51] == report.finished)
        #expect(abs(times[0] - (report.finished - report.epochs.reduce(0) { $0 + $1.seconds })) < 1e-5)
    }

    @Test func withoutGraphDevelopmentAndPictures() throws {
        let report = try Sample.report(labels: ["dark", "light"], heldOut: nil, epochs: 1)
        let found = messages(EventFile(report, graph: [], pictures: [:]).bytes)
        #expect(found.count == 2 && !found[1].contains(Array("development".utf8)))
    }

    @Test func theNameTellsTheTimeAndNoHost() {
        #expect(EventFile.name(time: 1_750_000_000.9) == "events.out.tfevents.1750000000.fovea")
    }
}
