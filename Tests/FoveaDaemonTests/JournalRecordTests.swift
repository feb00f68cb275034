import FoveaControl
import FoveaDaemon
import FoveaSystem
import FoveaTestKit
import SystemPackage
import Testing

@Suite struct JournalRecordTests {
    private static let id = DropID(received: Timestamp(milliseconds: 1_763_942_400_123))

    private static let records: [JournalRecord] = [
        .commit(Outcome(id: id, file: "cat.png", folder: "cat", document: Array(#"{"schema":"x"}"#.utf8))),
        .commit(
            Outcome(
                id: id, file: FilePath(bytes: [0x61, 0x2F, 0xFF, 0x09, 0x0A, 0x25, 0x22]), folder: "Küche \"neu\"",
                document: Array(#"{"file":"a/%FF"}"#.utf8))),
        .commit(Outcome(id: id, file: "empty", folder: "failed", document: [])),
        .published(id, "cat/a/cat-2.png"),
        .published(id, FilePath(bytes: [0x63, 0x2F, 0xE4, 0x5C])),
    ]

    @Test(arguments: records) func comesBackFromItsLine(_ record: JournalRecord) {
        let line = record.line
        #expect(line.last == 0x0A && line.count { $0 == 0x0A } == 1, "a record is one line")
        #expect(JournalRecord(line: line.dropLast()) == record)
    }

    @Test(arguments: records) func isRefusedWhenCut(_ record: JournalRecord) {
        let line = record.line.dropLast()
        for length in 0..<line.count { #expect(JournalRecord(line: line.prefix(length)) == nil, "\(length) bytes") }
        #expect(JournalRecord(line: line + [0x20]) == nil)
        #expect(JournalRecord(line: [UInt8](repeating: 0, count: line.count)[...]) == nil)
    }

    @Test(arguments: records) func isRefusedWhenABitFlips(_ record: JournalRecord) {
        let line = Array(record.line.dropLast())
        for index in line.indices {
            for bit in 0..<8 {
                var damaged = line
                damaged[index] ^= 1 << bit
                #expect(JournalRecord(line: damaged[...]) == nil, "bit \(bit) of byte \(index)")
            }
        }
    }
}
