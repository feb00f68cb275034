import FoveaModels
import FoveaSystem
import Testing

@Suite struct StrictJSONTests {
    @Test func readsWhatTheStandardAllows() throws {
        let text = #" {"a": [1, -2.5, 1e3, true, false, null], "b": {"c": "\u00e9\n\ud83d\ude00 é"}, "": {}} "#
        #expect(
            try StrictJSON.parse(Array(text.utf8), depth: 2)
                == .object([
                    "a": .array([.int(1), .number(-2.5), .number(1000), .bool(true), .bool(false), .null]),
                    "b": .object(["c": .string("é\n😀 é")]), "": .object([:]),
                ]))
    }

    @Test(arguments: [
        (#"{"a":1,"a":2}"#, "twice"), (#"{"a":1,"\u0061":2}"#, "twice"), ("[[[1]]]", "deeply"), ("[1,]", "character"),
        ("{\"a\" 1}", "':'"), ("[1 2]", "','"), ("01", "leading zero"), ("1.", "ends"), ("+1", "character"),
        ("\"a", "inside a string"), ("\"\u{01}\"", "control"), (#""\q""#, "escape"), (#""\ud800x""#, "surrogate"),
        ("tru", "true"), ("1 1", "after"), ("", "ends"), ("{1:2}", "quotes"), ("99999999999999999999", "too large"),
        ("1e999", "too large"), ("NaN", "character"),
    ])
    func refuses(_ text: String, _ expected: String) {
        let failure = #expect(throws: StrictJSON.Failure.self) { try StrictJSON.parse(Array(text.utf8), depth: 2) }
        #expect(failure?.problem.contains(expected) == true, "\(text) gave \(String(describing: failure))")
    }

    @Test func refusesBytesThatAreNotUTF8() {
        #expect(throws: StrictJSON.Failure.self) { try StrictJSON.parse([0x22, 0xFF, 0x22], depth: 1) }
    }
}
