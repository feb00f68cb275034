import FoveaModels
import FoveaPipeline
import FoveaSystem
import FoveaTestKit
import SystemPackage
import Testing

/// The plugins that come with Fovea, through the C ABI as the worker uses them.
@Suite struct BuiltPluginTests {
    private let search = PluginSearch([productsFolder()])

    private func run<T: BitwiseCopyable>(
        _ name: String, _ parameters: String, height: Int, width: Int, _ pixels: [UInt8], as type: T.Type
    ) throws -> [T] {
        let shape = ImageShape(height: height, width: width)
        let count = pixels.count / shape.count
        let instance = try PluginInstance(
            try search.load(name), shape: shape, classes: 2, maxCount: count, parameters: parameters)
        let input = AlignedBuffer<UInt8>(count: pixels.count)
        let output = AlignedBuffer<T>(count: pixels.count)
        for (i, value) in pixels.enumerated() { input.pointer[i] = value }
        try instance.process(count: count, input: input.pointer, output: output.pointer)
        return Array(UnsafeBufferPointer(start: output.pointer, count: pixels.count))
    }

    private func refusal(_ name: String, _ parameters: String) throws -> PluginError? {
        let library = try search.load(name)
        do throws(PluginError) {
            _ = try PluginInstance(
                library, shape: ImageShape(height: 4, width: 4), classes: 2, maxCount: 1, parameters: parameters)
            return nil
        } catch { return error }
    }

    private func reflect(_ i: Int, _ n: Int) -> Int {
        var i = i
        if n == 1 { return 0 }
        while i < 0 || i >= n { i = i < 0 ? -i : 2 * (n - 1) - i }
        return i
    }

    /// Any kernel by the definition, in double precision, rounded half to even.
    private func oracle(_ kernel: [[Double]], height: Int, width: Int, _ pixels: [UInt8]) -> [UInt8] {
        let half = kernel.count / 2
        var out = pixels
        for y in 0..<height {
            for x in 0..<width {
                for c in 0..<3 {
                    var sum = 0.0
                    for (dy, row) in kernel.enumerated() {
                        for (dx, weight) in row.enumerated() {
                            let (sy, sx) = (reflect(y + dy - half, height), reflect(x + dx - half, width))
                            sum += weight * Double(pixels[(sy * width + sx) * 3 + c])
                        }
                    }
                    out[(y * width + x) * 3 + c] = UInt8(min(255, max(0, sum.rounded(.toNearestOrEven))))
                }
            }
        }
        return out
    }

    private let unsharp: [[Double]] = [
        [1, 4, 6, 4, 1], [4, 16, 24, 16, 4], [6, 24, -476, 24, 6], [4, 16, 24, 16, 4], [1, 4, 6, 4, 1],
    ].map { $0.map { -Double($0) / 256 } }

    @Test(arguments: [(1, 1), (1, 2), (2, 1), (2, 3), (3, 7), (5, 4), (33, 17), (32, 32)])
    func sharpenIsTheKernel(height: Int, width: Int) throws {
        let pixels = SyntheticImage.noise(width: width, height: height, seed: UInt64(height * 100 + width)).pixels
        let expected = oracle(unsharp, height: height, width: width, pixels)
        for parameters in ["{}", "{\"amount\":1}", "{\"amount\":1.0}", "{\"kernel\":\(unsharp)}"] {
            let sharp = try run("sharpen", parameters, height: height, width: width, pixels, as: UInt8.self)
            #expect(sharp == expected, "\(parameters)")
        }
        let still = try run("sharpen", "{\"amount\":0}", height: height, width: width, pixels, as: UInt8.self)
        #expect(still == pixels)
        // Half the amount: the mean of the identity and the full kernel, exact in these numbers.
        var halfKernel = unsharp.map { $0.map { $0 / 2 } }
        halfKernel[2][2] += 0.5
        let halved = try run("sharpen", "{\"amount\":0.5}", height: height, width: width, pixels, as: UInt8.self)
        #expect(halved == oracle(halfKernel, height: height, width: width, pixels))
    }

