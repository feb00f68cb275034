import FoveaSystem
import FoveaTestKit
import SystemPackage
import Testing

extension EndToEnd {
    /// The same mistake has the same code and the same words, whichever program meets it.
    @Test func bothProgramsSayTheSameOfTheSameMistake() throws {
        let folder = try TemporaryFolder()
        let configuration = try folder.write(
            "fovea.yaml", Fixture.configuration(folder.path, models: folder.path.appending("none")))
        let broken = try folder.write("broken.yaml", Array("batsh: 4\n".utf8))
        let damaged = try folder.write("damaged/config.json", Array("{".utf8)).removingLastComponent()
        try folder.write("var/datasets/torn/dataset.json", Array("{".utf8))
        let output = "\(folder.path)/out"

        func check(_ code: Int32, _ foveactl: [String], _ train: [String], config: FilePath? = nil) throws {
            let options = ["--config", (config ?? configuration).string]
            let one = try Programs.run("foveactl", foveactl + options)
            let other = try Programs.run("fovea-train", train + options)
            #expect(one.code == code && other.code == code, "\(one)\n\(other)")
            func words(_ text: String) -> Substring { text.split(separator: ": ", maxSplits: 1).last ?? "" }
            #expect(!words(one.error).isEmpty && words(one.error) == words(other.error))
        }
        func export(_ model: String) -> [String] { ["model", "export", model, "--format", "tar", "--output", output] }
        func evaluate(_ model: String) -> [String] { ["evaluate", model, "--data", "x"] }
        func train(_ data: String) -> [String] { ["train", "--arch", "vanilla", "--data", data] }

        try check(66, export("nope"), evaluate("nope"))
        try check(64, export("a b"), evaluate("a b"))
        try check(65, export("\(damaged)/"), evaluate("\(damaged)/"))
        try check(66, ["dataset", "info", "nope"], train("nope"))
        try check(65, ["dataset", "info", "torn"], train("torn"))
        try check(78, ["model", "list"], evaluate("x"), config: broken)
    }
}
