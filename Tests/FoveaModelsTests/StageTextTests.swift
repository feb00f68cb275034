import FoveaModels
import FoveaSystem
import Testing

struct StageTextTests {
    @Test func oneStage() throws {
        #expect(try StageText("sharpen") == StageText(plugin: "sharpen"))
        #expect(try StageText("sharpen={\"amount\": 2}").parameters == .object(["amount": .int(2)]))
        #expect(try StageText("./libfovea-mine.so={}").plugin == "./libfovea-mine.so")
    }

    @Test("Commas divide stages, and not those inside of JSON")
    func list() throws {
        let stages = try StageText.list(#"a,b={"x":[1,2],"y":",}]\","},c={"z":{"k":1}}"#)
        #expect(stages.map(\.plugin) == ["a", "b", "c"])
        #expect(stages[1].parameters?["y"] == .string(",}]\","))
        #expect(stages[1].parameters?["x"] == .array([.int(1), .int(2)]))
        #expect(stages[2].parameters?["z"]?["k"] == .int(1))
        #expect(try StageText.list("none").isEmpty)
    }

    @Test func files() throws {
        #expect(try StageText("./a.so").isFile && StageText("a.so").isFile && StageText("/x/a").isFile)
        #expect(try !StageText("sharpen").isFile)
    }

    @Test(
        "What cannot be a stage is refused",
        arguments: ["", ",", "a,", "={}", "a=", "a=1", "a=[1]", "a={", "a={\"x\":1,\"x\":2}"])
    func refused(_ text: String) {
        #expect(throws: LabelError.self) { try StageText.list(text) }
    }
}
