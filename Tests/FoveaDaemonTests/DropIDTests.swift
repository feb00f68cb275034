import FoveaControl
import FoveaDaemon
import Testing

@Suite struct DropIDTests {
    @Test func comesBackFromItsText() throws {
        for _ in 0..<200 {
            let id = DropID(received: .now())
            #expect(id.description.utf8.count == 26)
            #expect(DropID(id.description) == id)
        }
    }

    @Test(arguments: [0, 1, 31, 32, 1_763_942_400_123, (1 << 48) - 1])
    func knowsWhenItWasReceived(_ milliseconds: Int) {
        let time = Timestamp(milliseconds: milliseconds)
        #expect(DropID(received: time).received == time)
    }

    @Test func sortsByTime() {
        let times = [0, 5, 31, 32, 1000, 1_763_942_400_123, 1_763_942_400_124]
        let ids = times.map { DropID(received: Timestamp(milliseconds: $0)) }
        #expect(ids.shuffled().sorted() == ids)
    }

    @Test func isUniqueWithinAMillisecond() {
        let time = Timestamp(milliseconds: 1_763_942_400_123)
        #expect(Set((0..<10_000).map { _ in DropID(received: time) }).count == 10_000)
    }

    @Test(arguments: [
        "", "0123", "01aryz6s41tsv4rrffq69g5fa", "01ARYZ6S41TSV4RRFFQ69G5FAV", "01aryz6s41tsv4rrffq69g5fai",
        "../aryz6s41tsv4rrffq69g5fav", "01aryz6s41tsv4rrffq69g5fav0",
    ])
    func otherTextIsNone(_ text: String) {
        #expect(DropID(text) == nil)
    }
}
