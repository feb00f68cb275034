import FoveaModels
import FoveaSystem
import Testing

@Suite struct PixelStageTests {
    private func stage(_ plugin: String, _ parameters: String) throws -> PixelStage? {
        PixelStage(
            StageConfiguration(plugin: plugin, parameters: try StrictJSON.parse(Array(parameters.utf8), depth: 8)))
    }

    @Test func ownStagesAreReadFromTheirParameters() throws {
        #expect(try stage("sharpen", "{}") == .unsharp(amount: 1))
        #expect(try stage("sharpen", #"{"amount": 0.5}"#) == .unsharp(amount: 0.5))
        #expect(try stage("sharpen", #"{"kernel": [[2]]}"#) == .filter(kernel: [2], side: 1))
        #expect(
            try stage("sharpen", #"{"kernel": [[0,-1,0],[-1,5,-1],[0,-1,0]]}"#)
                == .filter(kernel: [0, -1, 0, -1, 5, -1, 0, -1, 0], side: 3))
        let half = [0.5, 0.5, 0.5]
        #expect(try stage("normalize", #"{"mode": "signed"}"#) == .normalize(mean: half, std: half))
        #expect(
            try stage("normalize", #"{"mean": [0.1, 0, 1], "std": [1, 2, 3]}"#)
                == .normalize(mean: [0.1, 0, 1], std: [1, 2, 3]))
    }

    /// Another plugin, and what its own plugin would refuse or might take one day.
    @Test(arguments: [
        ("trap", "{}"), ("sharpen", #"{"amount": 17}"#), ("sharpen", #"{"amount": 1, "radius": 2}"#),
        ("sharpen", #"{"kernel": [[1, 2]]}"#), ("sharpen", #"{"kernel": [["a"]]}"#), ("normalize", "{}"),
        ("normalize", #"{"mode": "other"}"#), ("normalize", #"{"mean": [0, 0, 0]}"#),
        ("normalize", #"{"mean": [0, 0, 0], "std": [1, 1, 0]}"#), ("normalize", #"{"mean": [0, 0], "std": [1, 1]}"#),
    ])
    func whatIsNotTheirsIsNotGuessed(_ plugin: String, _ parameters: String) throws {
        #expect(try stage(plugin, parameters) == nil)
    }
}
