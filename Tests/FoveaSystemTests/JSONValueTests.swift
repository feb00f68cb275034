import FoundationEssentials
import FoveaSystem
import Testing

@Suite struct JSONValueTests {
    @Test func objectsAreMergedMemberByMember() {
        let defaults = JSONValue.object(["a": .int(1), "b": .object(["x": .int(2), "y": .array([.int(3)])])])
        let given = JSONValue.object(["b": .object(["y": .array([]), "z": .null]), "c": .bool(true)])
        #expect(
            defaults.merging(given)
                == .object([
                    "a": .int(1), "b": .object(["x": .int(2), "y": .array([]), "z": .null]), "c": .bool(true),
                ]))
        #expect(defaults.merging(.int(4)) == .int(4))
    }

    private func parse(_ text: String) throws -> JSONValue {
        try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
    }

    @Test func kindsAreKept() throws {
        let value = try parse(#"{"a":[1,2.5,true,null,"x"],"b":{"c":-3}}"#)
        #expect(value["a"] == .array([.int(1), .number(2.5), .bool(true), .null, .string("x")]))
        #expect(value["b"]?["c"] == .int(-3))
        #expect(value["none"] == nil && value["a"]?["b"] == nil)
        #expect(value["b"]?["c"]?.double == -3)
    }

    @Test func textIsSortedAndComesBack() throws {
        let value = JSONValue.object([
            "z": .int(1), "a": .string("ä/\"\n"), "m": .array([]), "n": .number(0.1), "t": .bool(false), "o": .null,
        ])
        #expect(try parse(value.text) == value)
        #expect(value.text.hasPrefix(#"{"a":"#) && value.text.contains("ä/"))
        #expect(value.text == (try parse(value.text)).text)
    }

    @Test func otherTypes() throws {
        struct Point: Codable, Equatable {
            var x = 1
            var name = "p"
        }
        let value = try JSONValue(encoding: Point())
        #expect(value == .object(["x": .int(1), "name": .string("p")]))
        #expect(try value.decode(Point.self) == Point())
        #expect(throws: (any Error).self) { try JSONValue.string("x").decode(Point.self) }
        #expect(JSONValue.string("x").string == "x" && JSONValue.int(1).string == nil)
    }
}
