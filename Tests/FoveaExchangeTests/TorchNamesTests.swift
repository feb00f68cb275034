import FoveaExchange
import FoveaModels
import FoveaTestKit
import FoveaTorch
import Testing

struct TorchNamesTests {
    @Test(arguments: [
        ("stem.conv.weight", "_conv_stem.weight"), ("stem.norm.mean", "_bn0.running_mean"),
        ("head.conv.weight", "_conv_head.weight"), ("head.norm.variance", "_bn1.running_var"),
        ("head.linear.weight", "_fc.weight"), ("head.linear.bias", "_fc.bias"),
        ("blocks.0.depthwise.conv.weight", "_blocks.0._depthwise_conv.weight"),
        ("blocks.3.expand.norm.scale", "_blocks.3._bn0.weight"),
        ("blocks.15.depthwise.norm.shift", "_blocks.15._bn1.bias"),
        ("blocks.10.project.norm.mean", "_blocks.10._bn2.running_mean"),
        ("blocks.10.project.conv.weight", "_blocks.10._project_conv.weight"),
    ])
    func names(_ ours: String, _ theirs: String) { #expect(TorchNames.source(of: ours) == theirs) }

    @Test(arguments: [
        "", "stem", "stem.conv.bias", "blocks.x.expand.conv.weight", "blocks.01.expand.conv.weight",
        "head.linear.scale",
    ])
    func foreignNames(_ name: String) { #expect(TorchNames.source(of: name) == nil) }

    private func read(_ file: TestStateDictionary, _ targets: [TorchNames.Target]) throws -> [String: [Float]] {
        try TorchNames.tensors(targets, from: TorchFile(bytes: file.bytes, subject: "x"), subject: "x")
    }

    @Test("Filters, depthwise filters and matrices come in Fovea's layouts")
    func layouts() throws {
        var file = TestStateDictionary()
        // O × I × H × W with the value 1000 o + 100 i + 10 h + w.
        var stored: [Float] = []
        for o in 0..<2 {
            for i in 0..<3 {
                for h in 0..<2 { for w in 0..<2 { stored.append(Float(1000 * o + 100 * i + 10 * h + w)) } }
            }
        }
        file.add("_conv_stem.weight", shape: [2, 3, 2, 2], stored)
        file.add("_blocks.0._depthwise_conv.weight", shape: [3, 1, 1, 2], [0, 1, 10, 11, 20, 21])
        file.add("_fc.weight", shape: [2, 3], [0, 1, 2, 10, 11, 12])
        file.add("_fc.bias", shape: [2], [5, 6])
        let values = try read(
            file,
            [
                .init(name: "stem.conv.weight", shape: [2, 2, 3, 2]),
                .init(name: "blocks.0.depthwise.conv.weight", shape: [1, 2, 3]),
                .init(name: "head.linear.weight", shape: [3, 2]), .init(name: "head.linear.bias", shape: [2]),
            ])
        var filters: [Float] = []
        for h in 0..<2 {
            for w in 0..<2 {
                for i in 0..<3 { for o in 0..<2 { filters.append(Float(1000 * o + 100 * i + 10 * h + w)) } }
            }
        }
        #expect(values["stem.conv.weight"] == filters)
        #expect(values["blocks.0.depthwise.conv.weight"] == [0, 10, 20, 1, 11, 21])
        #expect(values["head.linear.weight"] == [0, 10, 1, 11, 2, 12])
        #expect(values["head.linear.bias"] == [5, 6])
    }

    @Test("What is missing, left over, of another shape or no number is refused by its name")
    func refusals() throws {
        let target = TorchNames.Target(name: "head.linear.bias", shape: [2])
        func problem(_ file: TestStateDictionary) -> String? {
            #expect(throws: ModelError.self) { try read(file, [target]) }?.problem
        }
        #expect(problem(.one("other", shape: [2], [1, 2]))?.contains("'_fc.bias'") == true)
        #expect(problem(.one("_fc.bias", shape: [3], [1, 2, 3]))?.contains("[3]") == true)
        #expect(problem(.one("_fc.bias", shape: [2], [1, .nan]))?.contains("element 1") == true)
        var file = TestStateDictionary.one("_fc.bias", shape: [2], [1, 2])
        file.add("_bn9.num_batches_tracked", shape: [1], [1])
        #expect(try read(file, [target])["head.linear.bias"] == [1, 2])
        file.add("extra", shape: [1], [1])
        #expect(problem(file)?.contains("'extra'") == true)
    }
}