    @Test func sharpenByHand() throws {
        // One bright pixel on black, 5×5: the kernel itself, below zero cut off: 200 · 476 / 256 = 371.9 → 255.
        var pixels = [UInt8](repeating: 0, count: 75)
        pixels[36] = 100
        var sharp = try run("sharpen", "{}", height: 5, width: 5, pixels, as: UInt8.self)
        #expect(sharp[36] == 186)  // 100 · 476 / 256 = 185.94
        sharp[36] = 0
        #expect(sharp.allSatisfy { $0 == 0 })
        // A dark pixel on grey 100: its neighbour left and right gets 100 + 100 · 24 / 256 = 109.375.
        pixels = [UInt8](repeating: 100, count: 75)
        pixels[36] = 0
        sharp = try run("sharpen", "{}", height: 5, width: 5, pixels, as: UInt8.self)
        #expect(sharp[36] == 0 && sharp[33] == 109 && sharp[39] == 109)
        // The corner meets it four times, in its mirror images: 100 + 4 · 100 / 256 = 101.56.
        #expect(sharp[0] == 102)
        // Half to even: weights 1/2 of 1 → 0.5 → 0, of 3 → 1.5 → 2.
        #expect(
            try run("sharpen", "{\"kernel\":[[0.5]]}", height: 1, width: 1, [1, 3, 5], as: UInt8.self) == [0, 2, 2])
        // One shifted to the right, not flipped: out(x) = in(x − 1), mirrored at the edge.
        let shifted = try run(
            "sharpen", "{\"kernel\":[[0,0,0],[1,0,0],[0,0,0]]}", height: 1, width: 3,
            [10, 11, 12, 20, 21, 22, 30, 31, 32], as: UInt8.self)
        #expect(shifted == [20, 21, 22, 10, 11, 12, 20, 21, 22])
    }

    @Test func sharpenRefuses() throws {
        for parameters in [
            "{\"amonut\":1}", "{\"amount\":\"1\"}", "{\"amount\":-1}", "{\"amount\":1e9}", "{\"kernel\":[[1,2]]}",
            "{\"kernel\":[[1,2],[3,4]]}", "{\"kernel\":[]}", "{\"amount\":1,\"kernel\":[[1]]}", "[]", "",
            "{\"kernel\":[[1e300]]}",
        ] { #expect(try refusal("sharpen", parameters)?.code == .parameters, "\(parameters)") }
        #expect(try refusal("sharpen", "{\"amonut\":1}")?.description.contains("amonut") == true)
    }

    @Test func normalizeValues() throws {
        let pixels = (0..<768).map { UInt8($0 / 3) }
        let signed = try run("normalize", "{\"mode\":\"signed\"}", height: 16, width: 16, pixels, as: Float.self)
        #expect(signed[0] == -1 && signed[767] == 1)
        for i in 0..<768 { #expect(signed[i] == (Float(pixels[i]) - 127.5) / 127.5) }
        let parameters = "{\"mean\":[0.5,0.25,0],\"std\":[0.25,0.5,1]}"
        let scaled = try run("normalize", parameters, height: 1, width: 1, [255, 51, 102], as: Float.self)
        #expect(zip(scaled, [2, -0.1, 0.4]).allSatisfy { abs($0 - $1) < 1e-6 })
        for wrong in [
            "{}", "{\"mode\":\"other\"}", "{\"mode\":\"signed\",\"mean\":[0,0,0]}", "{\"mean\":[0,0,0]}",
            "{\"mean\":[0,0],\"std\":[1,1]}", "{\"mean\":[0,0,0],\"std\":[1,0,1]}", "{\"mode\":\"signed\",\"x\":1}",
        ] { #expect(try refusal("normalize", wrong)?.code == .parameters, "\(wrong)") }
    }

    @Test(arguments: ["sharpen", "normalize", "example-c"])
    func checked(name: String) throws {
        var options = PluginCheck.Options()
        options.executable = productsFolder().appending("fovea-worker")
        switch name {
        case "normalize": options.parameters = "{\"mode\":\"signed\"}"
        case "example-c":
            options.parameters = "{\"colours\":\((0..<30).map { Double($0 % 7) / 3.5 - 1 })}"
        default: break
        }
        let report = try PluginCheck.run(try search.find(name), options)
        #expect(report.passed, "\(report.findings)")
        #expect(report.plugin?.name == name)
        let skipped = report.findings.filter { $0.outcome == .skipped }
        #expect(skipped.isEmpty, "\(skipped)")
        #expect(try ELFSymbols.exported(by: search.find(name)).filter { !$0.hasPrefix("_") } == ["fovea_plugin_entry"])
    }

    @Test func chainOrder() throws {
        func chain(_ names: [String], preparationOnly: Bool = false) -> PluginError? {
            let stages = names.map {
                StageConfiguration(
                    plugin: $0,
                    parameters: $0 == "normalize"
                        ? .object(["mode": .string("signed")])
                        : $0 == "example-c" ? .object(["colours": .array((0..<6).map { .int($0) })]) : .object([:]))
            }
            do throws(PluginError) {
                _ = try Chain(
                    stages, shape: ImageShape(height: 4, width: 4), classes: 2, maxCount: 2, search: search,
                    preparationOnly: preparationOnly)
                return nil
            } catch { return error }
        }
        #expect(chain(["sharpen", "normalize", "example-c"]) == nil)
        #expect(chain(["normalize", "example-c"]) == nil)
        #expect(chain(["sharpen", "sharpen", "normalize", "example-c"]) == nil)
        #expect(chain(["sharpen", "normalize"], preparationOnly: true) == nil)
        #expect(chain(["sharpen", "normalize", "example-c"], preparationOnly: true) == nil)
        for wrong in [
            [], ["sharpen"], ["normalize"], ["example-c"], ["normalize", "sharpen", "example-c"],
            ["example-c", "normalize"], ["normalize", "normalize", "example-c"],
            ["normalize", "example-c", "example-c"],
        ] { #expect(chain(wrong)?.code == .order, "\(wrong)") }
        #expect(chain(["nowhere", "normalize", "example-c"])?.code == .missing)
    }

    /// Training takes the steps apart; serving runs them in one go. Both must give the same bits.
    @Test func trainingPreparesAsServing() throws {
        let stages = [
            StageConfiguration(plugin: "sharpen", parameters: .object([:])),
            StageConfiguration(plugin: "normalize", parameters: .object(["mode": .string("signed")])),
        ]
        let shape = ImageShape(height: 9, width: 7)
        let chain = try Chain(stages, shape: shape, classes: 2, maxCount: 4, search: search, preparationOnly: true)
        let pixels = SyntheticImage.noise(width: 7, height: 9 * 10, seed: 3).pixels
        var filtered = pixels
        try filtered.withUnsafeMutableBufferPointer { try chain.applyFilters($0.baseAddress!, count: 10) }
        var floats = [Float](repeating: 0, count: filtered.count)
        try floats.withUnsafeMutableBufferPointer { try chain.normalize(filtered, count: 10, into: $0.baseAddress!) }
        #expect(try run("sharpen", "{}", height: 9, width: 7, pixels, as: UInt8.self) == filtered)
        #expect(try run("normalize", "{\"mode\":\"signed\"}", height: 9, width: 7, filtered, as: Float.self) == floats)
        #expect(Chain.text(chain.descriptions) == "sharpen 1.0.0 → normalize(mode=signed) 1.0.0")
    }
}
